//! The port to whoever can put a new key in the place of a broken one.

use async_trait::async_trait;
use diamond_domain::{SecretName, SecretVersion, ServiceId, TenantId, Tier};

/// Why a key was not replaced.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// Nobody here can make a key for this service or tenant; a person has to.
    #[error("the key {name} cannot be replaced automatically: {reason}")]
    NotPossible {
        /// The secret.
        name: SecretName,
        /// Why not, and what a person can do.
        reason: String,
    },
    /// It did not work this time; a later try may.
    #[error("the key {name} could not be replaced now; try again later")]
    Unavailable {
        /// The secret.
        name: SecretName,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Replaces a key that its provider refuses.
///
/// When `replace` returns `Ok`, pinning the secret gives a version other than `failed`, which was
/// perhaps there already. Calls for the same secret and version that overlap do the work once and
/// all get its result; a call for a version that was replaced before does nothing and is `Ok`.
/// Dropping the future does not undo work that has begun.
#[async_trait]
pub trait KeyRepair: Send + Sync {
    /// Puts a new version in the place of `failed`.
    async fn replace(&self, name: &SecretName, failed: SecretVersion) -> Result<(), RepairError>;

    /// Makes a first key for a tenant that has none. When it returns `Ok`, pinning gives one.
    /// Calls for the same tenant and service that overlap make one key.
    async fn provide(
        &self,
        service: &ServiceId,
        tenant: &TenantId,
        tier: Tier,
    ) -> Result<(), RepairError>;
}
