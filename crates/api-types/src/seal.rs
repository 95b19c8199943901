//! The master key: where it is, what it wraps, how far a change of it is.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::words;

/// How far a change of the master key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RekeyPhase {
    /// Nothing is under the next key yet: it waits for every node to hold it.
    Preparing,
    /// Data keys go over, batch after batch.
    Rewrapping,
}

/// A change of the master key that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RekeyResponse {
    /// The id of the master key that opens the store until the end.
    pub from: String,
    /// The id of the one after.
    pub to: String,
    /// How far it is.
    pub phase: RekeyPhase,
    /// When it began.
    #[schema(value_type = words::Timestamp)]
    pub started_at: Timestamp,
    /// Data keys under the next master key.
    pub done: u64,
    /// Data keys that go over.
    pub total: u64,
    /// Nodes that do not hold the next master key yet.
    pub waiting_for: Vec<String>,
}

/// How many data keys a master key wraps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DataKeysResponse {
    /// The id of the master key; `null` where it was never noted.
    pub master_key_id: Option<String>,
    /// Whether they were found not to open: somebody changed them.
    pub unreadable: bool,
    /// How many.
    pub count: u64,
}

/// The master key, as this node has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SealStatusResponse {
    /// Where the master key comes from: `file`, `passphrase` or `external`.
    pub source: String,
    /// Its file on this node.
    pub path: Option<String>,
    /// Its id: a fingerprint that tells nothing of the key.
    pub master_key_id: String,
    /// The ids of the master keys that this node holds.
    pub held_key_ids: Vec<String>,
    /// When the store was made; `null` for one older than this note.
    #[schema(value_type = Option<words::Timestamp>)]
    pub made_at: Option<Timestamp>,
    /// When the master key was last changed; `null` for never.
    #[schema(value_type = Option<words::Timestamp>)]
    pub rotated_at: Option<Timestamp>,
    /// Data keys by master key.
    pub data_keys: Vec<DataKeysResponse>,
    /// The change that is under way.
    pub rekey: Option<RekeyResponse>,
    /// The profile that this node runs in: `development` or `production`.
    pub profile: String,
    /// Whether the key lies on the volume of the data folder; `null` when it has no file.
    pub on_data_volume: Option<bool>,
    /// Whether this node's memory is kept out of swap.
    pub memory_locked: bool,
    /// What somebody should look at.
    pub warnings: Vec<String>,
}
