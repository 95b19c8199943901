//! Signed checkpoints of the audit chain, and their way to the witnesses.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use diamond_domain::{
    Alarm, AlarmCode, AlarmSink as _, Checkpoint, InstallationId, NodeId, from_hex, to_hex,
};
use diamond_secrets::SigningKey;
use diamond_usage::{AuditHead, Witness, WitnessError};
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::{App, AppError, outbound::client};

/// How long a witness may take for one checkpoint.
const SEND_TIMEOUT: Duration = Duration::from_secs(20);
/// The longest pause before a witness that fails is tried again.
const PAUSE_MAX: Duration = Duration::from_secs(15);

/// What an operator set.
#[derive(Debug, Clone, Copy)]
pub struct WitnessSettings {
    /// How often a checkpoint is made, if there is something new.
    pub every: Duration,
    /// Whether keys stay when no witness has kept up for `lag_max`.
    pub required: bool,
    /// For how long an entry may be without a witness.
    pub lag_max: Duration,
    /// Whether a key leaves only when a witness has a checkpoint behind its entry.
    pub before_reveal: bool,
}

/// The witnesses of this node's audit chain.
pub struct Witnesses {
    installation: InstallationId,
    node: NodeId,
    key: SigningKey,
    settings: WitnessSettings,
    standing: Vec<Standing>,
    /// The furthest entry that some witness covers.
    covered: watch::Sender<u64>,
}

struct Standing {
    witness: Arc<dyn Witness>,
    state: Mutex<State>,
    /// Somebody waits for it.
    wanted: Notify,
}

#[derive(Debug, Clone, Default)]
struct State {
    /// Chain and sequence of the last checkpoint that it has.
    delivered: (u32, u64),
    delivered_at: Option<Timestamp>,
    /// Since when entries wait for it, in monotonic nanoseconds.
    behind_since: Option<u64>,
    trouble: Option<String>,
}

/// How a witness stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessView {
    /// Which.
    pub name: &'static str,
    /// The last entry that it covers, since this process began.
    pub sequence: Option<u64>,
    /// When it took its last checkpoint.
    pub delivered_at: Option<Timestamp>,
    /// For how long entries have waited for it.
    pub behind: Option<Duration>,
    /// Why.
    pub trouble: Option<String>,
}

impl Witnesses {
    /// Keeps these witnesses informed about the node's chain.
    #[must_use]
    pub fn new(
        installation: InstallationId,
        node: NodeId,
        key: SigningKey,
        settings: WitnessSettings,
        witnesses: Vec<Arc<dyn Witness>>,
    ) -> Self {
        let standing = witnesses.into_iter().map(|witness| Standing {
            witness,
            state: Mutex::default(),
            wanted: Notify::new(),
        });
        Self {
            installation,
            node,
            key,
            settings,
            standing: standing.collect(),
            covered: watch::channel(0).0,
        }
    }

    /// The key that checkpoints are checked with, hexadecimal.
    pub(crate) fn public_key(&self) -> String {
        to_hex(self.key.public_key())
    }

    pub(crate) const fn installation(&self) -> InstallationId {
        self.installation
    }

    /// The signed word that the chain reaches so far.
    fn sign(&self, chain: u32, head: &AuditHead, at: Timestamp) -> Checkpoint {
        let mut checkpoint = Checkpoint {
            installation: self.installation,
            node: self.node,
            chain,
            sequence: head.sequence,
            hash: to_hex(&head.hash),
            at,
            public_key: self.public_key(),
            signature: String::new(),
        };
        checkpoint.signature = to_hex(&self.key.sign(checkpoint.statement().as_bytes()));
        checkpoint
    }

    /// Whether the checkpoint was signed here and speaks of this node.
    pub(crate) fn is_own(&self, checkpoint: &Checkpoint) -> bool {
        let signed = from_hex(&checkpoint.signature).is_some_and(|signature| {
            self.key
                .signed(checkpoint.statement().as_bytes(), &signature)
        });
        signed && checkpoint.node == self.node && checkpoint.installation == self.installation
    }

    pub(crate) fn views(&self, now_nanos: u64) -> Vec<WitnessView> {
        let view = |standing: &Standing| {
            let state = standing.state.lock().clone();
            WitnessView {
                name: standing.witness.name(),
                sequence: state.delivered_at.map(|_| state.delivered.1),
                delivered_at: state.delivered_at,
                behind: state
                    .behind_since
                    .map(|since| Duration::from_nanos(now_nanos.saturating_sub(since))),
                trouble: state.trouble,
            }
        };
        self.standing.iter().map(view).collect()
    }

    /// Whether keys may leave, as far as the witnesses decide it.
    pub(crate) fn check(&self, now_nanos: u64) -> Result<(), AppError> {
        if !self.settings.required || self.standing.is_empty() {
            return Ok(());
        }
        let late = self.standing.iter().all(|standing| {
            let since = standing.state.lock().behind_since;
            since.is_some_and(|since| {
                Duration::from_nanos(now_nanos.saturating_sub(since)) > self.settings.lag_max
            })
        });
        if late { Err(unwitnessed()) } else { Ok(()) }
    }

    /// Waits until a witness covers the entry, when that is asked for.
    pub(crate) async fn reach(&self, sequence: u64) -> Result<(), AppError> {
        if !self.settings.before_reveal || self.standing.is_empty() {
            return Ok(());
        }
        let mut covered = self.covered.subscribe();
        for standing in &self.standing {
            standing.wanted.notify_one();
        }
        let reached = covered.wait_for(|covered| *covered >= sequence);
        match tokio::time::timeout(self.settings.lag_max, reached).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(unwitnessed()),
        }
    }

    /// What the witnesses that can be asked say of this node's chain.
    pub(crate) async fn testimony(&self) -> Vec<Checkpoint> {
        let mut last = Vec::new();
        for standing in &self.standing {
            match standing.witness.last(self.node).await {
                Ok(Some(checkpoint)) if self.is_own(&checkpoint) => last.push(checkpoint),
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "a witness cannot be asked"),
            }
        }
        last
    }
}

fn unwitnessed() -> AppError {
    AppError::unavailable(
        "audit_unwritable",
        "the witness of the audit log cannot be reached, so no key is handed out: try again later",
        "no witness kept up within `audit.witness_lag_seconds_max`",
    )
}

impl App {
    /// Starts telling the witnesses.
    pub(crate) fn start_witnesses(&self, stop: &CancellationToken) {
        for place in 0..self.parts().witnesses.standing.len() {
            let task = tell(self.clone(), place, stop.clone());
            self.parts().tasks.spawn(task);
        }
    }
}

/// Tells one witness how far the chain has come, in order, until it has it.
async fn tell(app: App, place: usize, stop: CancellationToken) {
    let witnesses = &app.parts().witnesses;
    let Some(standing) = witnesses.standing.get(place) else {
        return;
    };
    let every = witnesses.settings.every;
    let mut pause = every;
    loop {
        let wanted = standing.wanted.notified();
        let stopping = tokio::select! {
            () = tokio::time::sleep(pause) => false,
            () = wanted => false,
            () = stop.cancelled() => true,
        };
        match tell_once(&app, standing).await {
            Ok(()) => pause = every,
            Err(error) => {
                pause = (pause * 2).min(PAUSE_MAX.max(every));
                standing.state.lock().trouble = Some(error.to_string());
                app.parts().alarms.raise(Alarm {
                    code: AlarmCode::WitnessUnreachable,
                    tenant: None,
                    subject: standing.witness.name().to_owned(),
                    detail: format!(
                        "the audit log goes on without this witness ({error}); with \
                         `audit.witness_required` no key is handed out once it lags too far"
                    ),
                });
            }
        }
        if stopping {
            return;
        }
    }
}

async fn tell_once(app: &App, standing: &Standing) -> Result<(), WitnessError> {
    let parts = app.parts();
    // A chain that does not hold is not vouched for.
    if !app.chain_holds() {
        return Ok(());
    }
    let (chain, head) = (parts.audit.chain(), parts.audit.head());
    let delivered = standing.state.lock().delivered;
    if (chain, head.sequence) <= delivered {
        return Ok(());
    }
    // From here on it lags, also if it never answers.
    let begun = parts.clock.monotonic_nanos();
    standing.state.lock().behind_since.get_or_insert(begun);
    let checkpoint = parts.witnesses.sign(chain, &head, parts.clock.now());
    let sent = tokio::time::timeout(SEND_TIMEOUT, standing.witness.send(&checkpoint)).await;
    sent.map_err(|_| WitnessError("it does not answer in time".to_owned()))??;
    *standing.state.lock() = State {
        delivered: (chain, head.sequence),
        delivered_at: Some(checkpoint.at),
        behind_since: None,
        trouble: None,
    };
    parts.witnesses.covered.send_if_modified(|covered| {
        let further = head.sequence > *covered;
        *covered = head.sequence.max(*covered);
        further
    });
    Ok(())
}

/// A service that takes each checkpoint as the JSON body of a POST. The header
/// `x-diamond-signature` signs the body: `ed25519=` and the signature, hexadecimal, by the same key
/// that signs the checkpoint.
pub struct WebhookWitness {
    client: reqwest::Client,
    url: String,
    key: SigningKey,
}

impl WebhookWitness {
    /// A witness at this address; besides the machine's authorities, those whose certificates are
    /// given (DER) are trusted.
    ///
    /// # Errors
    /// When the TLS roots of the system or the given ones cannot be read.
    pub fn new(
        url: String,
        key: SigningKey,
        authorities: &[impl AsRef<[u8]>],
    ) -> Result<Self, reqwest::Error> {
        let client = client(SEND_TIMEOUT, authorities)?;
        Ok(Self { client, url, key })
    }
}

#[async_trait]
impl Witness for WebhookWitness {
    fn name(&self) -> &'static str {
        "webhook"
    }

    async fn send(&self, checkpoint: &Checkpoint) -> Result<(), WitnessError> {
        let body =
            serde_json::to_vec(checkpoint).map_err(|error| WitnessError(error.to_string()))?;
        let signature = format!("ed25519={}", to_hex(&self.key.sign(&body)));
        let request = self
            .client
            .post(&self.url)
            .header("content-type", "application/json")
            .header("x-diamond-signature", signature)
            .body(body);
        let answer = request
            .send()
            .await
            .map_err(|error| WitnessError(error.without_url().to_string()))?;
        if answer.status().is_success() {
            Ok(())
        } else {
            Err(WitnessError(format!("it answers {}", answer.status())))
        }
    }

    async fn last(&self, _: NodeId) -> Result<Option<Checkpoint>, WitnessError> {
        // It is told, never asked.
        Ok(None)
    }
}
