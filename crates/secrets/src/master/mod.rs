//! The key above all keys: who wraps data keys, and where a local master key comes from.

mod file;
mod id;
mod passphrase;
mod ring;
mod source;

use std::path::PathBuf;

use async_trait::async_trait;
use diamond_db::DbError;

pub use id::MasterKeyId;
pub(crate) use passphrase::Derivation;
pub(crate) use ring::Derivations;
pub use ring::MasterKeys;
pub use source::MasterKeySource;

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
    /// Which master key it is.
    fn id(&self) -> &MasterKeyId;

    /// Wraps a key.
    async fn wrap(&self, key: &SecretKey, context: &[u8]) -> Result<Vec<u8>, WrapError>;

    /// Gives back exactly the key that was wrapped, or an error.
    async fn unwrap(&self, wrapped: &[u8], context: &[u8]) -> Result<SecretKey, WrapError>;
}

/// A master key in our own memory.
#[derive(Debug)]
pub struct MasterKey {
    id: MasterKeyId,
    key: SecretKey,
}

impl MasterKey {
    /// Takes the key as the master key.
    #[must_use]
    pub fn new(key: SecretKey) -> Self {
        Self {
            id: MasterKeyId::of(&key),
            key,
        }
    }
}

#[async_trait]
impl KeyWrapper for MasterKey {
    fn id(&self) -> &MasterKeyId {
        &self.id
    }

    async fn wrap(&self, key: &SecretKey, context: &[u8]) -> Result<Vec<u8>, WrapError> {
        envelope::seal_bytes(&self.key, context, key.expose())
            .map_err(|error| WrapError::Unavailable(Box::new(error)))
    }

    async fn unwrap(&self, wrapped: &[u8], context: &[u8]) -> Result<SecretKey, WrapError> {
        let opened = envelope::open_bytes(&self.key, context, wrapped);
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
    /// The file does not hold a passphrase.
    #[error("the file {path} does not hold a passphrase: it is no text, or too long", path = path.display())]
    NoPassphrase {
        /// The file.
        path: PathBuf,
    },
    /// There is no place for a next master key.
    #[error(
        "there is nothing to change to: put a new key or passphrase into a file and name it in \
         `secrets.next_master_key_file` or `secrets.next_passphrase_file` on every node"
    )]
    NoNext,
    /// The next master key is the present one.
    #[error("the next master key is the present one ({id}): put a new one there")]
    SameKey {
        /// Its id.
        id: MasterKeyId,
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
