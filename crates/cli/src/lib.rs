//! `diamond`: the command line of the Universal AI Key Manager. It speaks HTTP only.
//!
//! Data goes to standard output (a table for people, `--output json` for programs: exactly the
//! API's answer), messages and hints to standard error. The exit status says whose fault it was
//! ([`ExitStatus`]). A key or token is never an argument: arguments are in every process list.

mod arguments;
mod client;
mod commands;
mod config;
mod exit;
mod failure;
mod patience;
mod run;
mod table;
mod terminal;

pub use config::Environment;
pub use exit::ExitStatus;
pub use run::{execute, run};
pub use terminal::Terminal;
