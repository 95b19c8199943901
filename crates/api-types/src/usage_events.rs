//! Usage events, as they stand in the ledger.

use std::collections::BTreeMap;

use diamond_domain::{
    CallOutcome, CostBasis, EventId, EventKind, EventSource, Money, OperationId, Payer, Quantities,
    SecretVersion, ServiceId, Tags, TenantId, TraceId, UserId, UserSource,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use crate::{Limit, words};

/// Which events. Conditions are joined by "and".
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListUsageEventsParams {
    /// Whose; the caller's own tenant when absent, everybody's for an operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<words::TenantId>, inline)]
    pub tenant_id: Option<TenantId>,
    /// Calls that began at or after this; together with `to`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<words::Timestamp>, inline)]
    pub from: Option<Timestamp>,
    /// Calls that began before this; together with `from`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<words::Timestamp>, inline)]
    pub to: Option<Timestamp>,
    /// Calls of this user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<words::UserId>, inline)]
    pub user: Option<UserId>,
    /// Calls to this provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<words::ServiceId>, inline)]
    pub service: Option<ServiceId>,
    /// Calls of this model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// This event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<words::EventId>, inline)]
    pub event_id: Option<EventId>,
    /// The event of this request, or of the report with this id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The event that the provider calls so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_request_id: Option<String>,
    /// At most so many items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<Limit>, inline)]
    pub limit: Option<Limit>,
    /// Where to go on: the `nextCursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(min_length = 1)]
    pub cursor: Option<String>,
}

/// One fact about an AI call.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageEventResponse {
    /// Its name.
    #[schema(value_type = words::EventId)]
    pub event_id: EventId,
    /// Its place in the ledger's order.
    pub ledger_sequence: Option<u64>,
    /// What it says.
    #[schema(value_type = words::EventKind)]
    pub kind: EventKind,
    /// The event that a settlement or correction speaks about.
    #[schema(value_type = Option<words::EventId>)]
    pub corrects: Option<EventId>,
    /// The logical call.
    #[schema(value_type = words::OperationId)]
    pub operation_id: OperationId,
    /// When the call began.
    #[schema(value_type = words::Timestamp)]
    pub timestamp: Timestamp,
    /// When the ledger took it.
    #[schema(value_type = Option<words::Timestamp>)]
    pub ingested_at: Option<Timestamp>,
    /// Its trace.
    #[schema(value_type = words::TraceId)]
    pub trace_id: TraceId,
    /// Whose call.
    #[schema(value_type = words::TenantId)]
    pub tenant_id: TenantId,
    /// Who in that tenant.
    #[schema(value_type = words::UserId)]
    pub user_id: UserId,
    /// Who said so.
    #[schema(value_type = words::UserSource)]
    pub user_source: UserSource,
    /// Which provider.
    #[schema(value_type = words::ServiceId)]
    pub service: ServiceId,
    /// Which model; empty when the route has none.
    pub model: String,
    /// Which kind of call.
    pub operation: String,
    /// Which version of the key was used.
    #[schema(value_type = Option<words::SecretVersion>)]
    pub secret_version: Option<SecretVersion>,
    /// Who pays the provider.
    #[schema(value_type = words::Payer)]
    pub payer: Payer,
    /// What was used.
    #[schema(value_type = words::Quantities)]
    pub quantities: Quantities,
    /// What it cost; `null` when unpriced, or when the caller may not see costs.
    #[schema(value_type = Option<words::Money>)]
    pub cost_usd: Option<Money>,
    /// Where the cost comes from.
    #[schema(value_type = words::CostBasis)]
    pub cost_basis: CostBasis,
    /// The row of the price catalog.
    pub price_id: Option<String>,
    /// From the request's first byte to the answer's last, in milliseconds.
    pub duration_ms: Option<u64>,
    /// From the request's first byte to the answer's first, in milliseconds.
    pub first_byte_ms: Option<u64>,
    /// The provider's HTTP status.
    pub status: Option<u16>,
    /// How the call ended.
    #[schema(value_type = words::CallOutcome)]
    pub outcome: CallOutcome,
    /// Whether something is missing from the count.
    pub partial: bool,
    /// Where we stood.
    pub region: Option<String>,
    /// How we came to know.
    #[schema(value_type = words::EventSource)]
    pub source: EventSource,
    /// Our request, or the caller's id of a report.
    pub request_id: String,
    /// The provider's name for the call.
    pub provider_request_id: Option<String>,
    /// The caller's words.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = words::Tags)]
    pub tags: Tags,
    /// The provider's usage object, verbatim.
    #[schema(value_type = words::ProviderUsage)]
    pub provider_usage: Option<Box<RawValue>>,
}

/// A page of events, in the ledger's order.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListUsageEventsResponse {
    /// The events.
    pub items: Vec<UsageEventResponse>,
    /// Where to go on; `null` at the end.
    pub next_cursor: Option<String>,
}
