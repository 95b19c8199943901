//! `diamond-bench`: what a request costs, beside what it would cost with nothing in it.
//!
//! `run` starts the real `diamond-server` and, each as a process of its own, the bare floors it is
//! compared with; drives them in turns; checks that everything it sent was answered, counted and
//! priced; and prints a table. The other subcommands are the parts that those processes play.

mod arguments;
mod checks;
mod load;
mod machine;
mod parts;
mod process;
mod records;
mod report;
mod scenario;
mod server;
mod session;
mod stage;
mod start;
mod statistics;
mod stopwatch;

use std::{io::Write, process::ExitCode};

use clap::Parser;

use crate::arguments::{Arguments, Command};

/// The server's allocator, for the floors too: what is compared is the work, not the allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Run(run) => session::run(&run).await,
        Command::Generate { data, extent } => {
            start::installation::generate(&data, extent).await.map(drop)
        }
        Command::Upstream => parts::upstream::play().await,
        Command::FloorKey(appending) => parts::floor_key::play(appending).await,
        Command::FloorUsage(appending) => parts::floor_usage::play(appending).await,
        Command::FloorProxy {
            upstream,
            appending,
        } => parts::floor_proxy::play(upstream, appending).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where not even standard error can be written there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "diamond-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
