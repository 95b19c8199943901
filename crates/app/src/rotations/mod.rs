//! The life of keys: made, tested, promoted, let go of, ended at their providers, and all of it
//! again when one dies.
//!
//! A rotation is a row that says how far it is; each step is written down before the next, and
//! whoever comes after a crash goes on from there. What has to be ended at a provider is work of
//! its own, and so is letting go of a version that retires, whoever made it retire.

mod drain;
mod ends;
mod engine;
mod management;
mod mint;
mod names;
mod repair;
mod schedule;
mod sweep;
mod view;

use std::{collections::HashSet, sync::Arc, time::Duration};

use diamond_db::Db;
use diamond_domain::{
    Alarm, AlarmCode, AlarmSink as _, Clock, InstallationId, NodeId, RequestId, RotationId,
    SecretName, SecretVersion, ServiceId,
};
use diamond_keyring::Keyring;
use diamond_providers::Registry;
use diamond_secrets::SecretStore;
use diamond_usage::{AuditAction, AuditDraft, AuditOutcome, AuditSink};
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

pub use sweep::{SweepReport, SweptKey};
pub use view::{RotateAll, RotationView};

use crate::{
    AlarmRecorder, AppError, Outbound, Snapshot, refusals::raise_unwritable, tokens::lifetime_end,
};

/// Figures that an operator may change.
#[derive(Debug, Clone)]
pub struct RotationSettings {
    /// After how long a key is replaced; `None` for never.
    pub age: Option<Duration>,
    /// How long before its own end a key is replaced.
    pub ahead_of_end: Duration,
    /// For how long a provider may not know a new key everywhere.
    pub propagation: Duration,
    /// After how long a version ends although somebody has not let go of it.
    pub drain_deadline: Duration,
    /// How many rotations one node works on at once.
    pub concurrency: usize,
    /// How often in a row a rotation may fail before it is given up.
    pub failures_max: u32,
    /// How many keys of a service may be replaced as dead in one window.
    pub breaker_max: u64,
    /// The window.
    pub breaker_window: Duration,
    /// How long a call waits for a new key.
    pub repair_wait: Duration,
    /// How often the providers' lists are compared with ours; `None` for never.
    pub sweep_every: Option<Duration>,
    /// The longest lease of a key.
    pub lease: Duration,
}

/// What rotations stand on.
pub struct RotationParts {
    /// Control state.
    pub db: Db,
    /// Values of keys.
    pub secrets: Arc<dyn SecretStore>,
    /// Keys in memory.
    pub keyring: Arc<Keyring>,
    /// Feeds it.
    pub snapshot: Arc<Snapshot>,
    /// What we know of the AI services.
    pub providers: Registry,
    /// Takes alarms.
    pub alarms: Arc<AlarmRecorder>,
    /// Who touched which key.
    pub audit: Arc<dyn AuditSink>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Keeps tasks from being forgotten at the end.
    pub tasks: TaskTracker,
    /// Part of every name at a provider.
    pub installation: InstallationId,
    /// Which node works here.
    pub node: NodeId,
    /// Figures.
    pub settings: RotationSettings,
}

/// Rotations, drains, repairs and sweeps. Cheap to clone.
#[derive(Clone)]
pub struct Rotations(Arc<Inner>);

struct Inner {
    parts: RotationParts,
    /// Sends management requests to the providers.
    outbound: Outbound,
    /// Rings when there may be something to do.
    news: Notify,
    /// Rings when a rotation got on.
    progress: Notify,
    /// Rotations that this process works on.
    working: Mutex<HashSet<RotationId>>,
    repairs: repair::Repairs,
    /// What this process has said of its drains.
    let_go: Mutex<HashSet<(SecretName, SecretVersion)>>,
    /// The versions that this process has said are held.
    held: Mutex<HashSet<(SecretName, SecretVersion)>>,
}

impl std::ops::Deref for Rotations {
    type Target = RotationParts;

    fn deref(&self) -> &RotationParts {
        &self.0.parts
    }
}

impl std::fmt::Debug for Rotations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rotations")
    }
}

impl Rotations {
    /// Nothing is worked on before the background work of the use cases begins.
    #[must_use]
    pub fn new(parts: RotationParts, outbound: Outbound) -> Self {
        Self(Arc::new(Inner {
            parts,
            outbound,
            news: Notify::new(),
            progress: Notify::new(),
            working: Mutex::default(),
            repairs: repair::Repairs::default(),
            let_go: Mutex::default(),
            held: Mutex::default(),
        }))
    }

    /// Something may be due now.
    pub(crate) fn ring(&self) {
        self.0.news.notify_one();
    }

    fn got_on(&self) {
        self.0.progress.notify_waiters();
    }

    fn later(&self, by: Duration) -> Timestamp {
        lifetime_end(self.clock.now(), by)
    }

    fn earlier(&self, by: Duration) -> Timestamp {
        self.clock.now().checked_sub(by).unwrap_or(Timestamp::MIN)
    }

    fn raise(&self, code: AlarmCode, name: &SecretName, detail: String) {
        self.alarms.raise(Alarm {
            code,
            tenant: name.tenant().cloned(),
            subject: name.to_string(),
            detail,
        });
    }

    /// The same about a service as a whole.
    fn raise_service(&self, code: AlarmCode, service: &ServiceId, detail: String) {
        self.alarms.raise(Alarm {
            code,
            tenant: None,
            subject: service.to_string(),
            detail,
        });
    }

    /// Whether the service has an API that lists keys.
    fn lists_keys(&self, service: &ServiceId) -> bool {
        let provider = self.providers.get(service);
        provider.is_some_and(|provider| {
            provider.management().is_some() && provider.descriptor().capabilities.list
        })
    }

    /// Whether nothing may be changed outside: this is what a backup brought back.
    async fn in_quarantine(&self) -> Result<bool, AppError> {
        let newest = diamond_db::restores::newest(&self.db).await?;
        Ok(newest.is_some_and(|restore| restore.released_at.is_none()))
    }

    /// Writes down what the system itself does to a key, before it does it.
    async fn record(
        &self,
        action: AuditAction,
        name: &SecretName,
        version: Option<SecretVersion>,
        detail: String,
    ) -> Result<(), AppError> {
        let at = self.clock.now();
        let draft = AuditDraft {
            at,
            action,
            outcome: AuditOutcome::Granted,
            request_id: RequestId::generate(at),
            token_id: None,
            address: None,
            tenant_id: name.tenant().cloned(),
            user_id: None,
            service: Some(name.service().clone()),
            version,
            purpose: None,
            detail: Some(detail),
            count: None,
        };
        if let Err(error) = self.audit.record(draft).await {
            raise_unwritable(&self.alarms);
            return Err(error.into());
        }
        Ok(())
    }
}

/// Whether a task's rounds fail: said when it begins, and not each time.
struct Rounds {
    task: &'static str,
    failing: bool,
}

impl Rounds {
    const fn of(task: &'static str) -> Self {
        Self {
            task,
            failing: false,
        }
    }

    /// Takes in how a round ended.
    fn ended(&mut self, outcome: Result<(), AppError>) {
        if let Err(error) = &outcome
            && !self.failing
        {
            tracing::warn!(task = self.task, error = %error, cause = ?error, "work on keys waits");
        }
        self.failing = outcome.is_err();
    }
}
