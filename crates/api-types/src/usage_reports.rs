//! Usage that callers report, when their calls do not pass through the gateway.

use std::collections::BTreeMap;

use diamond_domain::{
    CostBasis, EventId, Money, Quantities, ServiceId, Tags, TenantId, TraceId, UserId,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{UsageCloudEvent, words};

/// How many reports one request may carry.
pub const REPORTS_MAX: usize = 1_000;

/// One call that was made elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UsageReport {
    /// The caller's own name for the fact, unique within tenant and `source`. Telling it twice
    /// changes nothing.
    #[schema(min_length = 1, max_length = 256)]
    pub id: String,
    /// Which of the caller's systems speaks; empty when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 256)]
    pub source: Option<String>,
    /// Whose call; the token's tenant when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<words::TenantId>)]
    pub tenant_id: Option<TenantId>,
    /// Who in that tenant; the token's user, else `unknown`, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<words::UserId>)]
    pub user_id: Option<UserId>,
    /// Which provider.
    #[schema(value_type = words::ServiceId)]
    pub service: ServiceId,
    /// Which model.
    #[schema(max_length = 256)]
    pub model: String,
    /// Which kind of call (`chat.completions`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 256)]
    pub operation: Option<String>,
    /// When the call began; now when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<words::Timestamp>)]
    pub timestamp: Option<Timestamp>,
    /// What was used.
    #[serde(deserialize_with = "crate::distinct::quantities")]
    #[schema(value_type = words::Quantities)]
    pub quantities: Quantities,
    /// What it cost; needs the scope `usage:import`. Priced from the quantities when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<words::Money>)]
    pub cost_usd: Option<Money>,
    /// How long the call took, in milliseconds.
    #[serde(
        default,
        deserialize_with = "crate::whole::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub duration_ms: Option<u64>,
    /// The provider's HTTP status.
    #[serde(
        default,
        deserialize_with = "crate::whole::optional",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(minimum = 100, maximum = 599)]
    pub status: Option<u16>,
    /// The provider's name for the call. A call that the gateway saw under it is the same fact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 256)]
    pub provider_request_id: Option<String>,
    /// The W3C trace of the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<words::TraceId>)]
    pub trace_id: Option<TraceId>,
    /// The provider's service tier, as the provider said it (`batch`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    pub service_tier: Option<String>,
    /// The caller's words.
    #[serde(
        default,
        deserialize_with = "crate::distinct::tags",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    #[schema(value_type = words::Tags)]
    pub tags: Tags,
}

/// One report, or up to 1,000.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum ReportUsageRequest {
    /// One.
    One(Box<UsageReport>),
    /// Several.
    Many(ReportUsageBatchRequest),
}

/// Up to 1,000 reports.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(max_items = 1000)]
pub struct ReportUsageBatchRequest(pub Vec<UsageReport>);

/// Up to 1,000 CloudEvents.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(max_items = 1000)]
pub struct ReportUsageCloudEventsRequest(pub Vec<UsageCloudEvent>);

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReportVerdict {
    /// Taken and durable.
    Accepted,
    /// The same fact was taken before; nothing changed.
    Duplicate,
    /// The same id was taken before with other content; nothing changed.
    Conflict,
    /// Older than the deduplication window; not taken.
    TooOld,
    /// Not a report that can be taken; `message` says why.
    Invalid,
}

/// The verdict on one report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageVerdictResponse {
    /// The caller's name for it; `null` when none could be read.
    pub id: Option<String>,
    /// Our name for it.
    #[schema(value_type = Option<words::EventId>)]
    pub event_id: Option<EventId>,
    /// What became of it.
    pub verdict: ReportVerdict,
    /// What it costs; `null` when unknown or when the caller may not see costs.
    #[schema(value_type = Option<words::Money>)]
    pub cost_usd: Option<Money>,
    /// Where the cost comes from.
    #[schema(value_type = Option<words::CostBasis>)]
    pub cost_basis: Option<CostBasis>,
    /// Why, for a person.
    pub message: Option<String>,
}

/// The verdicts, in the order of the reports. All accepted ones are durable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportUsageResponse {
    /// How many were taken now or before (`accepted` and `duplicate`).
    pub taken: u64,
    /// How many were not.
    pub refused: u64,
    /// The verdicts.
    pub items: Vec<UsageVerdictResponse>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_and_many_are_told_apart() {
        let one =
            r#"{"id":"a","service":"openai","model":"gpt-4o","quantities":{"input_tokens":3}}"#;
        let parsed: ReportUsageRequest = serde_json::from_str(one).unwrap();
        assert!(matches!(parsed, ReportUsageRequest::One(_)));
        let parsed: ReportUsageRequest = serde_json::from_str(&format!("[{one},{one}]")).unwrap();
        assert!(matches!(parsed, ReportUsageRequest::Many(batch) if batch.0.len() == 2));
    }

    #[test]
    fn an_unknown_meter_and_an_unknown_field_are_refused() {
        let meter = r#"{"id":"a","service":"openai","model":"m","quantities":{"tokens":3}}"#;
        assert!(serde_json::from_str::<UsageReport>(meter).is_err());
        let field = r#"{"id":"a","service":"openai","model":"m","quantities":{},"cost":"1"}"#;
        assert!(serde_json::from_str::<UsageReport>(field).is_err());
    }
}
