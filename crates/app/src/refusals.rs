//! Refusals in the audit chain, without letting a flood of them fill the disk.
//!
//! The first refusals of one kind (what was tried, why it was refused, token, address, tenant) in a
//! minute are an entry each; the rest of the minute is one entry that counts them. So are all kinds
//! beyond the most that are told apart in a minute.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

use diamond_domain::{Alarm, AlarmCode, AlarmSink, Clock, TenantId, TokenId};
use diamond_usage::{AuditAction, AuditDraft, AuditError, AuditSink, RefusalSink};
use parking_lot::Mutex;
use tokio_util::task::TaskTracker;

use crate::AlarmRecorder;

/// How long refusals of one kind are counted together.
const WINDOW: Duration = Duration::from_secs(60);
/// How many of one kind in a window are entries of their own.
const EACH_MAX: u64 = 3;
/// How many kinds are told apart in a window.
const KINDS_MAX: usize = 256;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Kind {
    action: AuditAction,
    code: Option<String>,
    token: Option<TokenId>,
    address: Option<IpAddr>,
    tenant: Option<TenantId>,
}

/// What is counted and not written yet.
struct Counted {
    written: u64,
    held: u64,
    latest: AuditDraft,
}

#[derive(Default)]
struct Window {
    began_nanos: u64,
    kinds: HashMap<Kind, Counted>,
}

/// Takes refusals from everywhere, and writes them to the audit chain. Cheap to clone.
#[derive(Clone)]
pub struct RefusalRecorder(Arc<Recorder>);

struct Recorder {
    audit: Arc<dyn AuditSink>,
    clock: Arc<dyn Clock>,
    alarms: Arc<AlarmRecorder>,
    tasks: TaskTracker,
    window: Mutex<Window>,
}

impl RefusalRecorder {
    /// Writes to this chain.
    #[must_use]
    pub fn new(
        audit: Arc<dyn AuditSink>,
        clock: Arc<dyn Clock>,
        alarms: Arc<AlarmRecorder>,
        tasks: TaskTracker,
    ) -> Self {
        Self(Arc::new(Recorder {
            audit,
            clock,
            alarms,
            tasks,
            window: Mutex::default(),
        }))
    }

    /// Writes a refusal down, or counts it; waits until what is written is durable.
    pub(crate) async fn record(&self, draft: AuditDraft) -> Result<(), AuditError> {
        match self.admit(draft) {
            Some(draft) => self.write(draft).await,
            None => Ok(()),
        }
    }

    /// Writes down what was counted in a window that is over, or, at the end, in any.
    pub(crate) async fn write_counted(&self, at_the_end: bool) -> Result<(), AuditError> {
        for draft in self.take_counted(at_the_end) {
            self.write(draft).await?;
        }
        Ok(())
    }

    async fn write(&self, draft: AuditDraft) -> Result<(), AuditError> {
        let written = self.0.audit.record(draft).await;
        if written.is_err() {
            raise_unwritable(&self.0.alarms);
        }
        written.map(drop)
    }

    /// The refusal, if it is an entry of its own.
    fn admit(&self, draft: AuditDraft) -> Option<AuditDraft> {
        let mut kind = Kind {
            action: draft.action,
            code: draft.detail.clone(),
            token: draft.token_id,
            address: draft.address.map(network),
            tenant: draft.tenant_id.clone(),
        };
        metrics::counter!("diamond_refusals_total").increment(1);
        let mut window = self.0.window.lock();
        if window.kinds.is_empty() {
            window.began_nanos = self.0.clock.monotonic_nanos();
        }
        if window.kinds.len() >= KINDS_MAX && !window.kinds.contains_key(&kind) {
            kind = Kind {
                action: draft.action,
                code: Some("others".to_owned()),
                token: None,
                address: None,
                tenant: None,
            };
            let counted = window.kinds.entry(kind).or_insert_with(|| Counted {
                // None of them is an entry of its own.
                written: EACH_MAX,
                held: 0,
                latest: AuditDraft {
                    token_id: None,
                    address: None,
                    tenant_id: None,
                    user_id: None,
                    service: None,
                    version: None,
                    purpose: None,
                    detail: Some("others: too many kinds of refusal in a minute".to_owned()),
                    ..draft.clone()
                },
            });
            counted.held += 1;
            counted.latest.at = draft.at;
            return None;
        }
        let counted = window.kinds.entry(kind).or_insert_with(|| Counted {
            written: 0,
            held: 0,
            latest: draft.clone(),
        });
        if counted.written < EACH_MAX {
            counted.written += 1;
            return Some(draft);
        }
        counted.held += 1;
        counted.latest = draft;
        None
    }

    fn take_counted(&self, at_the_end: bool) -> Vec<AuditDraft> {
        let mut window = self.0.window.lock();
        let age = self
            .0
            .clock
            .monotonic_nanos()
            .saturating_sub(window.began_nanos);
        if !at_the_end && Duration::from_nanos(age) < WINDOW {
            return Vec::new();
        }
        let counted = std::mem::take(&mut window.kinds).into_values();
        counted
            .filter(|counted| counted.held > 0)
            .map(|counted| AuditDraft {
                count: Some(counted.held),
                ..counted.latest
            })
            .collect()
    }
}

impl RefusalSink for RefusalRecorder {
    fn refused(&self, draft: AuditDraft) {
        if let Some(draft) = self.admit(draft) {
            let recorder = self.clone();
            self.0.tasks.spawn(async move {
                if let Err(error) = recorder.write(draft).await {
                    tracing::error!(%error, "a refusal is not in the audit chain");
                }
            });
        }
    }
}

/// Whoever has an IPv6 address has 2⁶⁴ of them.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()
        }
        address => address,
    }
}

/// Says that the chain cannot be written.
pub(crate) fn raise_unwritable(alarms: &AlarmRecorder) {
    alarms.raise(Alarm {
        code: AlarmCode::JournalUnwritable,
        tenant: None,
        subject: "audit".into(),
        detail: "the audit log cannot be written: keys are not handed out and nothing is \
                 administered until it can"
            .into(),
    });
}
