//! The key above all keys: who wraps data keys, and where a local master key comes from.

mod file;
mod passphrase;

use std::{fmt, path::PathBuf, sync::Arc};

use async_trait::async_trait;
use diamond_db::{Db, DbError};
use zeroize::Zeroizing;

use crate::{SecretKey, sealed::envelope};

/// Why a data key was not wrapped or unwrapped.
#[derive(Debug, thiserror::Error)]
pub enum WrapError {
    /// It was not wrapped by this key, not in this context, or it was altered.
    #[error("the wrapped key does not open with this master key")]
    Refused,
    /// The keeper of the master key cannot be reached; try again.
    #[error("the keeper of the master key cannot be reached")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Wraps data keys with a master key that it keeps: here a local one, elsewhere a KMS.
///
/// The **context** is not secret; a key is unwrapped only with the context that it was wrapped
/// with (a KMS calls this additional authenticated data). Wrapping the same key twice may give
/// different bytes. Both calls may happen at once, from anywhere.
#[async_trait]
pub trait KeyWrapper: Send + Sync {
    /// Wraps a key.
    async fn wrap(&self, key: &SecretKey, context: &[u8]) -> Result<Vec<u8>, WrapError>;

    /// Gives back exactly the key that was wrapped, or an error.
    async fn unwrap(&self, wrapped: &[u8], context: &[u8]) -> Result<SecretKey, WrapError>;
}

/// A master key in our own memory.
#[derive(Debug)]
pub struct MasterKey(SecretKey);

impl MasterKey {
    /// Takes the key as the master key.
    #[must_use]
    pub const fn new(key: SecretKey) -> Self {
        Self(key)
    }
}

#[async_trait]
impl KeyWrapper for MasterKey {
    async fn wrap(&self, key: &SecretKey, context: &[u8]) -> Result<Vec<u8>, WrapError> {
        envelope::seal_bytes(&self.0, context, key.expose())
            .map_err(|error| WrapError::Unavailable(Box::new(error)))
    }

    async fn unwrap(&self, wrapped: &[u8], context: &[u8]) -> Result<SecretKey, WrapError> {
        let opened = envelope::open_bytes(&self.0, context, wrapped);
        opened
            .ok()
            .and_then(|bytes| SecretKey::from_slice(&bytes))
            .ok_or(WrapError::Refused)
    }
}

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The file cannot be read or made.
    #[error("the master key file {path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Others could read the file, so what it holds is no secret.
    #[error(
        "the master key file {path} can be read by others (mode {mode:04o}): \
         `chmod 0600 {path}`, and if others were ever able to read it, make a new one",
        path = path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode bits.
        mode: u32,
    },
    /// The file is not a master key.
    #[error("the file {path} does not hold a master key", path = path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// The passphrase is too short to be one.
    #[error("a master passphrase has at least {minimum} characters")]
    Short {
        /// The fewest characters.
        minimum: usize,
    },
    /// What was stored to derive the key from the passphrase is damaged.
    #[error("the stored parameters of the master passphrase are damaged")]
    Parameters,
    /// The derivation failed: not enough memory, or no random bytes.
    #[error("the master key cannot be derived: {0}")]
    Derivation(String),
    /// The control database did not answer.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// Where a local master key comes from.
pub enum MasterKeySource {
    /// A file that only its owner can read.
    File(PathBuf),
    /// A passphrase; what is needed to derive the key from it, but not the passphrase or the key,
    /// is kept in the control database.
    Passphrase(Zeroizing<String>),
}

impl MasterKeySource {
    /// Makes a new random master key in a new file of mode 0600 and makes it durable. A file that
    /// is there already is an error and stays as it is.
    ///
    /// # Errors
    /// [`MasterKeyError::File`].
    pub fn create_file(path: &std::path::Path) -> Result<(), MasterKeyError> {
        file::create(path)
    }

    /// Reads or derives the key. That it is the right one turns out at
    /// [`crate::SealedStore::open`].
    ///
    /// # Errors
    /// See [`MasterKeyError`].
    pub async fn load(&self, db: &Db) -> Result<Arc<dyn KeyWrapper>, MasterKeyError> {
        let key = match self {
            Self::File(path) => file::read(path)?,
            Self::Passphrase(passphrase) => passphrase::derive(db, passphrase).await?,
        };
        Ok(Arc::new(MasterKey::new(key)))
    }
}

impl fmt::Debug for MasterKeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Passphrase(_) => f.write_str("Passphrase(…)"),
        }
    }
}
