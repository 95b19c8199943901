//! Where a node's audit chains lie: the first in the folder itself, each further one in a folder
//! `chain-N` inside it, with a word about what it follows.
//!
//! A chain that follows a broken one begins where that one ended, with a hash over its files in the
//! place of a hash of the chain: so the broken one stays as it is, or the break shows.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use diamond_domain::{from_hex, to_hex};
use diamond_journal::SegmentCopy;
use serde::{Deserialize, Serialize};

use crate::{AuditHead, audit_chain::EMPTY};

const FOLLOWS: &str = "follows.json";
const SEGMENT: &str = ".journal";

/// What a chain follows.
#[derive(Debug, Serialize, Deserialize)]
struct Follows {
    /// The last entry of the chain before.
    sequence: u64,
    /// Its files when it was closed; what is made beside them later is none of it.
    files: Vec<String>,
    /// The hash over them.
    evidence: String,
}

/// The number of the newest chain.
pub(crate) fn newest(root: &Path) -> io::Result<u32> {
    let mut newest = 1;
    let entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(newest),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("chain-"));
        let number = number.and_then(|number| number.parse().ok());
        // Without its word it was never begun.
        let begun = |number: &u32| folder(root, *number).join(FOLLOWS).exists();
        newest = newest.max(number.filter(begun).unwrap_or(0));
    }
    Ok(newest)
}

/// The folder of a chain.
pub(crate) fn folder(root: &Path, number: u32) -> PathBuf {
    match number {
        0 | 1 => root.to_owned(),
        number => root.join(format!("chain-{number}")),
    }
}

/// What stands before a chain's first entry.
pub(crate) fn beginning(root: &Path, number: u32) -> io::Result<AuditHead> {
    if number <= 1 {
        return Ok(EMPTY);
    }
    let follows = read(root, number)?;
    let hash = from_hex(&follows.evidence).and_then(|hash| hash.try_into().ok());
    Ok(AuditHead {
        sequence: follows.sequence,
        hash: hash.ok_or_else(|| io::Error::other("the hash of the chain before is damaged"))?,
    })
}

/// Prepares the folder of the chain that follows: durable, but for its journal.
pub(crate) fn prepare(root: &Path, number: u32, after: &AuditHead) -> io::Result<AuditHead> {
    let place = folder(root, number);
    fs::create_dir_all(&place)?;
    let before = folder(root, number - 1);
    let mut files: Vec<_> = fs::read_dir(&before)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(SEGMENT) || name == FOLLOWS)
        .collect();
    files.sort();
    let evidence = hash(&before, &files)?;
    let follows = Follows {
        sequence: after.sequence,
        files,
        evidence: to_hex(&evidence),
    };
    let draft = place.join("follows.json.new");
    fs::write(&draft, serde_json::to_vec_pretty(&follows)?)?;
    fs::File::open(&draft)?.sync_all()?;
    fs::rename(&draft, place.join(FOLLOWS))?;
    fs::File::open(&place)?.sync_all()?;
    fs::File::open(root)?.sync_all()?;
    Ok(AuditHead {
        sequence: after.sequence,
        hash: evidence,
    })
}

/// What a chain's folder is called inside the first's; nothing for the first.
pub(crate) fn prefix(number: u32) -> String {
    match number {
        0 | 1 => String::new(),
        number => format!("chain-{number}/"),
    }
}

/// A file of the chains, as it was at one moment.
pub struct AuditCopy {
    name: String,
    bytes: u64,
    content: Box<dyn io::Read + Send>,
}

impl AuditCopy {
    /// The file's name, by way of its chain's folder.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many bytes there are to read.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn of_segment(number: u32, segment: SegmentCopy) -> Self {
        Self {
            name: format!("{}{}", prefix(number), segment.name()),
            bytes: segment.bytes(),
            content: Box::new(segment),
        }
    }

    fn of_file(root: &Path, number: u32, file: &str) -> io::Result<Self> {
        let content = fs::File::open(folder(root, number).join(file))?;
        Ok(Self {
            name: format!("{}{file}", prefix(number)),
            bytes: content.metadata()?.len(),
            content: Box::new(content),
        })
    }
}

impl io::Read for AuditCopy {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.content.read(room)
    }
}

impl std::fmt::Debug for AuditCopy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuditCopy")
            .field("name", &self.name)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

/// What a chain stands on: the files of all before it, and its own word about them. They do not
/// change any more; one that is gone is left out, and its chain does not hold in the copy either.
pub(crate) fn copies_before(root: &Path, number: u32) -> io::Result<Vec<AuditCopy>> {
    let mut copies = Vec::new();
    for chain in 2..=number {
        let mut files = read(root, chain)?.files;
        // The word of the chain before came with that one.
        files.retain(|file| file != FOLLOWS);
        for file in files {
            match AuditCopy::of_file(root, chain - 1, &file) {
                Ok(copy) => copies.push(copy),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    tracing::warn!(chain = chain - 1, file, "a file kept as evidence is gone");
                }
                Err(error) => return Err(error),
            }
        }
        copies.push(AuditCopy::of_file(root, chain, FOLLOWS)?);
    }
    Ok(copies)
}

/// The hash over what a chain follows, as its files are now.
pub(crate) fn evidence(root: &Path, number: u32) -> io::Result<[u8; 32]> {
    let follows = read(root, number)?;
    match hash(&folder(root, number - 1), &follows.files) {
        // No hash is like this one.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok([0; 32]),
        found => found,
    }
}

fn read(root: &Path, number: u32) -> io::Result<Follows> {
    let text = fs::read(folder(root, number).join(FOLLOWS))?;
    Ok(serde_json::from_slice(&text)?)
}

fn hash(place: &Path, files: &[String]) -> io::Result<[u8; 32]> {
    let mut hasher = blake3::Hasher::new();
    for name in files {
        let mut file = fs::File::open(place.join(name))?;
        let length = file.metadata()?.len();
        hasher.update(&(name.len() as u64).to_le_bytes());
        hasher.update(name.as_bytes());
        hasher.update(&length.to_le_bytes());
        io::copy(&mut file, &mut hasher)?;
    }
    Ok(*hasher.finalize().as_bytes())
}
