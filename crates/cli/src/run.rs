//! From arguments to exit status.

use std::{ffi::OsString, process::ExitCode};

use clap::Parser as _;

use crate::{
    Environment, ExitStatus, Terminal,
    arguments::CommandLine,
    commands::{self, Session},
    failure::Failure,
};

/// Runs the process: its own environment, its own terminal.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut terminal = Terminal::standard();
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            terminal.message(&format!("error: {error}"));
            return ExitStatus::ServerFault.into();
        }
    };
    runtime
        .block_on(execute(
            arguments,
            &Environment::of_process(),
            &mut terminal,
        ))
        .into()
}

/// Runs one command in the given environment and terminal.
pub async fn execute(
    arguments: impl IntoIterator<Item = OsString>,
    environment: &Environment,
    terminal: &mut Terminal,
) -> ExitStatus {
    let line = match CommandLine::try_parse_from(arguments) {
        Ok(line) => line,
        Err(report) if report.use_stderr() => {
            terminal.message(report.to_string().trim_end());
            return ExitStatus::InvalidInput;
        }
        // `--help` and `--version` are answers.
        Err(report) => {
            return finish(terminal.data(report.to_string().trim_end()), terminal);
        }
    };
    let session = Session::new(&line.global, environment);
    let result = commands::execute(line.command, &session, terminal).await;
    finish(result, terminal)
}

fn finish(result: Result<(), Failure>, terminal: &mut Terminal) -> ExitStatus {
    let Err(failure) = result else {
        return ExitStatus::Success;
    };
    terminal.message(&format!(
        "error: {}",
        crate::table::printable(&failure.to_string())
    ));
    if let Some(hint) = failure.hint() {
        terminal.message(&format!("hint: {hint}"));
    }
    failure.status()
}
