//! `diamond-sim`: the simulator as a program.

use std::{io::Write, net::SocketAddr, path::PathBuf};

use clap::{Parser, Subcommand};
use diamond_sim::Simulator;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

/// The simulated outside world: OpenAI and the other companies, with keys, faults and a bill.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Plays every company until SIGTERM or Ctrl-C.
    Serve {
        /// Where to listen. Port 0 takes a free one; the line on standard output names it.
        #[arg(long, default_value = "127.0.0.1:4010")]
        listen: SocketAddr,
        /// Keeps keys and bill here between two runs.
        #[arg(long, value_name = "FILE")]
        state: Option<PathBuf>,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info")),
        )
        .with_writer(std::io::stderr)
        .init();
    let Command::Serve { listen, state } = Arguments::parse().command;
    let simulator = Simulator::new()?;
    if let Some(file) = &state {
        simulator.load(file)?;
    }
    let mut terminate = signal(SignalKind::terminate())?;
    let listener = TcpListener::bind(listen).await?;
    // Whoever started us reads the address from this line.
    let mut output = std::io::stdout();
    writeln!(
        output,
        "diamond-sim listening on http://{}",
        listener.local_addr()?
    )?;
    output.flush()?;
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    simulator.serve(listener, shutdown).await;
    if let Some(file) = &state {
        simulator.save(file)?;
    }
    Ok(())
}
