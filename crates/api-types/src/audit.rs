//! The chain of who touched which key.

use std::net::IpAddr;

use diamond_domain::{
    AuditId, Checkpoint, InstallationId, NodeId, RequestId, SecretVersion, ServiceId, TenantId,
    TokenId, UserId,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{Label, Limit, words};

/// Which entries. Conditions are joined by "and".
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListAuditParams {
    /// Whose; the caller's own tenant when absent, everybody's for an operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<words::TenantId>, inline)]
    pub tenant_id: Option<TenantId>,
    /// Made with this token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<words::TokenId>, inline)]
    pub token_id: Option<TokenId>,
    /// About this service's key; together with `version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<words::ServiceId>, inline)]
    pub service: Option<ServiceId>,
    /// About this version; together with `service`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1)]
    pub version: Option<u32>,
    /// From this address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<words::IpAddress>, inline)]
    pub address: Option<IpAddr>,
    /// At most so many items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<Limit>, inline)]
    pub limit: Option<Limit>,
    /// Where to go on: the `nextCursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(min_length = 1)]
    pub cursor: Option<String>,
}

/// An entry of the chain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntryResponse {
    /// Its name.
    #[schema(value_type = words::AuditId)]
    pub id: AuditId,
    /// Its place, from 1, without gaps.
    pub sequence: u64,
    /// When.
    #[schema(value_type = words::Timestamp)]
    pub at: Timestamp,
    /// What was done or tried.
    pub action: String,
    /// `granted` or `refused`.
    pub outcome: String,
    /// In which request.
    #[schema(value_type = words::RequestId)]
    pub request_id: RequestId,
    /// With which token.
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
    /// Which version.
    #[schema(value_type = Option<words::SecretVersion>)]
    pub version: Option<SecretVersion>,
    /// Why, in the caller's words.
    pub purpose: Option<String>,
    /// What else there is to know.
    pub detail: Option<String>,
    /// How many there were, when one entry stands for several refusals of a kind.
    pub count: Option<u64>,
}

/// A page of entries, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListAuditResponse {
    /// The entries.
    pub items: Vec<AuditEntryResponse>,
    /// Where to go on; `null` at the end.
    pub next_cursor: Option<String>,
}

/// What verification found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum VerifyAuditOutcome {
    /// Every hash holds, and the chain reaches its anchor.
    Whole,
    /// An entry is not what was written, or one before it is missing.
    Broken,
    /// The tail was cut.
    Truncated,
    /// Another chain than the one that was anchored.
    Rewritten,
}

/// A node that an answer says nothing about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UncoveredNodeResponse {
    /// Which.
    #[schema(value_type = String)]
    pub node: NodeId,
    /// When it last said that it serves.
    #[schema(value_type = words::Timestamp)]
    pub last_seen_at: Timestamp,
    /// When it said that it stops, if it has not begun again.
    #[schema(value_type = Option<words::Timestamp>)]
    pub stopped_at: Option<Timestamp>,
}

/// Whose chain an answer speaks of. Each node has its own, which only the node itself can read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditCoverageResponse {
    /// The node that answers.
    #[schema(value_type = String)]
    pub node: NodeId,
    /// The others that have served at some time: ask each of them.
    pub not_covered: Vec<UncoveredNodeResponse>,
}

/// The verdict on the whole chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerifyAuditResponse {
    /// Whether the chain holds.
    pub ok: bool,
    /// What was found.
    pub outcome: VerifyAuditOutcome,
    /// How many entries, when whole.
    pub entries: Option<u64>,
    /// The first sequence that does not hold, when broken.
    pub broken_at: Option<u64>,
    /// Where the chain ends, when its tail was cut.
    pub ends_at: Option<u64>,
    /// Where the anchor says that it reached, when cut or rewritten.
    pub anchored_at: Option<u64>,
    /// Whose chain it is, and whose chains were not looked at.
    pub coverage: AuditCoverageResponse,
}

/// Checkpoints that somebody kept.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VerifyCheckpointsRequest {
    /// The checkpoints; the furthest of a chain is enough, for it covers all before.
    #[schema(value_type = Vec<Object>, max_items = 100)]
    pub checkpoints: Vec<Checkpoint>,
}

/// The verdict on the whole chain, with checkpoints that somebody kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerifyCheckpointsResponse {
    /// The verdict on the chain; `ok` also needs a checkpoint of this node, and none of others.
    #[serde(flatten)]
    pub verdict: VerifyAuditResponse,
    /// How many of the checkpoints this node signed about its own chain.
    pub own_checkpoints: usize,
    /// How many are another node's, or signed by nobody that this node knows: another folder or
    /// database stands in the place of the one that was witnessed, or they are forged.
    pub foreign_checkpoints: usize,
}

/// Why a chain is begun anew.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BeginAuditAnewRequest {
    /// What was found and what was done about it.
    pub reason: Label,
}

/// A witness of the audit chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditWitnessResponse {
    /// `file` or `webhook`.
    pub name: String,
    /// The last entry that it covers, since the process began.
    pub sequence: Option<u64>,
    /// When it took its last checkpoint.
    #[schema(value_type = Option<words::Timestamp>)]
    pub delivered_at: Option<Timestamp>,
    /// For how many seconds entries have waited for it.
    pub behind_seconds: Option<u64>,
    /// Why.
    pub trouble: Option<String>,
}

/// A chain that was found broken and is kept as evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EarlierAuditChainResponse {
    /// Its number, from 1.
    pub chain: u32,
    /// Its last entry.
    pub ends_at: u64,
    /// Whether its files are as they were when it was closed.
    pub intact: bool,
}

/// How the audit chain and its witnesses stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditStatusResponse {
    /// Whose.
    #[schema(value_type = String)]
    pub installation: InstallationId,
    /// Which node's.
    #[schema(value_type = String)]
    pub node: NodeId,
    /// The Ed25519 key that checkpoints are checked with, hexadecimal: keep it with them.
    pub public_key: String,
    /// Which of the node's chains, from 1.
    pub chain: u32,
    /// Its last entry.
    pub sequence: u64,
    /// How far its anchor in the control database reaches.
    pub anchored_sequence: Option<u64>,
    /// Whether it was found to hold when it was last looked at.
    pub holds: bool,
    /// Whether keys stay because no witness keeps up.
    pub closed: bool,
    /// The witnesses.
    pub witnesses: Vec<AuditWitnessResponse>,
    /// The chains that were found broken and are kept as evidence.
    pub earlier: Vec<EarlierAuditChainResponse>,
}
