//! Rows of the embedded secret store. The texts are sealed elsewhere; nothing here can read them,
//! and only the crate `secrets` uses this module.

mod custody;
mod keys;
mod versions;

use diamond_domain::{SecretName, SecretVersion, TenantId};
use jiff::Timestamp;

use crate::DbError;

pub use custody::{
    CustodyChange, CustodyRow, CustodyState, DataKeyCount, RekeyEnd, RekeyPhase, RekeyRow,
    Rewrapped, SealedNode, WrappedKey, change_custody, create_custody, custody, custody_state,
    forget_node, keys_under_others, register_node, rewrap,
};
pub use keys::{create_data_key, create_settings, data_key, settings};
pub use versions::{append, destroy, newest, request, version_of, versions};

/// Whose data key seals a secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// The platform's own credentials.
    Platform,
    /// A tenant's.
    Tenant(TenantId),
}

impl Owner {
    /// Whose the secret is.
    #[must_use]
    pub fn of(name: &SecretName) -> Self {
        name.tenant().cloned().map_or(Self::Platform, Self::Tenant)
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Platform => f.write_str("platform"),
            Self::Tenant(tenant) => write!(f, "tenant:{tenant}"),
        }
    }
}

impl std::str::FromStr for Owner {
    type Err = DbError;

    fn from_str(text: &str) -> Result<Self, DbError> {
        let damaged = || DbError::corrupt("column owner");
        match text.strip_prefix("tenant:") {
            None if text == "platform" => Ok(Self::Platform),
            None => Err(damaged()),
            Some(tenant) => tenant.parse().map(Self::Tenant).map_err(|_| damaged()),
        }
    }
}

/// One version of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedVersion {
    /// Its number.
    pub version: SecretVersion,
    /// The sealed text; `None` when it was destroyed.
    pub sealed: Option<String>,
    /// When it was put.
    pub created_at: Timestamp,
}

/// Which version a request made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedRequest {
    /// The secret.
    pub name: SecretName,
    /// The version.
    pub version: SecretVersion,
    /// A keyed digest over the request and its value.
    pub digest: String,
}

/// A version to append.
#[derive(Debug, Clone, Copy)]
pub struct Append<'a> {
    /// The secret.
    pub name: &'a SecretName,
    /// The newest version that the caller knows of; the row becomes the next one.
    pub newest: Option<SecretVersion>,
    /// The number of the new version.
    pub version: SecretVersion,
    /// Its sealed text.
    pub sealed: &'a str,
    /// The request that makes it.
    pub request_id: &'a str,
    /// The request's digest.
    pub digest: &'a str,
    /// When it is put.
    pub created_at: Timestamp,
}

/// What became of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is durable.
    Stored,
    /// The secret has another newest version than the caller knew.
    Moved,
    /// Another append of this request was faster.
    RequestTaken,
}
