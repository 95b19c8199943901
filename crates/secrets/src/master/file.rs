//! A master key in a file: one line, a label and 32 bytes in base 64.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use super::{MasterKeyError, MasterKeyId};
use crate::SecretKey;

/// So that people and leak scanners know what they see.
const LABEL: &str = "diamond-master-key-1:";

/// A label, 44 letters and a line end; a longer file is something else.
const LONGEST: usize = 128;

pub(super) fn create(path: &Path) -> Result<(), MasterKeyError> {
    let failed = |source| MasterKeyError::File {
        path: path.to_owned(),
        source,
    };
    let key = SecretKey::generate().map_err(|error| failed(std::io::Error::from(error)))?;
    // Encoded into its place: growing a text would pass the key through a buffer on the stack.
    let mut line = Zeroizing::new([0_u8; LONGEST]);
    line[..LABEL.len()].copy_from_slice(LABEL.as_bytes());
    let encoded = STANDARD.encode_slice(key.expose(), &mut line[LABEL.len()..]);
    let encoded = encoded.map_err(|error| failed(std::io::Error::other(error)))?;
    let length = LABEL.len() + encoded + 1;
    line[length - 1] = b'\n';
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    let written = file
        .write_all(&line[..length])
        .and_then(|()| file.sync_all())
        .and_then(|()| sync_folder_of(path));
    written.map_err(|source| {
        // Half a key would be taken for a damaged one at the next start.
        let _ = std::fs::remove_file(path);
        failed(source)
    })
}

/// Without this a crash could lose the name of the file, and with it everything sealed since.
fn sync_folder_of(path: &Path) -> std::io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder)?.sync_all()
}

pub(super) fn read(path: &Path) -> Result<SecretKey, MasterKeyError> {
    let failed = |source| MasterKeyError::File {
        path: path.to_owned(),
        source,
    };
    let malformed = || MasterKeyError::Malformed {
        path: path.to_owned(),
    };
    let file = File::open(path).map_err(failed)?;
    // Of the opened file, not of the path: the path may be another file by now.
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(malformed());
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(MasterKeyError::Exposed {
            path: path.to_owned(),
            mode,
        });
    }
    let line = read_short(file, LONGEST).map_err(failed)?;
    let line = line.ok_or_else(malformed)?;
    let text = std::str::from_utf8(&line).map_err(|_| malformed())?;
    let encoded = text.trim_end().strip_prefix(LABEL).ok_or_else(malformed)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST));
    STANDARD
        .decode_vec(encoded, &mut bytes)
        .map_err(|_| malformed())?;
    SecretKey::from_slice(&bytes).ok_or_else(malformed)
}

/// The whole file, or `None` when it is longer than `longest`, in memory that is wiped.
pub(super) fn read_short(
    file: File,
    longest: usize,
) -> std::io::Result<Option<Zeroizing<Vec<u8>>>> {
    // Room for all of it from the beginning: growing would leave copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(longest + 64));
    file.take(longest as u64 + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() <= longest).then_some(bytes))
}

/// Where a key that is to come next is made: beside the present one.
pub(super) fn beside(path: &Path) -> PathBuf {
    with_suffix(path, "next")
}

/// Where the key that was before is kept.
pub(super) fn retired(path: &Path, id: &MasterKeyId) -> PathBuf {
    with_suffix(path, &format!("retired-{id}"))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

/// Puts the next key in the place of the present one, which is kept beside under its id. Killed
/// anywhere, it leaves both keys where they are found again, and repeating it goes on.
pub(super) fn promote(path: &Path, before: &MasterKeyId) -> std::io::Result<()> {
    match std::fs::hard_link(path, retired(path, before)) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    // The old name is durable before the new key takes the place.
    sync_folder_of(path)?;
    std::fs::rename(beside(path), path)?;
    sync_folder_of(path)
}
