//! The port [`Custody`]: the life of the master key above an embedded store.

use std::path::PathBuf;

use async_trait::async_trait;
use diamond_db::sealed::DataKeyCount;
pub use diamond_db::sealed::{RekeyEnd, RekeyPhase};
use diamond_domain::NodeId;
use jiff::Timestamp;

use crate::{MasterKeyError, SecretError};

/// Why nothing came of a step.
#[derive(Debug, thiserror::Error)]
pub enum CustodyError {
    /// The next master key cannot be had, or is none.
    #[error(transparent)]
    Key(#[from] MasterKeyError),
    /// Data keys are going over to the next master key: only forward is left.
    #[error("data keys are under the next master key already: the change can only go on")]
    TooLate,
    /// The store.
    #[error(transparent)]
    Store(#[from] SecretError),
}

/// The master key and what it wraps.
#[derive(Debug, Clone)]
pub struct CustodyStatus {
    /// Where the master key comes from: `file`, `passphrase`, or `external`.
    pub source: &'static str,
    /// Its file.
    pub path: Option<PathBuf>,
    /// The id of the master key that opens the store.
    pub master: String,
    /// The ids of the master keys that this node holds.
    pub held: Vec<String>,
    /// When the store was made; unknown for an old one.
    pub made_at: Option<Timestamp>,
    /// When the master key was last changed.
    pub rotated_at: Option<Timestamp>,
    /// How many data keys each master key wraps.
    pub data_keys: Vec<DataKeyCount>,
    /// The change that is under way.
    pub rekey: Option<RekeyProgress>,
    /// Files of former master keys beside the present one's.
    pub retired_files: Vec<PathBuf>,
    /// Where the present key stands, when that is still the place of a next one.
    pub present_in_next: Option<PathBuf>,
}

/// A change of the master key that is under way.
#[derive(Debug, Clone)]
pub struct RekeyProgress {
    /// The master key that opens the store until the end.
    pub from: String,
    /// The one after.
    pub to: String,
    /// How far it is.
    pub phase: RekeyPhase,
    /// When it began.
    pub started_at: Timestamp,
    /// Data keys under the next master key.
    pub done: u64,
    /// Data keys that go over.
    pub total: u64,
    /// Nodes that do not hold the next master key yet.
    pub waiting_for: Vec<String>,
}

/// What a beginning came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RekeyBegun {
    /// The master key that opens the store until the end.
    pub from: String,
    /// The one after.
    pub to: String,
    /// Whether it was under way already.
    pub already: bool,
}

/// What a step came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CustodyStep {
    /// There is nothing to do.
    Idle,
    /// Some was done and there is more.
    Moved,
    /// This or another node lacks a master key; nothing is lost and nothing is done until it has it.
    Waiting {
        /// The master key that is missing.
        master: String,
        /// The nodes.
        nodes: Vec<String>,
    },
    /// A change has ended and is not written down yet ([`Custody::written_down`]).
    Ended(RekeyEnd),
}

/// Keeps the master key of a store, and changes it while the store is in use.
///
/// A **change** goes over every data key in bounded batches: each is unwrapped with the former
/// master key and wrapped with the next; what the data keys seal is not touched. It begins only
/// when every live node holds the next key, any node drives it, each step may be repeated, and a
/// process that dies anywhere leaves a store that opens. **Begin** is idempotent: while a change is
/// under way it gives that one. **Cancel** works until the first data key goes over.
#[async_trait]
pub trait Custody: Send + Sync {
    /// How things stand.
    async fn status(&self) -> Result<CustodyStatus, CustodyError>;

    /// Begins to change to the next master key.
    async fn begin(&self) -> Result<RekeyBegun, CustodyError>;

    /// Gives up a change that has not touched anything; `None` when there is none.
    async fn cancel(&self) -> Result<Option<RekeyBegun>, CustodyError>;

    /// Does the next piece of work on behalf of this node, if there is any. Called again and again.
    async fn advance(&self, node: NodeId) -> Result<CustodyStep, CustodyError>;

    /// The end of a change stands in the audit log.
    async fn written_down(&self) -> Result<(), CustodyError>;

    /// The node stops: a change need not wait for it.
    async fn leave(&self, node: NodeId) -> Result<(), CustodyError>;
}
