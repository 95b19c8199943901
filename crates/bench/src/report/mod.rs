//! What is reported.

pub mod markdown;

use anyhow::Context;
use serde::Serialize;

use crate::{
    machine::Machine,
    scenario::{Role, Scenario},
    stage::Measurement,
    statistics::Spread,
};

/// A whole session.
#[derive(Debug, Serialize)]
pub struct Report {
    pub machine: Machine,
    pub settings: Settings,
    pub scenarios: Vec<ScenarioReport>,
}

/// How it was measured.
#[derive(Debug, Serialize)]
pub struct Settings {
    pub server: String,
    pub seconds: u64,
    pub runs: u32,
    pub connections: u16,
}

/// One scenario.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScenarioReport {
    pub scenario: Scenario,
    pub title: &'static str,
    pub targets: Vec<TargetReport>,
    /// diamond-server's processor time a request over the floor's, run by run.
    pub cpu_over_floor: Option<Spread>,
    /// What diamond-server spends on a request beyond the floor, in microseconds, run by run.
    pub cpu_beyond_floor_us: Option<Spread>,
    /// What was compared after the runs, and held.
    pub checks: Vec<String>,
}

/// One program in one scenario.
#[derive(Debug, Serialize)]
pub struct TargetReport {
    pub role: Role,
    pub name: &'static str,
    pub summary: Summary,
    pub runs: Vec<Measurement>,
}

/// Its runs together.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    pub requests_per_second: Spread,
    pub p50_us: Spread,
    pub p99_us: Spread,
    pub p999_us: Spread,
    pub cpu_us_per_request: Spread,
    pub resident_mib: Spread,
}

impl TargetReport {
    /// Sums up at least one run.
    pub fn new(role: Role, name: &'static str, runs: Vec<Measurement>) -> anyhow::Result<Self> {
        let spread = |figure: fn(&Measurement) -> f64| {
            Spread::of(runs.iter().map(figure)).context("there was no run with a figure")
        };
        let summary = Summary {
            requests_per_second: spread(|run| run.requests_per_second)?,
            p50_us: spread(|run| run.p50_us)?,
            p99_us: spread(|run| run.p99_us)?,
            p999_us: spread(|run| run.p999_us)?,
            cpu_us_per_request: spread(|run| run.cpu_us_per_request)?,
            resident_mib: spread(|run| run.resident_mib)?,
        };
        Ok(Self {
            role,
            name,
            summary,
            runs,
        })
    }
}

impl ScenarioReport {
    /// Puts the subject beside its floor, each run beside the floor's run of the same round.
    pub fn new(scenario: Scenario, targets: Vec<TargetReport>, checks: Vec<String>) -> Self {
        let cpu = |role: Role| {
            let runs = targets.iter().filter(move |target| target.role == role);
            runs.flat_map(|target| &target.runs)
                .map(|run| run.cpu_us_per_request)
        };
        let pairs = || cpu(Role::Subject).zip(cpu(Role::Floor));
        let cpu_over_floor = Spread::of(pairs().map(|(subject, floor)| subject / floor));
        let cpu_beyond_floor_us = Spread::of(pairs().map(|(subject, floor)| subject - floor));
        let title = scenario.title();
        Self {
            scenario,
            title,
            targets,
            cpu_over_floor,
            cpu_beyond_floor_us,
            checks,
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A scenario of two rounds in which only the processor time matters.
    pub fn two_rounds() -> ScenarioReport {
        let runs = |cpu: [f64; 2]| {
            let run = |cpu_us_per_request| Measurement {
                requests: 30_000,
                seconds: 3.0,
                requests_per_second: 10_000.0,
                p50_us: 640.25,
                p99_us: 1_234.4,
                p999_us: 20_000.0,
                cpu_us_per_request,
                resident_mib: 12.5,
                peak_mib: 13.0,
            };
            cpu.map(run).to_vec()
        };
        let target = |role: Role, cpu| {
            TargetReport::new(role, Scenario::Key.role_name(role), runs(cpu)).unwrap()
        };
        let targets = vec![
            target(Role::Floor, [10.0, 8.0]),
            target(Role::Subject, [20.0, 20.0]),
        ];
        ScenarioReport::new(
            Scenario::Key,
            targets,
            vec!["everything was counted".into()],
        )
    }

    #[test]
    fn the_ratio_is_taken_round_by_round() {
        let report = two_rounds();
        let ratio = report.cpu_over_floor.unwrap();
        assert_eq!((ratio.median, ratio.min, ratio.max), (2.25, 2.0, 2.5));
        let beyond = report.cpu_beyond_floor_us.unwrap();
        assert_eq!((beyond.median, beyond.min, beyond.max), (11.0, 10.0, 12.0));
    }

    #[test]
    fn a_target_without_runs_is_an_error() {
        assert!(TargetReport::new(Role::Floor, "nobody", Vec::new()).is_err());
    }
}
