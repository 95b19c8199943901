//! The archive's form.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
};

use anyhow::{Context as _, bail, ensure};
use diamond_domain::{InstallationId, NodeId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The form that this release writes, and the newest that it reads.
const FORMAT: u32 = 1;

const HEAD: &str = "backup.json";
pub(super) const NODE: &str = "node.json";
pub(super) const DATABASE: &str = "database.ndjson";
const MANIFEST: &str = "manifest.json";
const MAC: &str = "manifest.mac";

/// Members that are read into memory are no larger.
const SMALL_BYTES_MAX: u64 = 64 << 20;

/// What an archive is, at its beginning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Head {
    pub format: u32,
    pub release: String,
    pub installation: InstallationId,
    pub node: NodeId,
    /// The moment that the archive is of.
    pub taken_at: Timestamp,
    /// Number of the newest migration, by which the rows are to be read.
    pub schema_version: i64,
}

impl Head {
    pub(super) fn new(
        installation: InstallationId,
        node: NodeId,
        taken_at: Timestamp,
        schema_version: i64,
    ) -> Self {
        Self {
            format: FORMAT,
            release: env!("CARGO_PKG_VERSION").to_owned(),
            installation,
            node,
            taken_at,
            schema_version,
        }
    }
}

/// What was counted while the archive was made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Counts {
    /// Rows of each table.
    pub rows: BTreeMap<String, u64>,
    /// Sequence of the last event that was durable before; there may be a few more.
    pub ledger_sequence: u64,
    /// Sequence of the last audit entry that was durable before; there may be a few more.
    pub audit_sequence: u64,
}

/// What an archive holds, at its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    #[serde(flatten)]
    pub head: Head,
    pub members: Vec<Member>,
    pub counts: Counts,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Member {
    name: String,
    bytes: u64,
    blake3: String,
}

/// Writes an archive.
pub(super) struct Writer<W: Write> {
    tar: tar::Builder<W>,
    head: Head,
    members: Vec<Member>,
}

impl<W: Write> Writer<W> {
    pub(super) fn begin(out: W, head: Head) -> io::Result<Self> {
        let text = serde_json::to_vec_pretty(&head)?;
        let mut writer = Self {
            tar: tar::Builder::new(out),
            head,
            members: Vec::new(),
        };
        writer.add(HEAD, text.len() as u64, text.as_slice())?;
        Ok(writer)
    }

    /// Adds a member of exactly this size.
    pub(super) fn add(&mut self, name: &str, bytes: u64, content: impl Read) -> io::Result<()> {
        let mut hashing = Hashing::new(content.take(bytes));
        self.append(name, bytes, &mut hashing)?;
        if hashing.bytes != bytes {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.members.push(Member {
            name: name.to_owned(),
            bytes,
            blake3: hashing.hash(),
        });
        Ok(())
    }

    /// Closes the archive with its manifest.
    pub(super) fn finish(mut self, counts: Counts, mac_key: &[u8; 32]) -> io::Result<()> {
        let manifest = Manifest {
            head: self.head.clone(),
            members: std::mem::take(&mut self.members),
            counts,
        };
        let text = serde_json::to_vec_pretty(&manifest)?;
        let mac = blake3::keyed_hash(mac_key, &text).to_hex();
        self.append(MANIFEST, text.len() as u64, text.as_slice())?;
        self.append(MAC, mac.len() as u64, mac.as_bytes())?;
        self.tar.into_inner()?.flush()
    }

    fn append(&mut self, name: &str, bytes: u64, content: impl Read) -> io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(0o600);
        header.set_size(bytes);
        header.set_mtime(u64::try_from(self.head.taken_at.as_second()).unwrap_or(0));
        self.tar.append_data(&mut header, name, content)
    }
}

/// An archive that was read to its end and is whole.
#[derive(Debug)]
pub(super) struct Whole {
    pub manifest: Manifest,
    /// The manifest's own hash: the archive's name.
    pub digest: String,
    text: Vec<u8>,
    mac: String,
}

impl Whole {
    /// Whether this installation made the archive.
    pub(super) fn is_by(&self, mac_key: &[u8; 32]) -> bool {
        let expected = blake3::keyed_hash(mac_key, &self.text);
        // Comparison of hashes takes the same time wherever they differ.
        blake3::Hash::from_hex(&self.mac).is_ok_and(|mac| mac == expected)
    }
}

/// Reads an archive to its end. Each member's content goes to `take` before it is known whether
/// the archive is whole.
pub(super) fn read(
    input: impl Read,
    mut take: impl FnMut(&str, &mut dyn Read) -> anyhow::Result<()>,
) -> anyhow::Result<Whole> {
    let mut tar = tar::Archive::new(input);
    let mut members = Vec::new();
    let mut head: Option<Head> = None;
    let mut manifest: Option<Vec<u8>> = None;
    let mut mac = None;
    for entry in tar.entries().context(NOT_ONE)? {
        let mut entry = entry.context(CUT)?;
        let name = entry
            .path()
            .context(NOT_ONE)?
            .to_string_lossy()
            .into_owned();
        ensure!(
            entry.header().entry_type() == tar::EntryType::Regular && mac.is_none(),
            NOT_ONE
        );
        let bytes = entry.size();
        if manifest.is_some() {
            ensure!(name == MAC, NOT_ONE);
            mac = Some(String::from_utf8(small(&mut entry, bytes)?).context(NOT_ONE)?);
            continue;
        }
        if name == MANIFEST {
            manifest = Some(small(&mut entry, bytes)?);
            continue;
        }
        ensure!(head.is_some() == (name != HEAD), NOT_ONE);
        let mut hashing = Hashing::new(&mut entry);
        if name == HEAD {
            let found: Head =
                serde_json::from_slice(&small(&mut hashing, bytes)?).context(NOT_ONE)?;
            ensure!(
                found.format <= FORMAT,
                "the archive has the format {}, and this release reads formats up to {FORMAT}: take \
                 the release that wrote it ({})",
                found.format,
                found.release
            );
            head = Some(found);
        } else {
            ensure!(
                is_ours(&name),
                "the archive has a member `{name}` that no backup has"
            );
            take(&name, &mut hashing)?;
        }
        io::copy(&mut hashing, &mut io::sink()).context(CUT)?;
        ensure!(hashing.bytes == bytes, CUT);
        members.push(Member {
            name,
            bytes,
            blake3: hashing.hash(),
        });
    }
    let (Some(head), Some(text), Some(mac)) = (head, manifest, mac) else {
        bail!(CUT);
    };
    let manifest: Manifest = serde_json::from_slice(&text).context(NOT_ONE)?;
    ensure!(
        manifest.members == members && manifest.head == head,
        "the archive is not what was written: a member was changed, added or taken away"
    );
    Ok(Whole {
        manifest,
        digest: blake3::hash(&text).to_hex().to_string(),
        text,
        mac,
    })
}

const NOT_ONE: &str = "this is not a backup, or it was damaged";
const CUT: &str = "the archive ends too early: it was cut, or its making was interrupted";

/// Only what a backup has: nothing else is written anywhere.
fn is_ours(name: &str) -> bool {
    let segment = |folder: &str| {
        let digits = name
            .strip_prefix(folder)
            .and_then(|rest| rest.strip_prefix('/'))
            .and_then(|rest| rest.strip_suffix(".journal"));
        digits.is_some_and(|digits| {
            digits.len() == 20 && digits.bytes().all(|digit| digit.is_ascii_digit())
        })
    };
    // An audit chain after the first has a folder of its own, with a word about what it follows.
    let chain = name.strip_prefix("audit/chain-").and_then(|rest| {
        let (number, file) = rest.split_once('/')?;
        let digits = (1..=9).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| (format!("audit/chain-{number}"), file))
    });
    let of_chain = |(folder, file): (String, &str)| file == "follows.json" || segment(&folder);
    name == NODE
        || name == DATABASE
        || ["audit", "events", "users"].into_iter().any(segment)
        || chain.is_some_and(of_chain)
}

fn small(content: &mut impl Read, bytes: u64) -> anyhow::Result<Vec<u8>> {
    ensure!(bytes <= SMALL_BYTES_MAX, NOT_ONE);
    let mut text = Vec::new();
    content.read_to_end(&mut text).context(CUT)?;
    ensure!(text.len() as u64 == bytes, CUT);
    Ok(text)
}

/// Hashes what is read through it.
struct Hashing<R> {
    content: R,
    hasher: blake3::Hasher,
    bytes: u64,
}

impl<R> Hashing<R> {
    fn new(content: R) -> Self {
        Self {
            content,
            hasher: blake3::Hasher::new(),
            bytes: 0,
        }
    }

    fn hash(&self) -> String {
        self.hasher.finalize().to_hex().to_string()
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let read = self.content.read(room)?;
        self.hasher.update(&room[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn sample() -> Vec<u8> {
        let at = Timestamp::UNIX_EPOCH;
        let head = Head::new(InstallationId::from_bits(1), NodeId::from_bits(2), at, 5);
        let mut out = Vec::new();
        let mut writer = Writer::begin(&mut out, head).unwrap();
        let events = vec![3_u8; 3_000];
        writer.add(NODE, 2, b"{}".as_slice()).unwrap();
        let segment = "events/00000000000000000000.journal";
        writer.add(segment, 3_000, events.as_slice()).unwrap();
        writer.finish(Counts::default(), &KEY).unwrap();
        out
    }

    fn read_all(archive: &[u8]) -> anyhow::Result<(Whole, Vec<u8>)> {
        let mut all = Vec::new();
        let whole = read(archive, |name, content| {
            all.extend_from_slice(name.as_bytes());
            content.read_to_end(&mut all)?;
            Ok(())
        })?;
        Ok((whole, all))
    }

    #[test]
    fn what_is_written_is_read() {
        let (whole, all) = read_all(&sample()).unwrap();
        assert!(whole.is_by(&KEY) && !whole.is_by(&[8; 32]));
        assert!(all.ends_with(&[3; 3_000]));
    }

    #[test]
    fn a_cut_anywhere_is_found() {
        let whole = sample();
        // Behind the mac stands only padding.
        let mac = whole
            .windows(MAC.len())
            .rposition(|text| text == MAC.as_bytes());
        let end = mac.unwrap() + 512 + 64;
        for length in 0..end {
            assert!(read_all(&whole[..length]).is_err(), "cut at {length}");
        }
    }

    #[test]
    fn a_changed_bit_is_found_or_changes_nothing() {
        let good = sample();
        let (_, content) = read_all(&good).unwrap();
        for place in 0..good.len() {
            let mut bad = good.clone();
            bad[place] ^= 1 << (place % 8);
            if let Ok((whole, read)) = read_all(&bad) {
                // A bit of the padding, of a date, or of the mac itself.
                assert!(!whole.is_by(&KEY) || read == content, "at {place}");
            }
        }
    }

    #[test]
    fn names_lead_nowhere_else() {
        for name in [
            "../control.db",
            "/etc/passwd",
            "events/../x.journal",
            "events/1.journal",
            "master-key",
            "events/0000000000000000000/.journal",
        ] {
            assert!(!is_ours(name), "{name}");
        }
    }
}
