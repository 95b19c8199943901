//! What is reported of starts.

use anyhow::Context;
use serde::Serialize;

use crate::statistics::Spread;

/// One start.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Starting {
    /// From the start of the process until it said that it was ready.
    pub ready_ms: f64,
    /// From the start of the process until it handed out its first key, where there is one.
    pub first_key_ms: Option<f64>,
    /// What of the processors it had used by then.
    pub cpu_ms: f64,
    /// What it held in memory when it had been idle for a while.
    pub idle_mib: f64,
    /// The most it ever held.
    pub peak_mib: f64,
}

/// All starts.
#[derive(Debug, Serialize)]
pub struct StartReport {
    pub targets: Vec<StartTarget>,
    /// What was compared, and held.
    pub checks: Vec<String>,
}

/// The starts of one program on one folder.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StartTarget {
    pub name: String,
    pub ready_ms: Spread,
    pub first_key_ms: Option<Spread>,
    pub cpu_ms: Spread,
    pub idle_mib: Spread,
    pub peak_mib: Spread,
    pub runs: Vec<Starting>,
}

impl StartTarget {
    /// Sums up at least one start.
    pub fn new(name: String, runs: Vec<Starting>) -> anyhow::Result<Self> {
        let spread = |figure: fn(&Starting) -> f64| {
            Spread::of(runs.iter().map(figure)).context("there was no start")
        };
        Ok(Self {
            name,
            ready_ms: spread(|run| run.ready_ms)?,
            first_key_ms: Spread::of(runs.iter().filter_map(|run| run.first_key_ms)),
            cpu_ms: spread(|run| run.cpu_ms)?,
            idle_mib: spread(|run| run.idle_mib)?,
            peak_mib: spread(|run| run.peak_mib)?,
            runs,
        })
    }
}
