//! Every use of a key's version, of an access token, or from an address.

use std::{collections::BTreeMap, net::IpAddr};

use diamond_domain::{
    EventId, RequestId, SecretKind, SecretVersion, ServiceId, TenantId, TokenId, UserId,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{AuditCoverageResponse, Limit, words};

/// What leaked: a version (`service`, `tenantId`, `version`), a token, or an address.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct IncidentParams {
    /// The key's service; together with `tenantId` and `version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<words::ServiceId>, inline)]
    pub service: Option<ServiceId>,
    /// The key's tenant; together with `service` and `version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<words::TenantId>, inline)]
    pub tenant_id: Option<TenantId>,
    /// The key's version; together with `service` and `tenantId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1)]
    pub version: Option<u32>,
    /// With `version`: the kind of key; both when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<words::TenantKeyKind>, inline)]
    pub kind: Option<SecretKind>,
    /// The access token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<words::TokenId>, inline)]
    pub token_id: Option<TokenId>,
    /// The address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<words::IpAddress>, inline)]
    pub address: Option<IpAddr>,
    /// The first instant inside; the beginning when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<words::Timestamp>, inline)]
    pub from: Option<Timestamp>,
    /// The first instant after; the end of time when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<words::Timestamp>, inline)]
    pub to: Option<Timestamp>,
    /// At most so many uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<Limit>, inline)]
    pub limit: Option<Limit>,
    /// Where to go on: the `nextCursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Where a use stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum IncidentSource {
    /// In the audit chain: a key that was handed out, a refusal, administration.
    Audit,
    /// In the ledger: a call through the gateway, or one that was reported.
    Ledger,
}

/// One use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IncidentUseResponse {
    /// Where it stands.
    pub source: IncidentSource,
    /// Its place there.
    pub sequence: u64,
    /// When.
    #[schema(value_type = words::Timestamp)]
    pub at: Timestamp,
    /// What: the audit action, or the call's operation.
    pub action: String,
    /// How it ended.
    pub outcome: String,
    /// In which request.
    #[schema(value_type = Option<words::RequestId>)]
    pub request_id: Option<RequestId>,
    /// The usage event.
    #[schema(value_type = Option<words::EventId>)]
    pub event_id: Option<EventId>,
    /// With which token; `null` when none was recognised.
    #[schema(value_type = Option<words::TokenId>)]
    pub token_id: Option<TokenId>,
    /// From where.
    #[schema(value_type = Option<words::IpAddress>)]
    pub address: Option<IpAddr>,
    /// Whose.
    #[schema(value_type = Option<words::TenantId>)]
    pub tenant_id: Option<TenantId>,
    /// For whom.
    #[schema(value_type = Option<words::UserId>)]
    pub user_id: Option<UserId>,
    /// Which service.
    #[schema(value_type = Option<words::ServiceId>)]
    pub service: Option<ServiceId>,
    /// Which version of the key.
    #[schema(value_type = Option<words::SecretVersion>)]
    pub version: Option<SecretVersion>,
    /// Which model.
    pub model: Option<String>,
    /// Why, in the caller's words.
    pub purpose: Option<String>,
    /// What else there is to know.
    pub detail: Option<String>,
    /// How many there were, when one entry stands for several refusals of a kind.
    pub count: Option<u64>,
    /// Until when the key that was handed out may still be used.
    #[schema(value_type = Option<words::Timestamp>)]
    pub lease_until: Option<Timestamp>,
}

/// What all uses have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IncidentSummaryResponse {
    /// Whose audit chain and ledger were read, and whose were not.
    pub coverage: AuditCoverageResponse,
    /// How many uses are in the audit chain.
    pub audit_entries: u64,
    /// How many calls.
    pub calls: u64,
    /// The earliest use.
    #[schema(value_type = Option<words::Timestamp>)]
    pub first_seen_at: Option<Timestamp>,
    /// The latest use.
    #[schema(value_type = Option<words::Timestamp>)]
    pub last_seen_at: Option<Timestamp>,
    /// Uses by tenant.
    pub tenants: BTreeMap<String, u64>,
    /// Uses by user.
    pub users: BTreeMap<String, u64>,
    /// Uses by service.
    pub services: BTreeMap<String, u64>,
    /// Uses by access token.
    pub tokens: BTreeMap<String, u64>,
    /// Uses by address.
    pub addresses: BTreeMap<String, u64>,
    /// Uses by outcome.
    pub outcomes: BTreeMap<String, u64>,
    /// How many keys that were handed out may still be used.
    pub leases_outstanding: u64,
    /// Until when the last of them.
    #[schema(value_type = Option<words::Timestamp>)]
    pub leases_until: Option<Timestamp>,
}

/// A part of the report, the audit chain before the ledger, oldest first in each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IncidentReportResponse {
    /// What all uses have in common; on the first page only.
    pub summary: Option<IncidentSummaryResponse>,
    /// The uses.
    pub items: Vec<IncidentUseResponse>,
    /// Where to go on; `null` at the end.
    pub next_cursor: Option<String>,
}
