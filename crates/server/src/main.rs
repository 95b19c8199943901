//! The program: reads the command line and the settings, then serves until it is told to stop.

use std::{
    io::{IsTerminal, Write},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use diamond_server::config::{self, LogFormat, LogSection};
use tracing_subscriber::EnvFilter;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The Universal AI Key Manager: brokers keys, meters every AI call, shows what it truly costs.
#[derive(Parser)]
#[command(name = "diamond-server", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve until SIGTERM or Ctrl-C, then drain and exit 0.
    Serve {
        /// A file with settings (see `config`).
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Where the embedded stores live.
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
        /// Where to listen.
        #[arg(long, value_name = "ADDR")]
        listen: Option<SocketAddr>,
        /// Something in front terminates TLS; allows addresses beyond this machine.
        #[arg(long)]
        behind_proxy: bool,
    },
    /// Print every setting with its default and an explanation.
    Config {
        /// As a reference in Markdown instead of a file to copy from.
        #[arg(long)]
        markdown: bool,
    },
    /// Print the OpenAPI document of the HTTP API.
    Openapi,
}

/// The exit status of wrong settings or arguments.
const MISCONFIGURED: u8 = 2;

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Config { markdown: false } => print(config::DEFAULT_FILE),
        Command::Config { markdown: true } => print(&config::reference()),
        Command::Openapi => print(&diamond_api::openapi_json()),
        Command::Serve {
            config,
            data_dir,
            listen,
            behind_proxy,
        } => {
            let mut overrides = Vec::new();
            if let Some(dir) = data_dir {
                overrides.push(("server.data_dir", dir.to_string_lossy().into_owned().into()));
            }
            if let Some(listen) = listen {
                overrides.push(("server.listen", listen.to_string().into()));
            }
            if behind_proxy {
                overrides.push(("server.behind_proxy", true.into()));
            }
            let config = match config::load(config.as_deref(), &overrides) {
                Ok(config) => config,
                Err(error) => {
                    complain(&format!("the settings cannot be used:\n{error}"));
                    return ExitCode::from(MISCONFIGURED);
                }
            };
            if let Err(fault) = start_log(&config.log) {
                complain(&fault);
                return ExitCode::from(MISCONFIGURED);
            }
            serve(config)
        }
    }
}

fn serve(config: config::Config) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("the runtime cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(diamond_server::serve(config)) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the server stops");
            ExitCode::FAILURE
        }
    }
}

fn start_log(section: &LogSection) -> Result<(), String> {
    let filter = EnvFilter::try_new(&section.filter)
        .map_err(|error| format!("`log.filter` is not a filter: {error}"))?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match section.format {
        LogFormat::Text => subscriber.init(),
        LogFormat::Json => subscriber.json().init(),
    }
    Ok(())
}

fn print(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn complain(text: &str) {
    // Where not even standard error can be written there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{text}");
}
