//! The command line.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum, builder::PossibleValue};

use crate::{parts::Appending, scenario::Scenario};

/// Figures of diamond-server beside bare floors, on this machine.
#[derive(Debug, Parser)]
#[command(name = "diamond-bench", version)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Measure, check, and print a Markdown table.
    Run(RunArguments),
    /// Fill a data folder, which the server has made and left, with a large installation.
    #[command(hide = true)]
    Generate {
        /// The data folder.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        #[command(flatten)]
        extent: InstallationExtent,
    },
    /// Play the AI provider.
    #[command(hide = true)]
    Upstream,
    /// Play the least server that answers a key.
    #[command(hide = true)]
    FloorKey(Appending),
    /// Play the least server that takes usage reports.
    #[command(hide = true)]
    FloorUsage(Appending),
    /// Play the least proxy that forwards a call.
    #[command(hide = true)]
    FloorProxy {
        /// Where the provider listens.
        #[arg(long, value_name = "ADDR")]
        upstream: SocketAddr,
        #[command(flatten)]
        appending: Appending,
    },
}

#[derive(Debug, Args)]
pub struct RunArguments {
    /// How long each target is measured in each run, in seconds.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub seconds: u64,
    /// How many runs; each visits every target once.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub runs: u32,
    /// How many keep-alive connections send, each one request at a time.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4000))]
    pub connections: u16,
    /// How many requests a second are sent where the rate is fixed.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rate: u32,
    #[command(flatten)]
    pub installation: InstallationExtent,
    /// How many events the journal has that a start reads.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000..=100_000_000))]
    pub events: u64,
    /// Two runs of one second instead: to see that everything works, not to compare.
    #[arg(long, conflicts_with_all = ["seconds", "runs"])]
    pub quick: bool,
    /// The server to measure; the `diamond-server` beside this program when absent.
    #[arg(long, value_name = "PATH")]
    pub server: Option<PathBuf>,
    /// Only this scenario; may be repeated.
    #[arg(long, value_name = "NAME", value_enum)]
    pub only: Vec<Choice>,
    /// Where the server's temporary data folder is made: the disk that it syncs to.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Write every single figure to this file as well.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// How large the generated installation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Args)]
pub struct InstallationExtent {
    /// How many tenants a large installation has, each with a token.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub tenants: u32,
    /// How many keys each of them has, each of another service.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=5))]
    pub keys_per_tenant: u32,
}

/// What can be measured: one of the scenarios, or how the server starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    Scenario(Scenario),
    Start,
}

impl ValueEnum for Choice {
    fn value_variants<'a>() -> &'a [Self] {
        const {
            let mut all = [Self::Start; Scenario::ALL.len() + 1];
            let mut place = 0;
            while place < Scenario::ALL.len() {
                all[place] = Self::Scenario(Scenario::ALL[place]);
                place += 1;
            }
            &{ all }
        }
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            Self::Scenario(scenario) => scenario.to_possible_value(),
            Self::Start => Some(PossibleValue::new("start")),
        }
    }
}

impl RunArguments {
    /// Whether this is to be measured.
    pub fn chooses(&self, choice: Choice) -> bool {
        self.only.is_empty() || self.only.contains(&choice)
    }

    /// How many runs, and how long each target is measured in each.
    pub fn extent(&self) -> (u32, Duration) {
        let (runs, seconds) = match self.quick {
            true => (2, 1),
            false => (self.runs, self.seconds),
        };
        (runs, Duration::from_secs(seconds))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn run_of(line: &str) -> RunArguments {
        match Arguments::try_parse_from(line.split(' ')).unwrap().command {
            Command::Run(run) => run,
            other => panic!("`{line}` is not a run: {other:?}"),
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_bare_run_is_five_of_three_seconds_from_64_connections() {
        let run = run_of("diamond-bench run");
        assert_eq!((run.seconds, run.runs, run.connections), (3, 5, 64));
        assert_eq!(run.extent(), (5, Duration::from_secs(3)));
        assert_eq!(run.rate, 2_000);
        assert!(run.only.is_empty() && run.server.is_none() && run.json.is_none());
        let quick = run_of("diamond-bench run --quick");
        assert_eq!(quick.extent(), (2, Duration::from_secs(1)));
    }

    #[test]
    fn scenarios_are_named_as_in_the_table() {
        let run = run_of("diamond-bench run --only key --only start --runs 2");
        assert_eq!(run.only, [Choice::Scenario(Scenario::Key), Choice::Start]);
        assert_eq!(run.runs, 2);
    }

    #[test]
    fn what_cannot_be_measured_is_refused() {
        for line in [
            "--runs 0",
            "--seconds 0",
            "--connections 0",
            "--only gatway",
            "--quick --runs 3",
        ] {
            let line = format!("diamond-bench run {line}");
            assert!(
                Arguments::try_parse_from(line.split(' ')).is_err(),
                "{line}"
            );
        }
    }

    #[test]
    fn the_parts_are_hidden_from_help() {
        let help = Arguments::command().render_long_help().to_string();
        assert!(
            help.contains("run") && !help.contains("floor-proxy"),
            "{help}"
        );
    }
}
