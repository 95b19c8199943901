//! The chain of who touched which key.

use std::net::IpAddr;

use async_trait::async_trait;
use diamond_domain::{
    AuditId, RequestId, SecretVersion, ServiceId, TenantId, TimeRange, TokenId, UserId,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What was done, or tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditAction {
    /// A key's value was handed out.
    KeyReveal,
    /// A key's value was put.
    KeyPut,
    /// A key was looked at before it is put: what it would change, and who else has it.
    KeyCheck,
    /// A key's version was revoked.
    KeyRevoke,
    /// A key was to be replaced, or was.
    KeyRotate,
    /// A key was to be made at its provider.
    KeyProvision,
    /// A key was to be ended at its provider.
    ProviderKeyRevoke,
    /// A management credential was put.
    CredentialPut,
    /// A provider's keys were compared with ours.
    ProviderSweep,
    /// A tenant was created.
    TenantCreate,
    /// A tenant was changed.
    TenantUpdate,
    /// A budget was put.
    BudgetPut,
    /// A budget was taken away.
    BudgetDelete,
    /// A token was created.
    TokenCreate,
    /// A token was revoked.
    TokenRevoke,
    /// Somebody was forgotten.
    Erase,
    /// A change of the master key was asked for.
    SealRekeyBegin,
    /// A change of the master key was given up.
    SealRekeyCancel,
    /// A change of the master key ended: everything is under the new one.
    SealRekeyEnd,
    /// A backup was taken.
    BackupTake,
    /// An installation that was brought back from a backup was released.
    RestoreRelease,
    /// Somebody presented no token, or one that is not accepted (refusals only).
    Authenticate,
    /// A service was called through the gateway (refusals only: calls are usage events).
    GatewayCall,
    /// Something was looked at (refusals only).
    Read,
    /// Usage was reported (refusals only: reports are usage events).
    UsageReport,
    /// An alarm was acknowledged or closed.
    AlarmUpdate,
    /// A new chain was begun after a broken one.
    ChainBegin,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditOutcome {
    /// It was permitted, and done or about to be.
    Granted,
    /// It was refused.
    Refused,
}

/// An entry before it has its place in the chain. Never a value, never a token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditDraft {
    /// When.
    pub at: Timestamp,
    /// What.
    pub action: AuditAction,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// In which request.
    pub request_id: RequestId,
    /// With which token; `None` when none was recognised, and at the first start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_id: Option<TokenId>,
    /// From where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// Whose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<TenantId>,
    /// For whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// Which service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceId>,
    /// Which version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<SecretVersion>,
    /// Why, in the caller's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// What else a reader needs (the refusal's code, the token that was created).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// How many there were, when one entry stands for several of a kind; `at` is then the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

/// Takes refusals from anywhere, also from the hot path: `refused` neither waits nor fails. A
/// flood of them is counted rather than written one by one.
pub trait RefusalSink: Send + Sync {
    /// Hands a refusal over.
    fn refused(&self, draft: AuditDraft);
}

/// An entry in its place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Its name.
    pub id: AuditId,
    /// Its place, from 1, without gaps.
    pub sequence: u64,
    /// What it says.
    #[serde(flatten)]
    pub draft: AuditDraft,
}

/// The end of the chain: how long it is and the keyed hash of all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditHead {
    /// Sequence of the last entry; 0 when empty.
    pub sequence: u64,
    /// Keyed hash over the last entry and the hash before it.
    pub hash: [u8; 32],
}

/// What verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditVerdict {
    /// Every hash holds, and the chain reaches and agrees with the anchor.
    Whole {
        /// How many entries.
        entries: u64,
    },
    /// The entry at this sequence is not what was written, or one before it is missing.
    Broken {
        /// The first sequence that does not hold.
        sequence: u64,
    },
    /// The chain ends before the anchor: its tail was cut.
    Truncated {
        /// Where the chain ends.
        ends_at: u64,
        /// Where the anchor says it reached.
        anchored_at: u64,
    },
    /// The chain is whole in itself but not the one that was anchored: it was written anew.
    Rewritten {
        /// The anchor's sequence.
        anchored_at: u64,
    },
}

/// A chain that was found broken and is kept as evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierChain {
    /// Its number, from 1.
    pub chain: u32,
    /// Its last entry.
    pub ends_at: u64,
    /// Whether its files are as they were when it was closed.
    pub intact: bool,
}

/// Which entries to list. Conditions are joined by "and".
#[derive(Debug, Clone, Default)]
pub struct AuditQuery {
    /// Whose; `None` for everybody's (operators only).
    pub tenant: Option<TenantId>,
    /// Made with this token.
    pub token: Option<TokenId>,
    /// About this key's version.
    pub version: Option<(ServiceId, SecretVersion)>,
    /// From this address.
    pub address: Option<IpAddr>,
    /// In this span of time.
    pub range: Option<TimeRange>,
    /// Behind this sequence.
    pub after: u64,
    /// At most so many (1 to 1,000).
    pub limit: usize,
}

/// Why an entry was not written or read.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The entry is not durable: what it would have permitted must not happen.
    #[error("the audit log cannot be written")]
    Unwritable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What is stored cannot be read.
    #[error("the audit log cannot be read")]
    Unreadable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Keeps the keyed hash chain of key accesses and administration.
///
/// `record` returns when the entry is durable and chained; entries of concurrent calls get
/// successive sequences. Each entry's hash is keyed and covers the hash before it, so nobody
/// without the key can change, drop or insert one unnoticed; a cut tail is found by comparing
/// with a head that was kept elsewhere (the anchor).
#[async_trait]
pub trait AuditSink: Send + Sync {
    /// Writes an entry and waits until it is durable.
    async fn record(&self, draft: AuditDraft) -> Result<AuditEntry, AuditError>;

    /// Whether entries can still be taken.
    fn check(&self) -> Result<(), AuditError>;

    /// The end of the chain as last made durable.
    fn head(&self) -> AuditHead;

    /// Reads the whole chain and checks it, against the anchor when there is one.
    async fn verify(&self, anchor: Option<&AuditHead>) -> Result<AuditVerdict, AuditError>;

    /// Which chain it is, from 1: a broken one is followed by another.
    fn chain(&self) -> u32;

    /// Closes the chain, keeps it as evidence, and begins another with this entry, whose hash
    /// covers all that is stored of the one before. Sequences go on.
    async fn begin_anew(&self, draft: AuditDraft) -> Result<AuditEntry, AuditError>;

    /// The chains before this one, oldest first.
    async fn earlier(&self) -> Result<Vec<EarlierChain>, AuditError>;

    /// Lists entries, oldest first, those of earlier chains included as far as they can be read.
    async fn entries(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, AuditError>;
}
