//! A master key in a file: one line, a label and 32 bytes in base 64.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use super::MasterKeyError;
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
    let mut line = Zeroizing::new(String::with_capacity(LONGEST));
    line.push_str(LABEL);
    STANDARD.encode_string(key.expose(), &mut line);
    line.push('\n');
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    let written = file
        .write_all(line.as_bytes())
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
    // Room for all of it from the beginning: growing would leave copies behind.
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST + 1));
    let limit = LONGEST as u64 + 1;
    file.take(limit).read_to_end(&mut line).map_err(failed)?;
    if line.len() > LONGEST {
        return Err(malformed());
    }
    let text = std::str::from_utf8(&line).map_err(|_| malformed())?;
    let encoded = text.trim_end().strip_prefix(LABEL).ok_or_else(malformed)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST));
    STANDARD
        .decode_vec(encoded, &mut bytes)
        .map_err(|_| malformed())?;
    SecretKey::from_slice(&bytes).ok_or_else(malformed)
}
