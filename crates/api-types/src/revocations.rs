//! Revocations that take effect at once.

use diamond_domain::{NodeId, RevocationId, TenantId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::words;

/// For how long an answer waits for the nodes when not told, in seconds.
pub const WAIT_SECONDS_DEFAULT: u32 = 5;
/// For how long an answer waits for the nodes at most, in seconds.
pub const WAIT_SECONDS_MAX: u32 = 20;

/// How long to wait for the nodes.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RevocationWaitParams {
    /// How long to wait for every node to refuse what is revoked, in seconds: 5 when absent, 20 at
    /// most. What is missing then is told in the answer and can be asked for again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 0, maximum = 20)]
    pub wait_seconds: Option<u32>,
}

/// What kind of thing was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RevocationTargetKind {
    /// A tenant, until it is resumed.
    Tenant,
    /// An access token.
    Token,
    /// A version of a key.
    Key,
}

/// What a node makes of a revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeStanding {
    /// It refuses what was revoked.
    Refuses,
    /// It lives and has not said yet that it refuses.
    Waiting,
    /// It was not heard of for a while: it may go on with what it knew.
    Silent,
    /// It was not heard of for so long that it refuses everybody by itself.
    Stale,
}

/// A node and what it makes of a revocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevocationNodeResponse {
    /// Which node.
    #[schema(value_type = String)]
    pub node: NodeId,
    /// What it makes of it.
    pub standing: NodeStanding,
    /// Since when it refuses.
    #[schema(value_type = Option<words::Timestamp>)]
    pub refused_at: Option<Timestamp>,
    /// How many calls it cut; `null` when it has not said, or began to serve afterwards.
    pub calls_cut: Option<u64>,
    /// When it was last heard of.
    #[schema(value_type = words::Timestamp)]
    pub last_seen_at: Timestamp,
}

/// A revocation and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevocationResponse {
    /// Its name, to ask for it again.
    #[schema(value_type = String, pattern = "^rev_[0-7][0-9a-hjkmnp-tv-z]{25}$")]
    pub id: RevocationId,
    /// What kind of thing was revoked.
    pub kind: RevocationTargetKind,
    /// Which: a tenant's or a token's id, or a secret's name.
    pub subject: String,
    /// Which version of the secret.
    pub version: Option<u32>,
    /// Whose; `null` for the platform's.
    #[schema(value_type = Option<words::TenantId>)]
    pub tenant_id: Option<TenantId>,
    /// When it was revoked.
    #[schema(value_type = words::Timestamp)]
    pub at: Timestamp,
    /// How many calls were cut, as far as the nodes have said.
    pub calls_cut: u64,
    /// When the last node refused; `null` while one is missing.
    #[schema(value_type = Option<words::Timestamp>)]
    pub refused_everywhere_at: Option<Timestamp>,
    /// The nodes.
    pub nodes: Vec<RevocationNodeResponse>,
}
