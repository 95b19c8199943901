//! What is reported, and what is answered.

use diamond_domain::{
    CostBasis, EventId, Money, Quantities, ServiceId, Tags, TenantId, TraceId, UserId,
};
use jiff::Timestamp;

/// What a caller says about a call that did not pass through us.
#[derive(Debug, Clone)]
pub struct UsageReport {
    /// The caller's name for the fact, unique within tenant and source.
    pub id: String,
    /// Where the fact comes from (a service of the caller's); empty when not given.
    pub source: Option<String>,
    /// Whose; the token's tenant when not given.
    pub tenant_id: Option<TenantId>,
    /// Who in it.
    pub user_id: Option<UserId>,
    /// Which provider.
    pub service: ServiceId,
    /// Which model.
    pub model: String,
    /// Which kind of call.
    pub operation: Option<String>,
    /// The provider's service tier, which may change the price.
    pub service_tier: Option<String>,
    /// When the call began; the time of arrival when not given.
    pub timestamp: Option<Timestamp>,
    /// What was used.
    pub quantities: Quantities,
    /// What it cost, for those who may say.
    pub cost_usd: Option<Money>,
    /// How long it took.
    pub duration_ms: Option<u64>,
    /// The provider's HTTP status.
    pub status: Option<u16>,
    /// The provider's name for the call.
    pub provider_request_id: Option<String>,
    /// The caller's trace.
    pub trace_id: Option<TraceId>,
    /// The caller's words.
    pub tags: Tags,
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportOutcome {
    /// It is an event now.
    Accepted,
    /// It was one already; nothing changed.
    Duplicate,
    /// The id stands for another fact; nothing changed.
    Conflict,
    /// Older than the deduplication window; not taken.
    TooOld,
    /// Not a report; the message says what is wrong.
    Invalid,
}

/// The verdict on one report.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportVerdict {
    /// The caller's id.
    pub id: String,
    /// The event, unless the report was invalid.
    pub event_id: Option<EventId>,
    /// What became of it.
    pub outcome: ReportOutcome,
    /// The event's cost, for callers who may see it and when it is priced.
    pub cost_usd: Option<Money>,
    /// Where the cost comes from.
    pub cost_basis: Option<CostBasis>,
    /// What is wrong, for a person.
    pub message: Option<String>,
}
