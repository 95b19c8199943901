//! What can be done at once about a key that its provider refuses.

use std::sync::Arc;

use async_trait::async_trait;
use diamond_domain::{SecretName, SecretVersion};
use diamond_keyring::{KeyRepair, Keyring, RepairError};

use crate::Snapshot;

/// Looks whether a newer version was put in the meantime, here or on another node.
pub struct SnapshotRepair {
    snapshot: Arc<Snapshot>,
    keyring: Arc<Keyring>,
}

impl SnapshotRepair {
    /// Repairs from what the control database knows.
    #[must_use]
    pub fn new(snapshot: Arc<Snapshot>, keyring: Arc<Keyring>) -> Self {
        Self { snapshot, keyring }
    }
}

#[async_trait]
impl KeyRepair for SnapshotRepair {
    async fn replace(&self, name: &SecretName, failed: SecretVersion) -> Result<(), RepairError> {
        self.snapshot
            .catch_up()
            .await
            .map_err(|error| RepairError::Unavailable {
                name: name.clone(),
                source: error.into(),
            })?;
        let Some(tenant) = name.tenant() else {
            return Err(no_replacement(name));
        };
        match self.keyring.pin(name.service(), tenant) {
            Ok(key) if (key.name(), key.version()) != (name, failed) => Ok(()),
            _ => Err(no_replacement(name)),
        }
    }
}

fn no_replacement(name: &SecretName) -> RepairError {
    RepairError::NotPossible {
        name: name.clone(),
        reason: "no newer version was put; put a new key".into(),
    }
}
