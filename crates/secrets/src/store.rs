//! The port: immutable, numbered values of named secrets.

use async_trait::async_trait;
use diamond_domain::{SecretName, SecretValue, SecretVersion};
use jiff::Timestamp;

use crate::KeptValues;

/// What must hold for a put to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing: the value becomes the next version.
    None,
    /// The secret has no version yet.
    Absent,
    /// The secret's newest version is this one.
    Newest(SecretVersion),
}

/// A version without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredVersion {
    /// Its number.
    pub version: SecretVersion,
    /// When it was put.
    pub created_at: Timestamp,
    /// Whether its value is gone.
    pub destroyed: bool,
}

/// Why a secret was not put or read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// No such secret or version.
    #[error("there is no version {version} of the secret {name}")]
    Missing {
        /// The secret.
        name: SecretName,
        /// The version.
        version: SecretVersion,
    },
    /// The version's value was destroyed.
    #[error("version {version} of the secret {name} was destroyed")]
    Destroyed {
        /// The secret.
        name: SecretName,
        /// The version.
        version: SecretVersion,
    },
    /// The precondition does not hold.
    #[error("the secret {name} has moved on: its newest version is {newest:?}")]
    Conflict {
        /// The secret.
        name: SecretName,
        /// What it is at.
        newest: Option<SecretVersion>,
    },
    /// The request id was used before for another secret or another value.
    #[error("the request id was used before for something else")]
    RequestReused,
    /// The master key does not open this store.
    #[error(
        "the master key or passphrase is not the one that this store was sealed with: the store \
         needs the key {needed}, and this node was given {held}"
    )]
    WrongMasterKey {
        /// The id of the master key that opens the store.
        needed: String,
        /// The ids of those that this node holds.
        held: String,
    },
    /// The stored bytes are not what was sealed under this name and version.
    #[error("the sealed value of {name} version {version} is damaged or not its own")]
    Tampered {
        /// The secret.
        name: SecretName,
        /// The version.
        version: SecretVersion,
    },
    /// A record of the store itself, which belongs to no single version, is damaged.
    #[error("the secret store is damaged: {what}")]
    Damaged {
        /// Which record.
        what: &'static str,
    },
    /// The store cannot be reached; try again.
    #[error("the secret store cannot be reached")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Keeps immutable values of named secrets.
///
/// **Versions** are numbered from 1 without gaps for each secret and never change. There is no
/// "latest": a reader names the number that the control state gave it.
///
/// **Put** is compare-and-set and idempotent by `request_id`: repeating a put that succeeded, with
/// the same name and value, returns the same version and stores nothing; with another name or
/// value it is [`SecretError::RequestReused`]. Request ids of different tenants have nothing to do
/// with each other. Of concurrent puts with the same precondition on
/// one version, exactly one succeeds. A returned version is durable.
///
/// **Get** returns exactly what was put or an error; never another secret's value, another
/// version's, or a damaged one.
///
/// **What is kept** opens to exactly what a get of the same version answers, or to an error.
///
/// **Destroy** removes the value for good and keeps the number. Repeating it changes nothing.
#[async_trait]
pub trait SecretStore: Send + Sync {
    /// Stores the value as the next version.
    async fn put(
        &self,
        name: &SecretName,
        value: &SecretValue,
        precondition: Precondition,
        request_id: &str,
    ) -> Result<SecretVersion, SecretError>;

    /// Reads one version.
    async fn get(
        &self,
        name: &SecretName,
        version: SecretVersion,
    ) -> Result<SecretValue, SecretError>;

    /// Fetches every value at once, still sealed, for keeping in memory; `None` when the store has
    /// no better way than [`SecretStore::get`] for each.
    async fn keep_all(&self) -> Result<Option<KeptValues>, SecretError> {
        Ok(None)
    }

    /// Lists the versions, oldest first; empty when there is no such secret.
    async fn versions(&self, name: &SecretName) -> Result<Vec<StoredVersion>, SecretError>;

    /// Removes a value for good.
    async fn destroy(&self, name: &SecretName, version: SecretVersion) -> Result<(), SecretError>;
}
