//! The processes of one scenario, fresh for it, and one measurement of one of them.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use serde::Serialize;

use crate::{
    checks,
    load::{Connection, Limit, Load, Pace, drive},
    process::Process,
    records::{self, Records},
    scenario::{Role, Scenario, Surface},
    server::Server,
    statistics::percentile,
};

/// How long after the last answer the process is still charged: work put off is work.
const SETTLING: Duration = Duration::from_millis(300);
/// How many requests are sent to see which records diamond-server writes for one.
const PROBES: u64 = 4;

/// Everything that runs for a scenario.
#[derive(Debug)]
pub struct Stage {
    pub scenario: Scenario,
    /// What diamond-server writes for a request, and its durable floor too.
    pub records: Records,
    targets: Vec<Target>,
    upstream: Arc<Process>,
    server: Server,
    audit_entries_before: u64,
    // Removed after the processes have ended.
    _floor_folder: tempfile::TempDir,
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

/// How each target is asked.
#[derive(Debug, Clone, Copy)]
pub struct Asking {
    pub connections: u16,
    pub pace: Pace,
    pub warm_up: Duration,
    pub time: Duration,
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
    pub first_byte_p50_us: f64,
    pub first_byte_p99_us: f64,
    pub cpu_us_per_request: f64,
    pub resident_mib: f64,
    pub peak_mib: f64,
}

impl Stage {
    /// Starts and sets up everything.
    pub async fn set(scenario: Scenario, program: &Path, dir: &Path) -> anyhow::Result<Self> {
        let upstream = Arc::new(Process::start_part(&["upstream"]).await?);
        let server = Server::start(program, dir, upstream.address()).await?;
        let audit_entries_before = checks::audit_entries(&server).await?;
        let mut subject = Target {
            role: Role::Subject,
            process: Arc::clone(&server.process),
            load: scenario.load(Role::Subject, &server.token)?,
            answered: 0,
        };
        subject.probe().await?;
        let records = records::of_requests(&server.data, scenario, subject.answered)?;

        let floor_folder = tempfile::Builder::new()
            .prefix("diamond-bench-floor-")
            .tempdir_in(dir)
            .with_context(|| format!("{} cannot hold a folder", dir.display()))?;
        let (floor, address) = (floor_of(scenario), upstream.address().to_string());
        let mut arguments = vec![floor];
        if scenario.surface() == Surface::Gateway {
            arguments.extend(["--upstream", &address]);
        }
        let bare = Arc::new(Process::start_part(&arguments).await?);
        let appending = records.arguments(floor_folder.path());
        arguments.extend(appending.iter().map(String::as_str));
        let durable = Arc::new(Process::start_part(&arguments).await?);

        let mut targets = Vec::new();
        for &role in scenario.roles() {
            let process = match role {
                Role::Direct => &upstream,
                Role::Floor => &bare,
                Role::DurableFloor => &durable,
                Role::Subject => continue,
            };
            targets.push(Target {
                role,
                process: Arc::clone(process),
                load: scenario.load(role, &server.token)?,
                answered: 0,
            });
        }
        targets.push(subject);
        Ok(Self {
            scenario,
            records,
            targets,
            upstream,
            server,
            audit_entries_before,
            _floor_folder: floor_folder,
        })
    }

    /// Measures one role's program once.
    pub async fn measure(&mut self, role: Role, asking: Asking) -> anyhow::Result<Measurement> {
        let target = self.targets.iter_mut().find(|target| target.role == role);
        let target = target.context("the scenario has no such role")?;
        let measured = target.measure(asking).await;
        measured.with_context(|| {
            let name = self.scenario.role_name(role);
            match role {
                Role::Subject => format!("{name} failed; its log: {}", self.server.log_tail()),
                _ => format!("{name} failed"),
            }
        })
    }

    /// Compares what was sent with what everybody else counted. Gives the sentences that hold.
    ///
    /// # Errors
    /// When one does not.
    pub async fn check(&self) -> anyhow::Result<Vec<String>> {
        // The two proxies use one key.
        let answered = |roles: &[Role]| -> u64 {
            let targets = self.targets.iter();
            let asked = targets.filter(|target| roles.contains(&target.role));
            asked.map(|target| target.answered).sum()
        };
        let subject = answered(&[Role::Subject]);
        let mut held = Vec::new();
        if self.scenario.surface() == Surface::Gateway {
            let floors = answered(&[Role::Floor, Role::DurableFloor]);
            let direct = answered(&[Role::Direct]);
            held.push(checks::provider(&self.upstream, subject, floors, direct).await?);
        }
        let facts = subject * self.scenario.facts_per_request() as u64;
        held.extend(match self.scenario.tokens() {
            None => checks::key(&self.server, self.audit_entries_before, facts).await?,
            Some(tokens) => checks::ledger(&self.server, facts, tokens).await?,
        });
        Ok(held)
    }
}

/// The part that is the scenario's floor.
fn floor_of(scenario: Scenario) -> &'static str {
    match scenario.surface() {
        Surface::Key => "floor-key",
        Surface::Gateway => "floor-proxy",
        Surface::Usage => "floor-usage",
    }
}

impl Target {
    async fn open(&self, connections: u16) -> anyhow::Result<Vec<Connection>> {
        let mut open = Vec::new();
        for _ in 0..connections {
            open.push(Connection::open(self.process.address()).await?);
        }
        Ok(open)
    }

    /// Sends a few requests one after the other.
    async fn probe(&mut self) -> anyhow::Result<()> {
        let open = self.open(1).await?;
        let limit = Limit::Requests(PROBES);
        let (_, sent) = drive(open, &self.load, Pace::Closed, limit).await?;
        self.answered += sent.requests();
        Ok(())
    }

    async fn measure(&mut self, asking: Asking) -> anyhow::Result<Measurement> {
        let open = self.open(asking.connections).await?;
        let warm_up = Limit::Time(asking.warm_up);
        let (open, warming) = drive(open, &self.load, asking.pace, warm_up).await?;
        self.answered += warming.requests();
        let before = self.process.usage()?;
        let limit = Limit::Time(asking.time);
        let (open, sent) = drive(open, &self.load, asking.pace, limit).await?;
        self.answered += sent.requests();
        tokio::time::sleep(SETTLING).await;
        let used = self.process.usage()?.since(before);
        let memory = self.process.memory()?;
        drop(open);
        let requests = sent.requests();
        let us = |times: &[u64], per_mille| {
            let time = percentile(times, per_mille).context("nothing was sent")?;
            anyhow::Ok(Duration::from_nanos(time).as_secs_f64() * 1e6)
        };
        Ok(Measurement {
            requests,
            seconds: sent.elapsed.as_secs_f64(),
            requests_per_second: requests as f64 / sent.elapsed.as_secs_f64(),
            p50_us: us(&sent.latencies_ns, 500)?,
            p99_us: us(&sent.latencies_ns, 990)?,
            p999_us: us(&sent.latencies_ns, 999)?,
            first_byte_p50_us: us(&sent.first_bytes_ns, 500)?,
            first_byte_p99_us: us(&sent.first_bytes_ns, 990)?,
            cpu_us_per_request: used.as_secs_f64() * 1e6 / requests as f64,
            resident_mib: memory.resident_mib,
            peak_mib: memory.peak_mib,
        })
    }
}
