//! What every command needs: the server, the way to show data.

use std::path::PathBuf;

use serde::de::DeserializeOwned;

use crate::{
    Environment, Terminal,
    arguments::{Global, OutputForm},
    client::{Answer, Client},
    config::{Connection, ConnectionArguments},
    failure::Failure,
};

/// One run of the program.
#[derive(Debug)]
pub struct Session<'a> {
    connection: ConnectionArguments,
    output: OutputForm,
    /// What the process was given.
    pub environment: &'a Environment,
}

impl<'a> Session<'a> {
    /// The session of a command line.
    pub fn new(global: &Global, environment: &'a Environment) -> Self {
        Self {
            connection: global.connection(),
            output: global.output,
            environment,
        }
    }

    /// `--url`, if given.
    pub fn named_url(&self) -> Option<&str> {
        self.connection.url.as_deref()
    }

    /// `--ca-file`, if given, as it can be found from any folder.
    pub fn named_ca_file(&self) -> Option<PathBuf> {
        let path = self.connection.ca_file.as_ref()?;
        Some(std::path::absolute(path).unwrap_or_else(|_| path.clone()))
    }

    /// Whether programs read the output.
    pub fn is_json(&self) -> bool {
        self.output == OutputForm::Json
    }

    /// The server.
    pub fn client(&self, terminal: &mut Terminal) -> Result<Client, Failure> {
        let connection = Connection::resolve(&self.connection, self.environment)?;
        if let Some(warning) = connection.warning {
            terminal.message(warning);
        }
        Client::new(&connection)
    }

    /// Shows an answer: to programs exactly as it came, to people as `show` says.
    pub fn present<T: DeserializeOwned>(
        &self,
        answer: &Answer,
        terminal: &mut Terminal,
        show: impl FnOnce(T, &mut Terminal) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if self.is_json() {
            // Read it all the same: a proxy's login page is not data.
            answer.read::<serde_json::Value>()?;
            return terminal.data(answer.text()?.trim_end());
        }
        show(answer.read()?, terminal)
    }
}

/// Tells the person that a list goes on.
pub fn mention_rest(next: Option<&str>, terminal: &mut Terminal) {
    if let Some(cursor) = next {
        terminal.message(&format!("there is more: --cursor {cursor}"));
    }
}
