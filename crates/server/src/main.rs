//! The program: reads the command line and the settings, then serves until it is told to stop.

use std::{
    io::{IsTerminal, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use diamond_secrets::{MasterKeyError, SecretError};
use diamond_server::{
    Restored,
    config::{self, LogFormat, LogSection},
};
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
        /// `development` or `production`.
        #[arg(long, value_name = "NAME")]
        profile: Option<String>,
        /// Read the passphrase of the master key from standard input.
        #[arg(long)]
        passphrase_stdin: bool,
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
    /// Bring a backup back, into an empty data folder and an empty database.
    Restore {
        /// The archive that `diamond admin backup` wrote.
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
        /// A file with settings (see `config`).
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Where the embedded stores will live.
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
    /// Prove that a backup is whole, without bringing it back.
    #[command(name = "backup:verify")]
    BackupVerify {
        /// The archive.
        #[arg(value_name = "FILE")]
        archive: PathBuf,
    },
}

/// The exit status of wrong settings or arguments.
const MISCONFIGURED: u8 = 2;
/// The exit status when the master key or passphrase is missing or not the right one: starting again
/// changes nothing.
const SEALED: u8 = 3;

fn is_sealed(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.is::<MasterKeyError>()
            || matches!(
                cause.downcast_ref(),
                Some(SecretError::WrongMasterKey { .. })
            )
    })
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Config { markdown: false } => print(config::DEFAULT_FILE),
        Command::Config { markdown: true } => print(&config::reference()),
        Command::Openapi => print(&diamond_api::openapi_json()),
        Command::BackupVerify { archive } => {
            told(diamond_server::check_backup(&archive).map_err(|error| (error, ExitCode::FAILURE)))
        }
        Command::Restore {
            from,
            config,
            data_dir,
        } => {
            let mut overrides = Vec::new();
            if let Some(dir) = data_dir {
                overrides.push(("server.data_dir", dir.to_string_lossy().into_owned().into()));
            }
            match settings(config.as_deref(), &overrides) {
                Ok(config) => told(restore(&from, &config)),
                Err(misconfigured) => misconfigured,
            }
        }
        Command::Serve {
            config,
            data_dir,
            listen,
            behind_proxy,
            profile,
            passphrase_stdin,
        } => {
            let mut overrides = Vec::new();
            if let Some(dir) = data_dir {
                overrides.push(("server.data_dir", dir.to_string_lossy().into_owned().into()));
            }
            if let Some(listen) = listen {
                overrides.push(("server.listen", listen.to_string().into()));
            }
            if let Some(profile) = profile {
                overrides.push(("server.profile", profile.into()));
            }
            if passphrase_stdin {
                overrides.push(("secrets.passphrase", "stdin".into()));
            }
            if behind_proxy {
                overrides.push(("server.behind_proxy", true.into()));
            }
            match settings(config.as_deref(), &overrides) {
                Ok(config) => serve(config),
                Err(misconfigured) => misconfigured,
            }
        }
    }
}

/// Reads the settings and starts the log.
fn settings(
    file: Option<&Path>,
    overrides: &[(&str, figment::value::Value)],
) -> Result<config::Config, ExitCode> {
    let config = config::load(file, overrides).map_err(|error| {
        complain(&format!("the settings cannot be used:\n{error}"));
        ExitCode::from(MISCONFIGURED)
    })?;
    start_log(&config.log).map_err(|fault| {
        complain(&fault);
        ExitCode::from(MISCONFIGURED)
    })?;
    Ok(config)
}

fn restore(from: &Path, config: &config::Config) -> Result<Restored, (anyhow::Error, ExitCode)> {
    let hardening = diamond_server::harden(config.server.profile);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| (error.into(), ExitCode::FAILURE))?;
    let restored = runtime.block_on(diamond_server::restore(from, config, &hardening));
    restored.map_err(|error| {
        let sealed = is_sealed(&error);
        let status = if sealed {
            ExitCode::from(SEALED)
        } else {
            ExitCode::FAILURE
        };
        (error, status)
    })
}

fn told(outcome: Result<Restored, (anyhow::Error, ExitCode)>) -> ExitCode {
    match outcome {
        Ok(restored) => print(&(restored.lines.join("\n") + "\n")),
        Err((error, status)) => {
            complain(&format!("error: {error:#}"));
            status
        }
    }
}

fn serve(config: config::Config) -> ExitCode {
    // Before there is a secret in memory, and before there are other threads.
    let hardening = diamond_server::harden(config.server.profile);
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
    match runtime.block_on(diamond_server::serve(config, &hardening)) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the server stops");
            if is_sealed(&error) {
                ExitCode::from(SEALED)
            } else {
                ExitCode::FAILURE
            }
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
