//! A rotation as the database has it.

use std::str::FromStr;

use diamond_domain::{NodeId, RotationId, SecretName, SecretVersion, TenantId, TokenId};
use jiff::Timestamp;
use sqlx::any::AnyRow;

use crate::{DbError, reading::Reading};

/// Where a rotation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RotationState {
    /// The new key is not there yet.
    Planned,
    /// It was made and is stored.
    Created,
    /// Its provider lets it in.
    Tested,
    /// It is what new requests use; nothing is left of a former one.
    Promoted,
    /// It is what new requests use; the former one waits until everybody has let go of it.
    Draining,
    /// The former one is ended.
    Revoked,
    /// It was given up; the former key is what it was.
    Failed,
}

impl RotationState {
    const ALL: [Self; 7] = [
        Self::Planned,
        Self::Created,
        Self::Tested,
        Self::Promoted,
        Self::Draining,
        Self::Revoked,
        Self::Failed,
    ];

    /// The text, as it stands in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Created => "created",
            Self::Tested => "tested",
            Self::Promoted => "promoted",
            Self::Draining => "draining",
            Self::Revoked => "revoked",
            Self::Failed => "failed",
        }
    }

    /// Whether the new key is not in use yet: a secret has at most one such rotation.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Planned | Self::Created | Self::Tested)
    }
}

impl FromStr for RotationState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut all = Self::ALL.into_iter();
        all.find(|state| state.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a state of a rotation"))
    }
}

/// Why a key is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RotationCause {
    /// Somebody asked for it.
    Requested,
    /// The key is old.
    Age,
    /// The key is about to end by itself.
    Expiry,
    /// The provider does not know the key any more.
    Repair,
    /// There was none.
    Provision,
}

impl RotationCause {
    const ALL: [Self; 5] = [
        Self::Requested,
        Self::Age,
        Self::Expiry,
        Self::Repair,
        Self::Provision,
    ];

    /// The text, as it stands in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Age => "age",
            Self::Expiry => "expiry",
            Self::Repair => "repair",
            Self::Provision => "provision",
        }
    }
}

impl FromStr for RotationCause {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut all = Self::ALL.into_iter();
        all.find(|cause| cause.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a cause of a rotation"))
    }
}

/// A rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationRow {
    /// Which.
    pub id: RotationId,
    /// Of which secret.
    pub secret: SecretName,
    /// Whose it is.
    pub tenant: TenantId,
    /// Why.
    pub cause: RotationCause,
    /// Where it stands.
    pub state: RotationState,
    /// The version that shall go.
    pub former: Option<SecretVersion>,
    /// The version that takes its place, once there is one.
    pub version: Option<SecretVersion>,
    /// The number in the new key's name at the provider; 0 before the first.
    pub attempt: u32,
    /// Whether the provider may have made a key for this attempt that nobody here has.
    pub asked: bool,
    /// The management credential of this attempt.
    pub admin: Option<SecretName>,
    /// Whether a person has to bring the key.
    pub waits: bool,
    /// How often in a row it did not get on.
    pub failures: u32,
    /// Why it does not get on.
    pub reason: Option<String>,
    /// When it goes on; `None` when nobody need do anything.
    pub next_at: Option<Timestamp>,
    /// Who asked for it; `None` for the system itself.
    pub requested_by: Option<TokenId>,
    /// When it began.
    pub created_at: Timestamp,
    /// When the new key was made.
    pub created_key_at: Option<Timestamp>,
    /// When new requests began to use it.
    pub promoted_at: Option<Timestamp>,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// Who works on it.
    pub held_by: Option<NodeId>,
    /// Counted up by each who takes it.
    pub fence: u64,
}

pub(super) fn read(row: &AnyRow) -> Result<RotationRow, DbError> {
    let row = Reading(row);
    let version = |column| match row.optional_number::<u32>(column)? {
        None => Ok(None),
        Some(number) => SecretVersion::new(number)
            .map(Some)
            .ok_or_else(|| DbError::corrupt(format!("column {column}"))),
    };
    let secret: SecretName = row.parsed("secret")?;
    let tenant: TenantId = row.parsed("tenant")?;
    // The name decides whose it is; a row filed under another tenant must not be believed.
    if secret.tenant() != Some(&tenant) {
        return Err(DbError::corrupt("column tenant of a rotation"));
    }
    Ok(RotationRow {
        id: row.parsed("id")?,
        secret,
        tenant,
        cause: row.parsed("cause")?,
        state: row.parsed("state")?,
        former: version("former")?,
        version: version("version")?,
        attempt: row.number("attempt")?,
        asked: row.flag("asked")?,
        admin: row.optional_parsed("admin")?,
        waits: row.flag("waits")?,
        failures: row.number("failures")?,
        reason: row.optional_text("reason")?,
        next_at: row.optional_time("next_at")?,
        requested_by: row.optional_parsed("requested_by")?,
        created_at: row.time("created_at")?,
        created_key_at: row.optional_time("created_key_at")?,
        promoted_at: row.optional_time("promoted_at")?,
        ended_at: row.optional_time("ended_at")?,
        held_by: row.optional_parsed("held_by")?,
        fence: row.number("fence")?,
    })
}
