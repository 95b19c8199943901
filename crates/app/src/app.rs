//! What the use cases stand on.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use diamond_admission::{Admission, Caller};
use diamond_billing::Overheads;
use diamond_db::Db;
use diamond_domain::{
    Alarm, AlarmCode, AlarmSink, Clock, NodeId, RevocationId, SecretName, SecretVersion,
};
use diamond_keyring::{Keyring, PinnedKey};
use diamond_pricing::Catalog;
use diamond_providers::Registry;
use diamond_secrets::{Custody, SecretStore};
use diamond_usage::{AuditSink, EventSink, UsageReader};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    AlarmRecorder, AppError, Backups, DatabaseWatch, DefaultBudget, Directory, KeyTagger, Outbound,
    RefusalRecorder, Rotations, SealFacts, Snapshot, Witnesses,
};

/// Figures that an operator may change.
#[derive(Debug, Clone)]
pub struct AppSettings {
    /// How long a key that was handed out may be used before it is fetched again.
    pub lease: Duration,
    /// How long a token lives when its maker does not say.
    pub token_lifetime: Duration,
    /// How old the in-memory tables may be before the server calls itself unready.
    pub snapshot_staleness: Duration,
    /// What goes on top of direct cost.
    pub overheads: Overheads,
    /// The budget of a new tenant; `None` for none.
    pub default_budget: Option<DefaultBudget>,
    /// How often what was spent is read from the ledger again.
    pub budgets_reread: Duration,
}

/// Everything that the use cases stand on, chosen by the wiring.
pub struct AppParts {
    /// Control state.
    pub db: Db,
    /// Values of keys.
    pub secrets: Arc<dyn SecretStore>,
    /// Finds the same value under two names.
    pub key_tagger: KeyTagger,
    /// The master key above them.
    pub custody: Arc<dyn Custody>,
    /// What the wiring knows of the master key's surroundings.
    pub seal: SealFacts,
    /// Rings when a change of the master key has begun.
    pub custody_news: Arc<Notify>,
    /// Tokens, policies, budgets in memory.
    pub admission: Arc<Admission>,
    /// Keys in memory.
    pub keyring: Arc<Keyring>,
    /// Where events go in.
    pub sink: Arc<dyn EventSink>,
    /// Where questions about events are answered.
    pub reader: Arc<dyn UsageReader>,
    /// Who touched which key.
    pub audit: Arc<dyn AuditSink>,
    /// Who keeps checkpoints of the audit chain.
    pub witnesses: Witnesses,
    /// Who was refused what.
    pub refusals: RefusalRecorder,
    /// Which node this is: each has an audit chain of its own.
    pub node: NodeId,
    /// Prices.
    pub catalog: Arc<Catalog>,
    /// What we know of the AI services.
    pub providers: Registry,
    /// Where each of them comes from.
    pub directory: Directory,
    /// Sends management requests to them.
    pub outbound: Outbound,
    /// Takes alarms and writes them down.
    pub alarms: Arc<AlarmRecorder>,
    /// Feeds `admission` and `keyring` from `db`.
    pub snapshot: Arc<Snapshot>,
    /// Makes, replaces and ends keys.
    pub rotations: Rotations,
    /// Makes backups.
    pub backups: Arc<dyn Backups>,
    /// Keeps tasks from being forgotten at the end.
    pub tasks: TaskTracker,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Figures.
    pub settings: AppSettings,
}

/// The use cases. Cheap to clone.
#[derive(Clone)]
pub struct App {
    parts: Arc<AppParts>,
    /// Versions that this process has marked as revealed.
    revealed: Arc<Mutex<HashSet<(SecretName, SecretVersion)>>>,
    /// Whether the control database answers.
    database: Arc<DatabaseWatch>,
    /// Whether the audit chain was seen to hold: only then is it vouched for.
    chain_holds: Arc<AtomicBool>,
    /// Nodes whose silence about a revocation this process has raised.
    missing: Arc<Mutex<HashSet<(RevocationId, NodeId)>>>,
    /// When what was spent was last read for all budgets, in monotonic nanoseconds.
    budgets_read_at: Arc<Mutex<Option<u64>>>,
    /// Cancelled when another process serves as this node.
    superseded: CancellationToken,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("App")
    }
}

impl App {
    /// The use cases over these parts.
    #[must_use]
    pub fn new(parts: AppParts) -> Self {
        Self {
            parts: Arc::new(parts),
            revealed: Arc::default(),
            database: Arc::default(),
            chain_holds: Arc::default(),
            missing: Arc::default(),
            budgets_read_at: Arc::default(),
            superseded: CancellationToken::new(),
        }
    }

    /// Tokens, policies and budgets in memory.
    #[must_use]
    pub fn admission(&self) -> &Admission {
        &self.parts.admission
    }

    /// Finds out who presents this token.
    ///
    /// # Errors
    /// Why the token is not accepted.
    pub fn authenticate(
        &self,
        presented: Option<&str>,
        peer: std::net::IpAddr,
    ) -> Result<Caller, AppError> {
        Ok(self.parts.admission.authenticate(presented, peer)?)
    }

    /// Whether the control database answers.
    #[must_use]
    pub fn database(&self) -> &DatabaseWatch {
        &self.database
    }

    pub(crate) fn parts(&self) -> &AppParts {
        &self.parts
    }

    pub(crate) fn raise(&self, alarm: Alarm) {
        self.parts.alarms.raise(alarm);
    }

    /// Whether this is the first time that this process hands out the version.
    pub(crate) fn first_reveal(&self, key: &PinnedKey) -> bool {
        self.revealed
            .lock()
            .insert((key.name().clone(), key.version()))
    }

    pub(crate) fn chain_holds(&self) -> bool {
        self.chain_holds.load(Ordering::Acquire)
    }

    pub(crate) fn set_chain_holds(&self, holds: bool) {
        self.chain_holds.store(holds, Ordering::Release);
    }

    /// Whether this is the first time that the node is found missing.
    pub(crate) fn first_missing(&self, revocation: RevocationId, node: NodeId) -> bool {
        self.missing.lock().insert((revocation, node))
    }

    pub(crate) fn budgets_read_at(&self) -> &Mutex<Option<u64>> {
        &self.budgets_read_at
    }

    /// Resolves when another process has begun to serve as this node: a copy of its data folder.
    /// Two would write one chain and wait for each other's acknowledgements, so this one must stop.
    pub async fn superseded(&self) {
        self.superseded.cancelled().await;
    }

    /// Whether another process has begun to serve as this node.
    #[must_use]
    pub fn is_superseded(&self) -> bool {
        self.superseded.is_cancelled()
    }

    /// Says that another process serves as this node.
    pub(crate) fn supersede(&self) {
        let node = self.parts.node;
        tracing::error!(%node, "another process serves as this node");
        self.raise(Alarm {
            code: AlarmCode::NodeDoubled,
            tenant: None,
            subject: node.to_string(),
            detail: format!(
                "two processes served as the node {node}: one runs on a copy of the other's data \
                 folder. The one that began first stops. Keep one of the folders; start another \
                 node in an empty one"
            ),
        });
        self.superseded.cancel();
    }

    /// Makes a change that was just committed visible on this node, before the answer says so.
    pub(crate) async fn publish(&self) -> Result<(), AppError> {
        self.parts.snapshot.catch_up().await
    }
}
