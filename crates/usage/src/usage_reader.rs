//! Where questions about usage are answered.

use std::net::IpAddr;

use async_trait::async_trait;
use diamond_domain::{
    EventId, EventKind, Meter, Money, Payer, Quantities, SecretVersion, ServiceId, TenantId,
    TimeRange, TokenId, UsageEvent, UserId,
};
use jiff::{SignedDuration, Timestamp, civil::Date};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The cursor is not one of ours.
    #[error("the cursor is not valid")]
    Cursor,
    /// The question is too large (too many points in a series).
    #[error("the question asks for more than {limit} rows")]
    TooLarge {
        /// The most that is answered.
        limit: usize,
    },
    /// What is stored cannot be read.
    #[error("the ledger cannot be read")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Whose events. There is no question without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TenantScope {
    /// One tenant's.
    One(TenantId),
    /// Everybody's: for operators and background work only.
    All,
}

/// A place in the ledger's order. Events behind it are those with a larger sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct LedgerCursor(pub u64);

/// Which events to list. Conditions are joined by "and".
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Time of the call.
    pub range: Option<TimeRange>,
    /// Who called.
    pub user: Option<UserId>,
    /// Which provider.
    pub service: Option<ServiceId>,
    /// Which model.
    pub model: Option<String>,
    /// One event.
    pub event: Option<EventId>,
    /// Our request id, or the caller's id of a report.
    pub request_id: Option<String>,
    /// The provider's name for the call.
    pub provider_request_id: Option<String>,
    /// With this version of a key.
    pub secret_version: Option<SecretVersion>,
    /// Paid by this one.
    pub payer: Option<Payer>,
    /// Made or told with this access token.
    pub token: Option<TokenId>,
    /// From this address.
    pub address: Option<IpAddr>,
}

/// A page of events, oldest sequence first.
#[derive(Debug, Clone, Default)]
pub struct EventPage {
    /// The events, each with its `ledger_sequence`.
    pub events: Vec<UsageEvent>,
    /// Where to go on; `None` at the end.
    pub next: Option<LedgerCursor>,
}

/// What totals are grouped by. Absent parts are `None` in the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GroupBy {
    /// By tenant.
    pub tenant: bool,
    /// By service.
    pub service: bool,
    /// By model.
    pub model: bool,
    /// By operation.
    pub operation: bool,
    /// By user.
    pub user: bool,
    /// By UTC day of the call.
    pub day: bool,
}

/// One row of totals. Cost of the two payers is never mixed: they are separate rows.
#[derive(Debug, Clone, PartialEq)]
pub struct TotalsRow {
    /// Whose, when grouped by it.
    pub tenant: Option<TenantId>,
    /// Which service, when grouped by it.
    pub service: Option<ServiceId>,
    /// Which model, when grouped by it.
    pub model: Option<String>,
    /// Which operation, when grouped by it.
    pub operation: Option<String>,
    /// Which user, when grouped by it.
    pub user: Option<UserId>,
    /// Which UTC day, when grouped by it.
    pub day: Option<Date>,
    /// Who pays.
    pub payer: Payer,
    /// Sum of the costs of priced events.
    pub cost: Money,
    /// Number of calls, each once (see [`call_count`](crate::call_count)).
    pub calls: u64,
    /// Number of events whose cost is unknown; their cost is in no sum.
    pub unpriced: u64,
    /// Number of partial events.
    pub partial: u64,
    /// Sums of the quantities.
    pub quantities: Quantities,
}

/// One user's total.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserTotal {
    /// Who.
    pub user: UserId,
    /// Cost with payer `platform`.
    pub cost: Money,
    /// Number of calls of both payers, each once.
    pub calls: u64,
}

/// One step of a series; steps without events are there too, with zeros.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesPoint {
    /// When the step begins.
    pub from: Timestamp,
    /// Cost with payer `platform`.
    pub platform_cost: Money,
    /// Cost with payer `tenant`.
    pub tenant_cost: Money,
    /// Number of calls, each once.
    pub calls: u64,
}

/// One row of the sums that statements are made from: all events with
/// `from < ledger_sequence <= to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SequenceSum {
    /// Whose.
    pub tenant: TenantId,
    /// UTC day of the call (not of its arrival).
    pub day: Date,
    /// Which service.
    pub service: ServiceId,
    /// Which model.
    pub model: String,
    /// What the events say.
    pub kind: EventKind,
    /// Who pays.
    pub payer: Payer,
    /// The amount by meter.
    pub quantities: Vec<(Meter, u64)>,
    /// Sum of the costs of priced events.
    pub cost: Money,
    /// Number of events.
    pub events: u64,
    /// Number of events whose cost is unknown.
    pub unpriced: u64,
}

/// Whom to forget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErasureSubject {
    /// One person of a tenant.
    User(TenantId, UserId),
    /// Everybody of a tenant.
    Tenant(TenantId),
}

/// Answers questions about usage. Exact, never sampled.
///
/// **Freshness.** An answer contains every event whose verdict was given before the question.
///
/// **Order.** Events get their `ledger_sequence` after deduplication, in commit order, from 1,
/// without gaps; it never changes. Below or at [`UsageReader::watermark`] nothing new can appear.
///
/// **Erasure.** After `erase` the person's name is nowhere: their events remain, under one random
/// name per person, with sums unchanged. Erasing again changes nothing.
#[async_trait]
pub trait UsageReader: Send + Sync {
    /// The largest sequence below which, itself included, nothing new can appear; 0 when empty.
    async fn watermark(&self) -> Result<u64, ReadError>;

    /// Events behind the cursor in the ledger's order, at most `limit` (1 to 1,000).
    async fn events(
        &self,
        scope: &TenantScope,
        filter: &EventFilter,
        after: LedgerCursor,
        limit: usize,
    ) -> Result<EventPage, ReadError>;

    /// Sums of a span of call times, a row a group and payer, in the order of the groups.
    async fn totals(
        &self,
        scope: &TenantScope,
        range: TimeRange,
        group_by: GroupBy,
    ) -> Result<Vec<TotalsRow>, ReadError>;

    /// One tenant's totals of each user with at least one event in the span, by user.
    async fn per_user(
        &self,
        tenant: &TenantId,
        range: TimeRange,
    ) -> Result<Vec<UserTotal>, ReadError>;

    /// One tenant's cost over time in equal steps from the span's beginning, optionally of one
    /// service; at most 10,000 steps.
    async fn series(
        &self,
        tenant: &TenantId,
        range: TimeRange,
        step: SignedDuration,
        service: Option<&ServiceId>,
    ) -> Result<Vec<SeriesPoint>, ReadError>;

    /// Sums of the events with `from < ledger_sequence <= to`, for statements.
    async fn sums_by_sequence(
        &self,
        scope: &TenantScope,
        from: u64,
        to: u64,
    ) -> Result<Vec<SequenceSum>, ReadError>;

    /// Forgets a person or a tenant's people; how many names were forgotten.
    async fn erase(&self, subject: &ErasureSubject) -> Result<u64, ReadError>;
}
