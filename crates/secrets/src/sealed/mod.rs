//! The embedded adapter: values sealed in the control database.

pub(crate) mod binding;
mod data_keys;
pub(crate) mod envelope;
mod opening;
mod put;
mod rekey;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use diamond_db::{
    Db, DbError,
    sealed::{self, Owner},
    system,
};
use diamond_domain::{Clock, InstallationId, SecretName, SecretValue, SecretVersion};
use zeroize::Zeroizing;

use crate::{
    KeptValues, KeyWrapper, MasterKeys, Precondition, SecretError, SecretKey, SecretStore,
    StoredVersion,
};
use data_keys::DataKeys;
pub use opening::OpenError;

/// Values sealed with AES-256-GCM under a data key for each owner, which the master key wraps.
///
/// What is sealed is bound to the installation, the secret's name and the version's number: a row
/// that was altered, moved or copied from elsewhere is [`SecretError::Tampered`].
pub struct SealedStore {
    db: Db,
    /// The master keys that this node holds.
    keys: MasterKeys,
    clock: Arc<dyn Clock>,
    installation: InstallationId,
    /// What every derived key comes from.
    root: SecretKey,
    /// Binds request ids to values without telling the values.
    request_key: Zeroizing<[u8; 32]>,
    data_keys: DataKeys,
    progress: rekey::Progress,
}

impl SealedStore {
    /// A key for one purpose, the same at every start of this installation and unrelated to the
    /// keys of other purposes. It comes from a random root and not from the master key, so it
    /// outlives a change of that; it changes only if the store is made anew.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        opening::derive(&self.root, &["purpose", purpose])
    }

    /// The master key with this id; looked for again when this node does not hold it yet.
    async fn master(&self, id: &str) -> Result<Arc<dyn KeyWrapper>, SecretError> {
        if let Some(key) = self.keys.get(id) {
            return Ok(key);
        }
        self.load_keys(&[id]).await?;
        self.keys.get(id).ok_or_else(|| {
            let lacks = format!("this node does not hold the master key {id} yet");
            SecretError::Unavailable(lacks.into())
        })
    }
}

impl fmt::Debug for SealedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedStore")
            .field("installation", &self.installation)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl SecretStore for SealedStore {
    async fn put(
        &self,
        name: &SecretName,
        value: &SecretValue,
        precondition: Precondition,
        request_id: &str,
    ) -> Result<SecretVersion, SecretError> {
        put::put(self, name, value, precondition, request_id).await
    }

    async fn get(
        &self,
        name: &SecretName,
        version: SecretVersion,
    ) -> Result<SecretValue, SecretError> {
        let tampered = || SecretError::Tampered {
            name: name.clone(),
            version,
        };
        let owner = Owner::of(name);
        let row = sealed::version_of(&self.db, &owner, name, version).await;
        let row = row.map_err(|error| unless_damaged(error, tampered))?;
        let row = row.ok_or_else(|| missing(name, version))?;
        let Some(text) = row.sealed else {
            return Err(SecretError::Destroyed {
                name: name.clone(),
                version,
            });
        };
        let key = match self.data_keys.existing(self, &owner).await {
            Ok(Some(key)) => key,
            Ok(None) | Err(SecretError::Damaged { .. }) => return Err(tampered()),
            Err(error) => return Err(error),
        };
        let binding = binding::of_value(self.installation, name, version);
        let plain = envelope::open(&key, &binding, &text).map_err(|_| tampered())?;
        let text = std::str::from_utf8(&plain).map_err(|_| tampered())?;
        Ok(SecretValue::new(text.to_owned()))
    }

    async fn keep_all(&self) -> Result<Option<KeptValues>, SecretError> {
        // Values first: whatever is among them, its owner's key was there before.
        let texts = system::load_sealed_values(&self.db).await;
        let texts = texts.map_err(|error| from_db(error, "the sealed values"))?;
        let owners = self.data_keys.all(self).await?;
        Ok(Some(KeptValues::new(texts, owners)))
    }

    async fn versions(&self, name: &SecretName) -> Result<Vec<StoredVersion>, SecretError> {
        let rows = sealed::versions(&self.db, &Owner::of(name), name).await;
        let rows = rows.map_err(|error| from_db(error, "a secret's versions"))?;
        let versions = rows.into_iter().map(|row| StoredVersion {
            version: row.version,
            created_at: row.created_at,
            destroyed: row.sealed.is_none(),
        });
        Ok(versions.collect())
    }

    async fn destroy(&self, name: &SecretName, version: SecretVersion) -> Result<(), SecretError> {
        let owner = Owner::of(name);
        let found = sealed::destroy(&self.db, &owner, name, version, self.clock.now()).await;
        if found.map_err(|error| from_db(error, "a secret's versions"))? {
            Ok(())
        } else {
            Err(missing(name, version))
        }
    }
}

fn missing(name: &SecretName, version: SecretVersion) -> SecretError {
    SecretError::Missing {
        name: name.clone(),
        version,
    }
}

/// A row that cannot even be read is damaged; anything else is an outage.
fn unless_damaged(error: DbError, damaged: impl FnOnce() -> SecretError) -> SecretError {
    match error {
        DbError::Corrupt { .. } => damaged(),
        other => SecretError::Unavailable(Box::new(other)),
    }
}

fn from_db(error: DbError, what: &'static str) -> SecretError {
    unless_damaged(error, || SecretError::Damaged { what })
}
