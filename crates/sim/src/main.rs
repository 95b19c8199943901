//! `diamond-sim`: the simulator as a program.

use std::{io::Write, net::SocketAddr, path::PathBuf};

use clap::{Parser, Subcommand};
use diamond_sim::{
    Simulator,
    authority::{self, Certificate, Protocols},
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

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
        /// Where to listen for TLS besides, under an authority that is made at the start.
        #[arg(long, requires = "authority_file")]
        tls_listen: Option<SocketAddr>,
        /// Where the authority's certificate is written for those who are to trust it.
        #[arg(long, value_name = "FILE")]
        authority_file: Option<PathBuf>,
        /// How good the certificate is.
        #[arg(long, value_enum, default_value = "valid")]
        certificate: Certificate,
        /// Which protocols are offered over TLS.
        #[arg(long, value_enum, default_value = "both")]
        protocols: Protocols,
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
    let Command::Serve {
        listen,
        state,
        tls_listen,
        authority_file,
        certificate,
        protocols,
    } = Arguments::parse().command;
    let simulator = Simulator::new()?;
    if let Some(file) = &state {
        simulator.load(file)?;
    }
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = CancellationToken::new();
    let listener = TcpListener::bind(listen).await?;
    let listener = listener_said("http", listener)?;
    let secured = match (tls_listen, &authority_file) {
        (Some(listen), Some(file)) => {
            let config = authority::make(file, certificate, protocols)?;
            let listener = TcpListener::bind(listen).await?;
            Some((listener_said("https", listener)?, config))
        }
        _ => None,
    };
    let plain = simulator.serve(listener, stop.clone().cancelled_owned());
    let tls = async {
        if let Some((listener, config)) = secured {
            let stopped = stop.clone().cancelled_owned();
            simulator.serve_tls(listener, config, stopped).await;
        }
    };
    let stopping = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        stop.cancel();
    };
    tokio::join!(plain, tls, stopping);
    if let Some(file) = &state {
        simulator.save(file)?;
    }
    Ok(())
}

/// Whoever started us reads the address from this line.
fn listener_said(scheme: &str, listener: TcpListener) -> anyhow::Result<TcpListener> {
    let mut output = std::io::stdout();
    writeln!(
        output,
        "diamond-sim listening on {scheme}://{}",
        listener.local_addr()?
    )?;
    output.flush()?;
    Ok(listener)
}
