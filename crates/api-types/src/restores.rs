//! Coming back from a backup.

use diamond_domain::{Money, TenantId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::words;

/// How an installation that was brought back from a backup stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoreStatusResponse {
    /// Whether it is in quarantine: nothing is changed outside before it is released.
    pub quarantined: bool,
    /// How it was released.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<RestoreRelease>,
    /// What stands for this comparison when the installation is released; absent when it was never
    /// brought back from a backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// What was in the backup, and what there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<RestoreComparison>,
}

/// How an installation was released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoreRelease {
    /// When.
    #[schema(value_type = words::Timestamp)]
    pub at: Timestamp,
    /// The token that it was done with.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// What was in the backup, and what there is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoreComparison {
    /// Of what moment the backup is.
    #[schema(value_type = words::Timestamp)]
    pub taken_at: Timestamp,
    /// When it was brought back: what happened in between is not here.
    #[schema(value_type = words::Timestamp)]
    pub restored_at: Timestamp,
    /// Which backup it was: a hash.
    pub archive: String,
    /// What was counted when the backup was made: rows of each table, and the sequences that the
    /// ledger and the audit chain had reached.
    pub counted: serde_json::Value,
    /// Tenants now.
    pub tenants: u64,
    /// Of them suspended.
    pub suspended: u64,
    /// Tokens that are neither revoked nor over.
    pub live_tokens: u64,
    /// Versions of keys that are not revoked.
    pub live_versions: u64,
    /// Of them those whose value does not open under the master key.
    pub unreadable_versions: u64,
    /// Sequence of the newest event.
    pub ledger_sequence: u64,
    /// Direct cost of all events.
    #[schema(value_type = words::Money)]
    pub direct_cost_usd: Money,
    /// Entries of the audit chain; absent when it does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit_entries: Option<u64>,
    /// What works and was made or changed in the week before the backup, newest first: what was
    /// revoked after the backup is among it.
    pub recent: Vec<RestoreRecent>,
    /// Whether there is more of it than is listed.
    pub more_recent: bool,
}

/// Something that works and is young.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoreRecent {
    /// `tenant`, `token` or `key`.
    pub kind: String,
    /// Whose, when it is a tenant's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<words::TenantId>)]
    pub tenant_id: Option<TenantId>,
    /// Which: an id, or a key's name and version.
    pub subject: String,
    /// When it was made or changed last.
    #[schema(value_type = words::Timestamp)]
    pub at: Timestamp,
}

/// The end of the quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReleaseRestoreRequest {
    /// The digest of the comparison that was looked at.
    pub digest: String,
    /// Why; kept in the audit.
    #[schema(min_length = 1, max_length = 500)]
    pub reason: String,
}
