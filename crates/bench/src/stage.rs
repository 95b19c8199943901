//! The processes of one scenario, fresh for it, and one measurement of one of them.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use serde::Serialize;

use crate::{
    checks,
    load::{Connection, Load, drive},
    process::Process,
    scenario::{Role, Scenario},
    server::Server,
    statistics::percentile,
};

/// How long each target is warmed before each measurement.
const WARM_UP: Duration = Duration::from_millis(500);
/// How long after the last answer the process is still charged: work put off is work.
const SETTLING: Duration = Duration::from_millis(300);

/// Everything that runs for a scenario.
#[derive(Debug)]
pub struct Stage {
    pub scenario: Scenario,
    targets: Vec<Target>,
    upstream: Arc<Process>,
    server: Server,
    audit_entries_before: u64,
}

/// One program, and the load that it gets.
#[derive(Debug)]
struct Target {
    role: Role,
    process: Arc<Process>,
    load: Arc<Load>,
    /// Requests answered as expected, the warming ones too.
    answered: u64,
}

/// One run of one target.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Measurement {
    pub requests: u64,
    pub seconds: f64,
    pub requests_per_second: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    pub p999_us: f64,
    pub cpu_us_per_request: f64,
    pub resident_mib: f64,
    pub peak_mib: f64,
}

impl Stage {
    /// Starts and sets up everything.
    pub async fn set(scenario: Scenario, program: &Path, dir: &Path) -> anyhow::Result<Self> {
        let upstream = Arc::new(Process::start_part(&["upstream"]).await?);
        let address = upstream.address();
        let floor = Arc::new(match scenario {
            Scenario::Key => Process::start_part(&["floor-key"]).await?,
            Scenario::Gateway | Scenario::GatewaySse => {
                Process::start_part(&["floor-proxy", "--upstream", &address.to_string()]).await?
            }
        });
        let server = Server::start(program, dir, address).await?;
        let mut targets = Vec::new();
        for &role in scenario.roles() {
            let process = match role {
                Role::Direct => &upstream,
                Role::Floor => &floor,
                Role::Subject => &server.process,
            };
            targets.push(Target {
                role,
                process: Arc::clone(process),
                load: scenario.load(role, &server.token)?,
                answered: 0,
            });
        }
        let audit_entries_before = checks::audit_entries(&server).await?;
        Ok(Self {
            scenario,
            targets,
            upstream,
            server,
            audit_entries_before,
        })
    }

    /// Measures one role's program once.
    pub async fn measure(
        &mut self,
        role: Role,
        connections: u16,
        time: Duration,
    ) -> anyhow::Result<Measurement> {
        let target = self.targets.iter_mut().find(|target| target.role == role);
        let target = target.context("the scenario has no such role")?;
        let measured = target.measure(connections, time).await;
        measured.with_context(|| {
            let name = self.scenario.role_name(role);
            match role {
                Role::Subject => format!("{name} failed; its log: {}", self.server.log_tail()),
                Role::Direct | Role::Floor => format!("{name} failed"),
            }
        })
    }

    /// Compares what was sent with what everybody else counted. Gives the sentences that hold.
    ///
    /// # Errors
    /// When one does not.
    pub async fn check(&self) -> anyhow::Result<Vec<String>> {
        let answered = |role| {
            self.targets
                .iter()
                .filter(|target| target.role == role)
                .map(|target| target.answered)
                .sum()
        };
        match self.scenario.tokens() {
            None => {
                let handed_out: u64 = answered(Role::Subject);
                checks::key(&self.server, self.audit_entries_before, handed_out).await
            }
            Some(tokens) => {
                checks::provider(&self.upstream, answered).await?;
                checks::gateway(&self.server, answered(Role::Subject), tokens).await
            }
        }
    }
}

impl Target {
    async fn measure(&mut self, connections: u16, time: Duration) -> anyhow::Result<Measurement> {
        let mut open = Vec::new();
        for _ in 0..connections {
            open.push(Connection::open(self.process.address()).await?);
        }
        let (open, warming) = drive(open, &self.load, WARM_UP).await?;
        self.answered += warming.requests();
        let before = self.process.usage()?;
        let (open, sent) = drive(open, &self.load, time).await?;
        self.answered += sent.requests();
        tokio::time::sleep(SETTLING).await;
        let used = self.process.usage()?.since(before);
        let memory = self.process.memory()?;
        drop(open);
        let requests = sent.requests();
        let latency_us = |per_mille| {
            let latency = percentile(&sent.latencies_ns, per_mille).context("nothing was sent")?;
            anyhow::Ok(Duration::from_nanos(latency).as_secs_f64() * 1e6)
        };
        Ok(Measurement {
            requests,
            seconds: sent.elapsed.as_secs_f64(),
            requests_per_second: requests as f64 / sent.elapsed.as_secs_f64(),
            p50_us: latency_us(500)?,
            p99_us: latency_us(990)?,
            p999_us: latency_us(999)?,
            cpu_us_per_request: used.as_secs_f64() * 1e6 / requests as f64,
            resident_mib: memory.resident_mib,
            peak_mib: memory.peak_mib,
        })
    }
}
