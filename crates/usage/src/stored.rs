//! A record of the usage journal.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | version of this layout |
//! | 1 | kind: 1 opened, 2 closed, 3 appended, 4 abandoned |
//! | 8 | ledger sequence (events only) |
//! | 8 | when it was taken, microseconds |
//! | 8 | time of the call, microseconds, rounded down |
//! | 8 | the user's code |
//! | 16 | event id |
//! | 16 | hash of (service, provider's request id) of a call; zero when there is none |
//! | 1, n | the tenant |
//! | rest | the event, or the opened call, as JSON without what stands before |
//!
//! All numbers little-endian. What stands before the JSON lets a reader pass over other tenants
//! and times, and the index be rebuilt, without looking inside.

use std::num::NonZeroU64;

use diamond_domain::{EventId, EventKind, OpenedCall, ServiceId, TenantId, UsageEvent, UserId};
use jiff::Timestamp;

use crate::{UserCode, dedup::Taken};

const VERSION: u8 = 1;
const FIXED_BYTES: usize = 67;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordKind {
    Opened,
    Closed,
    Appended,
    Abandoned,
}

impl RecordKind {
    const fn byte(self) -> u8 {
        match self {
            Self::Opened => 1,
            Self::Closed => 2,
            Self::Appended => 3,
            Self::Abandoned => 4,
        }
    }
}

/// A record, its JSON lent.
#[derive(Debug, Clone)]
pub(crate) struct StoredRecord<'a> {
    pub kind: RecordKind,
    pub sequence: u64,
    pub ingested_us: i64,
    pub timestamp_us: i64,
    pub user: UserCode,
    pub event: EventId,
    pub provider_call: u128,
    pub tenant: &'a str,
    pub json: &'a [u8],
}

/// A record is not one of ours.
#[derive(Debug, thiserror::Error)]
#[error("record of the usage journal: {0}")]
pub(crate) struct Malformed(pub String);

impl<'a> StoredRecord<'a> {
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(FIXED_BYTES + self.tenant.len() + self.json.len());
        out.extend_from_slice(&[VERSION, self.kind.byte()]);
        out.extend_from_slice(&self.sequence.to_le_bytes());
        out.extend_from_slice(&self.ingested_us.to_le_bytes());
        out.extend_from_slice(&self.timestamp_us.to_le_bytes());
        out.extend_from_slice(&self.user.0.to_le_bytes());
        out.extend_from_slice(&self.event.to_bits().to_le_bytes());
        out.extend_from_slice(&self.provider_call.to_le_bytes());
        // A tenant has at most 23 bytes.
        out.push(u8::try_from(self.tenant.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(self.tenant.as_bytes());
        out.extend_from_slice(self.json);
        out
    }

    pub(crate) fn read(record: &'a [u8]) -> Result<Self, Malformed> {
        let malformed = |what: &str| Malformed(what.to_owned());
        let (fixed, rest) = record
            .split_first_chunk::<FIXED_BYTES>()
            .ok_or_else(|| malformed("too short"))?;
        if fixed[0] != VERSION {
            return Err(malformed("written by another version"));
        }
        let kind = match fixed[1] {
            1 => RecordKind::Opened,
            2 => RecordKind::Closed,
            3 => RecordKind::Appended,
            4 => RecordKind::Abandoned,
            _ => return Err(malformed("unknown kind")),
        };
        let eight = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&fixed[at..at + 8]);
            bytes
        };
        let sixteen = |at: usize| {
            u128::from(u64::from_le_bytes(eight(at)))
                | u128::from(u64::from_le_bytes(eight(at + 8))) << 64
        };
        let (tenant, json) = rest
            .split_at_checked(usize::from(fixed[FIXED_BYTES - 1]))
            .ok_or_else(|| malformed("too short for its tenant"))?;
        Ok(Self {
            kind,
            sequence: u64::from_le_bytes(eight(2)),
            ingested_us: i64::from_le_bytes(eight(10)),
            timestamp_us: i64::from_le_bytes(eight(18)),
            user: UserCode(u64::from_le_bytes(eight(26))),
            event: EventId::from_bits(sixteen(34)),
            provider_call: sixteen(50),
            tenant: std::str::from_utf8(tenant).map_err(|_| malformed("its tenant is not text"))?,
            json,
        })
    }

    /// The event with everything in its place but the user's name, for which the code stands.
    pub(crate) fn to_event(&self) -> Result<UsageEvent, Malformed> {
        let mut event: UsageEvent =
            serde_json::from_slice(self.json).map_err(|error| Malformed(error.to_string()))?;
        event.ledger_sequence = Some(self.sequence);
        event.ingested_at = Timestamp::from_microsecond(self.ingested_us).ok();
        Ok(event)
    }

    pub(crate) fn to_opened_call(&self) -> Result<OpenedCall, Malformed> {
        serde_json::from_slice(self.json).map_err(|error| Malformed(error.to_string()))
    }
}

/// An event made ready to be stored: its JSON names no user and holds nothing that the ledger
/// gives, so that equal facts have equal bytes.
pub(crate) struct Prepared {
    pub event: EventId,
    pub tenant: TenantId,
    pub user: UserId,
    pub timestamp: Timestamp,
    pub provider_call: u128,
    pub content: u64,
    pub json: Vec<u8>,
}

impl Prepared {
    pub(crate) fn of(mut event: UsageEvent) -> Result<Self, Malformed> {
        let user = std::mem::replace(&mut event.user_id, UserId::unknown());
        event.ledger_sequence = None;
        event.ingested_at = None;
        let provider_call = match (&event.provider_request_id, event.kind) {
            (Some(request), EventKind::Call) => {
                provider_call(&event.tenant_id, &event.service, request)
            }
            _ => 0,
        };
        let json = written(&event)?;
        Ok(Self {
            content: hash_of(event.report_digest.as_deref().map_or(&json, str::as_bytes)),
            event: event.event_id,
            tenant: event.tenant_id,
            user,
            timestamp: event.timestamp,
            provider_call,
            json,
        })
    }

    pub(crate) fn record(
        &self,
        kind: RecordKind,
        sequence: u64,
        now: Timestamp,
        user: UserCode,
    ) -> Vec<u8> {
        StoredRecord {
            kind,
            sequence,
            ingested_us: now.as_microsecond(),
            timestamp_us: microseconds(self.timestamp),
            user,
            event: self.event,
            provider_call: self.provider_call,
            tenant: self.tenant.as_str(),
            json: &self.json,
        }
        .write()
    }

    /// What the index keeps of it.
    pub(crate) fn taken(
        &self,
        kind: RecordKind,
        sequence: u64,
        now: Timestamp,
        user: UserCode,
    ) -> Taken {
        Taken {
            content: self.content,
            user,
            provider_call: self.provider_call,
            latest_us: microseconds(self.timestamp.max(now)),
            report: report_sequence(kind, self.provider_call, sequence),
        }
    }
}

/// What is kept of the sequence: only events that were told and name the provider's call can be
/// displaced.
pub(crate) fn report_sequence(
    kind: RecordKind,
    provider_call: u128,
    sequence: u64,
) -> Option<NonZeroU64> {
    let displaceable = kind == RecordKind::Appended && provider_call != 0;
    NonZeroU64::new(sequence).filter(|_| displaceable)
}

/// The record of a call that is about to be forwarded.
pub(crate) fn opened_record(
    call: &OpenedCall,
    user: UserCode,
    now: Timestamp,
) -> Result<Vec<u8>, Malformed> {
    let mut unnamed = call.clone();
    unnamed.user_id = UserId::unknown();
    let json = written(&unnamed)?;
    Ok(StoredRecord {
        kind: RecordKind::Opened,
        sequence: 0,
        ingested_us: now.as_microsecond(),
        timestamp_us: microseconds(call.timestamp),
        user,
        event: call.event_id,
        provider_call: 0,
        tenant: call.tenant_id.as_str(),
        json: &json,
    }
    .write())
}

/// The record of a call that was withdrawn.
pub(crate) fn abandoned_record(call: EventId, now: Timestamp) -> Vec<u8> {
    StoredRecord {
        kind: RecordKind::Abandoned,
        sequence: 0,
        ingested_us: now.as_microsecond(),
        timestamp_us: 0,
        user: UserCode(0),
        event: call,
        provider_call: 0,
        tenant: "",
        json: &[],
    }
    .write()
}

/// What tells an event's content from another under the same id: for a report the digest of what
/// the reporter said (what we made of it may differ the next time), else all of it.
pub(crate) fn content_hash(json: &[u8]) -> u64 {
    #[derive(serde::Deserialize)]
    struct Reported<'a> {
        #[serde(default, borrow)]
        report_digest: Option<&'a str>,
    }
    let digest = serde_json::from_slice(json)
        .ok()
        .and_then(|event: Reported<'_>| event.report_digest);
    hash_of(digest.map_or(json, str::as_bytes))
}

fn hash_of(content: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&blake3::hash(content).as_bytes()[..8]);
    u64::from_le_bytes(bytes)
}

/// As JSON, into memory that is enough for most.
fn written<T: serde::Serialize>(value: &T) -> Result<Vec<u8>, Malformed> {
    let mut json = Vec::with_capacity(1 << 10);
    serde_json::to_writer(&mut json, value).map_err(|error| Malformed(error.to_string()))?;
    Ok(json)
}

/// Rounded down, also before 1970.
pub(crate) fn microseconds(time: Timestamp) -> i64 {
    let floor = time.as_nanosecond().div_euclid(1_000);
    i64::try_from(floor).unwrap_or(i64::MAX)
}

fn provider_call(tenant: &TenantId, service: &ServiceId, request: &str) -> u128 {
    let mut hasher = blake3::Hasher::new();
    // Neither a tenant nor a service contains a zero.
    for part in [tenant.as_str(), service.as_str()] {
        hasher.update(part.as_bytes()).update(&[0]);
    }
    hasher.update(request.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    u128::from_le_bytes(bytes).max(1)
}
