//! What is reported.

pub mod markdown;
mod starts;

use anyhow::Context;
use serde::Serialize;

use crate::{
    machine::Machine,
    records::Records,
    scenario::{Role, Scenario},
    stage::Measurement,
    statistics::Spread,
};

pub use starts::{StartReport, StartTarget, Starting};

/// A whole session.
#[derive(Debug, Serialize)]
pub struct Report {
    pub machine: Machine,
    pub settings: Settings,
    pub scenarios: Vec<ScenarioReport>,
    pub starts: Option<StartReport>,
}

/// How it was measured.
#[derive(Debug, Serialize)]
pub struct Settings {
    pub server: String,
    pub seconds: u64,
    pub runs: u32,
    pub connections: u16,
    pub rate: u32,
}

/// One scenario.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScenarioReport {
    pub scenario: Scenario,
    pub title: &'static str,
    pub connections: u16,
    /// What diamond-server writes for a request, and its durable floor too.
    pub records: Records,
    pub targets: Vec<TargetReport>,
    /// diamond-server beside each of the others.
    pub comparisons: Vec<Comparison>,
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
    pub first_byte_p50_us: Spread,
    pub first_byte_p99_us: Spread,
    pub cpu_us_per_request: Spread,
    pub resident_mib: Spread,
}

/// diamond-server beside another, each run beside the other's run of the same round.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    pub against: Role,
    pub name: &'static str,
    /// Its processor time a request over the other's.
    pub cpu_over: Spread,
    /// The same as a difference, in microseconds.
    pub cpu_beyond_us: Spread,
    /// What it adds to the latencies, in microseconds.
    pub added_p50_us: Spread,
    pub added_p99_us: Spread,
    pub added_first_byte_p50_us: Spread,
    pub added_first_byte_p99_us: Spread,
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
            first_byte_p50_us: spread(|run| run.first_byte_p50_us)?,
            first_byte_p99_us: spread(|run| run.first_byte_p99_us)?,
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

impl Comparison {
    /// `None` when a figure of the other is zero: too short a run for the clock's ticks.
    fn of(subject: &TargetReport, other: &TargetReport) -> Option<Self> {
        let rounds = || subject.runs.iter().zip(&other.runs);
        let beyond = |figure: fn(&Measurement) -> f64| {
            Spread::of(rounds().map(|(subject, other)| figure(subject) - figure(other)))
        };
        Some(Self {
            against: other.role,
            name: other.name,
            cpu_over: Spread::of(
                rounds()
                    .map(|(subject, other)| subject.cpu_us_per_request / other.cpu_us_per_request),
            )?,
            cpu_beyond_us: beyond(|run| run.cpu_us_per_request)?,
            added_p50_us: beyond(|run| run.p50_us)?,
            added_p99_us: beyond(|run| run.p99_us)?,
            added_first_byte_p50_us: beyond(|run| run.first_byte_p50_us)?,
            added_first_byte_p99_us: beyond(|run| run.first_byte_p99_us)?,
        })
    }
}

impl ScenarioReport {
    /// Puts the subject beside each of the others.
    pub fn new(
        scenario: Scenario,
        connections: u16,
        records: Records,
        targets: Vec<TargetReport>,
        checks: Vec<String>,
    ) -> Self {
        let (subjects, others): (Vec<_>, Vec<_>) = targets
            .iter()
            .partition(|target| target.role == Role::Subject);
        let comparisons = subjects
            .first()
            .map(|subject| {
                let others = others.into_iter();
                others
                    .filter_map(|other| Comparison::of(subject, other))
                    .collect()
            })
            .unwrap_or_default();
        Self {
            scenario,
            title: scenario.title(),
            connections,
            records,
            targets,
            comparisons,
            checks,
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A scenario of two rounds in which only the processor time and the median matter.
    pub fn two_rounds(scenario: Scenario) -> ScenarioReport {
        let runs = |cpu: [f64; 2], p50_us: f64| {
            let run = |cpu_us_per_request| Measurement {
                requests: 30_000,
                seconds: 3.0,
                requests_per_second: 10_000.0,
                p50_us,
                p99_us: 1_234.4,
                p999_us: 20_000.0,
                first_byte_p50_us: p50_us,
                first_byte_p99_us: 1_000.0,
                cpu_us_per_request,
                resident_mib: 12.5,
                peak_mib: 13.0,
            };
            cpu.map(run).to_vec()
        };
        let target = |role: Role, cpu, p50_us| {
            TargetReport::new(role, scenario.role_name(role), runs(cpu, p50_us)).unwrap()
        };
        let targets = vec![
            target(Role::Floor, [10.0, 8.0], 500.0),
            target(Role::DurableFloor, [16.0, 16.0], 600.0),
            target(Role::Subject, [20.0, 20.0], 640.25),
        ];
        let records = Records {
            opened_bytes: 0,
            record_bytes: 333,
            records: 1,
        };
        let checks = vec!["everything was counted".into()];
        ScenarioReport::new(scenario, 64, records, targets, checks)
    }

    #[test]
    fn the_ratio_is_taken_round_by_round() {
        let report = two_rounds(Scenario::Key);
        let [bare, durable] = &report.comparisons[..] else {
            panic!("two others");
        };
        let ratio = bare.cpu_over;
        assert_eq!((ratio.median, ratio.min, ratio.max), (2.25, 2.0, 2.5));
        let beyond = bare.cpu_beyond_us;
        assert_eq!((beyond.median, beyond.min, beyond.max), (11.0, 10.0, 12.0));
        assert_eq!(durable.cpu_over.median, 1.25);
        assert_eq!(durable.added_p50_us.median, 40.25);
        assert_eq!(durable.against, Role::DurableFloor);
    }

    #[test]
    fn a_target_without_runs_is_an_error() {
        assert!(TargetReport::new(Role::Floor, "nobody", Vec::new()).is_err());
    }
}
