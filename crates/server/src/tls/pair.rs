//! A certificate and its private key, in two files.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use rustls::{
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};
use x509_cert::{
    Certificate,
    der::{Decode as _, SliceReader},
};
use zeroize::{Zeroize as _, Zeroizing};

/// Longer files are no certificates and no keys.
const LONGEST: u64 = 1 << 20;

/// Why certificate and key cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PairError {
    /// A file cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Everybody on the machine may read the private key.
    #[error("{} has mode {mode:04o}: everybody on this machine can read the private key; \
             chmod 600 it, and consider it known", path.display())]
    Exposed { path: PathBuf, mode: u32 },
    /// It is something else.
    #[error("{} holds no {what} in PEM form", path.display())]
    Malformed { path: PathBuf, what: &'static str },
    /// The key is not the certificate's, or of a kind that is not spoken.
    #[error("certificate and private key do not fit: {0}")]
    Unfit(#[source] rustls::Error),
    /// It is over.
    #[error("the certificate ended at {0}")]
    Expired(Timestamp),
    /// TLS itself cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
}

/// What is shown to clients.
#[derive(Debug)]
pub(super) struct Pair {
    pub key: Arc<CertifiedKey>,
    /// When the certificate ends.
    pub ends: Timestamp,
}

/// Where a pair is.
#[derive(Debug)]
pub(super) struct PairFiles {
    certificate: PathBuf,
    key: PathBuf,
}

/// Differs once a file was written, replaced, or linked elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp([Option<FileStamp>; 2]);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileStamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl PairFiles {
    pub(super) fn new(certificate: &Path, key: &Path) -> Self {
        Self {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
        }
    }

    pub(super) fn stamp(&self) -> Stamp {
        Stamp([&self.certificate, &self.key].map(|path| {
            let file = fs::metadata(path).ok()?;
            Some(FileStamp {
                device: file.dev(),
                inode: file.ino(),
                size: file.size(),
                modified: (file.mtime(), file.mtime_nsec()),
            })
        }))
    }

    pub(super) fn read(&self) -> Result<Pair, PairError> {
        let chain = self.read_chain()?;
        let malformed = |what| PairError::Malformed {
            path: self.certificate.clone(),
            what,
        };
        let first = chain.first().ok_or_else(|| malformed("certificate"))?;
        let ends = end_of(first).ok_or_else(|| malformed("certificate that can be read"))?;
        let mut key = self.read_key()?;
        let signing = aws_lc_rs::sign::any_supported_type(&key);
        // The signing key has a copy of its own.
        key.zeroize();
        let key = CertifiedKey::new(chain, signing.map_err(PairError::Unfit)?);
        key.keys_match().map_err(PairError::Unfit)?;
        Ok(Pair {
            key: Arc::new(key),
            ends,
        })
    }

    fn read_chain(&self) -> Result<Vec<CertificateDer<'static>>, PairError> {
        let (text, _) = read(&self.certificate)?;
        CertificateDer::pem_slice_iter(&text)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| PairError::Malformed {
                path: self.certificate.clone(),
                what: "certificate",
            })
    }

    fn read_key(&self) -> Result<PrivateKeyDer<'static>, PairError> {
        let (text, mode) = read(&self.key)?;
        // Its group may: programs that renew certificates leave it so.
        if mode & 0o007 != 0 {
            return Err(PairError::Exposed {
                path: self.key.clone(),
                mode,
            });
        }
        PrivateKeyDer::from_pem_slice(&text).map_err(|_| PairError::Malformed {
            path: self.key.clone(),
            what: "private key",
        })
    }
}

/// A file's bytes and mode.
fn read(path: &Path) -> Result<(Zeroizing<Vec<u8>>, u32), PairError> {
    let failed = |source| PairError::File {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    // Of the opened file, not of the path: the path may be another file by now.
    let metadata = file.metadata().map_err(failed)?;
    // Room for all of it from the beginning: growing would leave copies behind.
    let room = usize::try_from(metadata.len().min(LONGEST)).unwrap_or(0) + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.take(LONGEST).read_to_end(&mut bytes).map_err(failed)?;
    Ok((bytes, metadata.permissions().mode() & 0o7777))
}

fn end_of(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    let mut reader = SliceReader::new(certificate).ok()?;
    let certificate = Certificate::decode(&mut reader).ok()?;
    let ends = certificate.tbs_certificate().validity().not_after;
    let seconds = i64::try_from(ends.to_unix_duration().as_secs()).ok()?;
    Timestamp::from_second(seconds).ok()
}
