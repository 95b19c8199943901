//! One whole benchmark: scenario after scenario, run after run, target after target.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    arguments::{Choice, RunArguments},
    machine::Machine,
    report::{Report, ScenarioReport, Settings, TargetReport, markdown},
    scenario::{Role, Scenario},
    stage::{Asking, Stage},
    start,
};

const SERVER: &str = "diamond-server";

/// Measures, checks and reports. Ctrl-C or SIGTERM ends it and every process that it started.
pub async fn run(arguments: &RunArguments) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be watched")?;
    tokio::select! {
        outcome = measure_all(arguments) => outcome,
        _ = tokio::signal::ctrl_c() => bail!("stopped before the end"),
        _ = terminate.recv() => bail!("stopped before the end"),
    }
}

async fn measure_all(arguments: &RunArguments) -> anyhow::Result<()> {
    let program = match &arguments.server {
        Some(path) => path.clone(),
        None => beside_this_program()?,
    };
    if !program.is_file() {
        bail!(
            "{} is not there; build it in the same profile (`cargo build --release -p {SERVER}`), \
             or name another with --server",
            program.display()
        );
    }
    let dir = arguments.dir.clone().unwrap_or_else(std::env::temp_dir);
    let (runs, time) = arguments.extent();
    let mut report = Report {
        machine: Machine::look(&dir)?,
        settings: Settings {
            server: program.display().to_string(),
            seconds: time.as_secs(),
            runs,
            connections: arguments.connections,
            rate: arguments.rate,
        },
        scenarios: Vec::new(),
        starts: None,
    };
    for scenario in Scenario::ALL {
        if arguments.chooses(Choice::Scenario(scenario)) {
            let measured = measure(scenario, arguments, &program, &dir).await;
            report
                .scenarios
                .push(measured.with_context(|| format!("scenario `{scenario}`"))?);
        }
    }
    if arguments.chooses(Choice::Start) {
        let starts = start::measure(arguments, &program, &dir).await;
        report.starts = Some(starts.context("`start`")?);
    }
    if let Some(file) = &arguments.json {
        let text = serde_json::to_string_pretty(&report)?;
        std::fs::write(file, text + "\n")
            .with_context(|| format!("{} cannot be written", file.display()))?;
    }
    let mut output = std::io::stdout().lock();
    markdown::write(&report, &mut output)?;
    output.flush()?;
    Ok(())
}

async fn measure(
    scenario: Scenario,
    arguments: &RunArguments,
    program: &Path,
    dir: &Path,
) -> anyhow::Result<ScenarioReport> {
    let (runs, time) = arguments.extent();
    let connections = scenario.connections(arguments.connections);
    let asking = Asking {
        connections,
        pace: scenario.pace(arguments.rate, connections),
        warm_up: scenario.warm_up(),
        time,
    };
    let mut stage = Stage::set(scenario, program, dir).await?;
    let mut roles: Vec<(Role, Vec<_>)> = scenario
        .roles()
        .iter()
        .map(|&role| (role, Vec::new()))
        .collect();
    for run in 1..=runs {
        for (role, measurements) in &mut roles {
            progress(&format!(
                "{scenario}: run {run} of {runs}, {}",
                scenario.role_name(*role)
            ));
            measurements.push(stage.measure(*role, asking).await?);
        }
        // Whoever came first comes last: a machine that drifts favours nobody.
        roles.rotate_left(1);
    }
    progress(&format!("{scenario}: checking that everything was counted"));
    let checks = stage.check().await?;
    roles.sort_by_key(|(role, _)| scenario.roles().iter().position(|known| known == role));
    let targets = roles
        .into_iter()
        .map(|(role, runs)| TargetReport::new(role, scenario.role_name(role), runs))
        .collect::<anyhow::Result<Vec<_>>>()?;
    Ok(ScenarioReport::new(
        scenario,
        connections,
        stage.records,
        targets,
        checks,
    ))
}

/// The server that was built together with this program.
fn beside_this_program() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("this program's own path is unknown")?;
    Ok(own.with_file_name(SERVER))
}

/// Says where the benchmark is.
pub fn progress(line: &str) {
    // Nobody measures less because nobody watches.
    let _ = writeln!(std::io::stderr(), "{line}");
}
