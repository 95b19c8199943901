//! `diamond`.

use std::process::ExitCode;

fn main() -> ExitCode {
    diamond_cli::run(std::env::args_os())
}
