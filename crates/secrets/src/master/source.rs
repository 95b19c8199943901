//! Where master keys come from: a file, a passphrase, and the one that is to come next.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use super::{MasterKeyError, file, passphrase::Derivation};
use crate::SecretKey;

/// The longest passphrase, in bytes; a longer file is something else.
const PASSPHRASE_BYTES_MAX: usize = 4096;

/// Where a master key comes from.
#[derive(Clone)]
pub enum MasterKeySource {
    /// A file that only its owner can read.
    File(PathBuf),
    /// A passphrase that somebody gave at the start; what is needed to derive the key from it, but
    /// not the passphrase or the key, is kept in the control database.
    Passphrase(Zeroizing<String>),
    /// A file that holds a passphrase.
    PassphraseFile(PathBuf),
}

impl MasterKeySource {
    /// Makes a new random master key in a new file of mode 0600 and makes it durable. A file that
    /// is there already is an error and stays as it is.
    ///
    /// # Errors
    /// [`MasterKeyError::File`].
    pub fn create_file(path: &Path) -> Result<(), MasterKeyError> {
        file::create(path)
    }

    /// The file, if it is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) | Self::PassphraseFile(path) => Some(path),
            Self::Passphrase(_) => None,
        }
    }

    /// One word for what kind it is.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::Passphrase(_) | Self::PassphraseFile(_) => "passphrase",
        }
    }

    /// Whether a key is derived, which costs half a second, and not read.
    pub(super) const fn derives(&self) -> bool {
        !matches!(self, Self::File(_))
    }

    /// Reads or derives the key.
    pub(super) async fn key(
        &self,
        derivation: Option<&Derivation>,
    ) -> Result<SecretKey, MasterKeyError> {
        let passphrase = match self {
            Self::File(path) => return file::read(path),
            Self::Passphrase(text) => text.clone(),
            Self::PassphraseFile(path) => read_passphrase(path)?,
        };
        let derivation = derivation.ok_or(MasterKeyError::Parameters)?;
        derivation.derive(passphrase).await
    }
}

impl fmt::Debug for MasterKeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::PassphraseFile(path) => f.debug_tuple("PassphraseFile").field(path).finish(),
            Self::Passphrase(_) => f.write_str("Passphrase(…)"),
        }
    }
}

/// The first line end and what is before it is not ours to judge: only white space at the end goes.
fn read_passphrase(path: &Path) -> Result<Zeroizing<String>, MasterKeyError> {
    let failed = |source| MasterKeyError::File {
        path: path.to_owned(),
        source,
    };
    let malformed = || MasterKeyError::NoPassphrase {
        path: path.to_owned(),
    };
    let opened = std::fs::File::open(path).map_err(failed)?;
    let bytes = file::read_short(opened, PASSPHRASE_BYTES_MAX).map_err(failed)?;
    let bytes = bytes.ok_or_else(malformed)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| malformed())?;
    Ok(Zeroizing::new(text.trim_end().to_owned()))
}
