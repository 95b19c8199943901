//! `completion`.

use clap::{Args, CommandFactory as _};
use clap_complete::{Shell, generate};

use crate::{Terminal, arguments::CommandLine, failure::Failure};

/// For which shell.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Writes the script.
pub fn write(arguments: &Arguments, terminal: &mut Terminal) -> Result<(), Failure> {
    let mut script = Vec::new();
    generate(
        arguments.shell,
        &mut CommandLine::command(),
        "diamond",
        &mut script,
    );
    let script = String::from_utf8_lossy(&script);
    if arguments.shell == Shell::Bash {
        // Bash breaks words at colons, and our commands have one inside.
        terminal.data("COMP_WORDBREAKS=${COMP_WORDBREAKS//:}")?;
    }
    terminal.data(script.trim_end())
}
