//! One file of a journal.
//!
//! Its name is the number of its first record in twenty digits, so names sort as records do. It
//! begins with 48 bytes: magic (8), version (4), checksum of the rest (4), first record's number
//! (8), journal id (16), reserved (8). They are durable before the first record is written, and a
//! segment begins only when the one before it is wholly durable. Behind the last record may stand
//! zeros, where further ones were to be written.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::{
    Disk, DiskFile, JournalError, JournalId,
    record::{HEADER_BYTES, RecordHeader, Seed},
};

/// Bytes before the first record.
pub(crate) const SEGMENT_HEADER_BYTES: u64 = 48;
const MAGIC: &[u8; 8] = b"dmdjrnl\n";
const VERSION: u32 = 1;
const SUFFIX: &str = ".journal";

/// The file's path.
pub(crate) fn path(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("{first:020}{SUFFIX}"))
}

/// The first record's numbers of the segments in a folder, ascending.
pub(crate) fn list(disk: &dyn Disk, folder: &Path) -> io::Result<Vec<u64>> {
    let number = |name: String| {
        let digits = name.strip_suffix(SUFFIX)?;
        (digits.len() == 20).then(|| digits.parse().ok()).flatten()
    };
    let mut firsts: Vec<u64> = disk.list(folder)?.into_iter().filter_map(number).collect();
    firsts.sort_unstable();
    Ok(firsts)
}

/// Makes a segment whose header and name are durable.
pub(crate) fn create(
    disk: &dyn Disk,
    folder: &Path,
    journal: JournalId,
    first: u64,
) -> io::Result<Box<dyn DiskFile>> {
    let file = disk.create(&path(folder, first))?;
    file.write_all_at(&header(journal, first), 0)?;
    file.sync_data()?;
    disk.sync_folder(folder)?;
    Ok(file)
}

fn header(journal: JournalId, first: u64) -> Vec<u8> {
    let mut rest = Vec::with_capacity(32);
    rest.extend_from_slice(&first.to_le_bytes());
    rest.extend_from_slice(&journal.0);
    rest.extend_from_slice(&[0; 8]);
    let mut header = Vec::with_capacity(48);
    header.extend_from_slice(MAGIC);
    header.extend_from_slice(&VERSION.to_le_bytes());
    header.extend_from_slice(&crc32fast::hash(&rest).to_le_bytes());
    header.extend_from_slice(&rest);
    header
}

/// What reading on in a segment gave.
pub(crate) enum Step {
    /// A record; [`SegmentReader::payload`] has it.
    Record,
    /// The file ends behind a whole record.
    End,
    /// What stands here is not a record.
    Damaged(&'static str),
}

/// Reads a segment from its beginning.
pub(crate) struct SegmentReader {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    seed: Seed,
    record_bytes_max: usize,
    /// Where in the file the next record begins.
    offset: u64,
    buffer: Vec<u8>,
    /// The part of the buffer that has not been looked at.
    unread: std::ops::Range<usize>,
    payload: std::ops::Range<usize>,
}

impl SegmentReader {
    const CHUNK: usize = 256 << 10;

    /// Opens the segment and checks its header. `Ok(Err(reason))` when the header is not ours.
    pub(crate) fn open(
        disk: &dyn Disk,
        folder: &Path,
        first: u64,
        record_bytes_max: usize,
    ) -> Result<Result<(Self, JournalId), &'static str>, JournalError> {
        let path = path(folder, first);
        let unreadable = |source| JournalError::Unreadable {
            path: path.clone(),
            source,
        };
        let file = disk.open(&path).map_err(unreadable)?;
        let mut reader = Self {
            file,
            path: path.clone(),
            seed: Seed::of(JournalId([0; 16])),
            record_bytes_max,
            offset: 0,
            buffer: Vec::new(),
            unread: 0..0,
            payload: 0..0,
        };
        let size = SEGMENT_HEADER_BYTES as usize;
        if !reader.fill(size)? {
            return Ok(Err("its header is incomplete"));
        }
        let found = &reader.buffer[..size];
        let mut journal = JournalId([0; 16]);
        journal.0.copy_from_slice(&found[24..40]);
        if &found[..8] != MAGIC {
            return Ok(Err("it is not a segment of a journal"));
        }
        if found[8..12] != VERSION.to_le_bytes() {
            return Err(JournalError::Corrupt {
                segment: path,
                offset: 8,
                reason: "it was written by another version",
            });
        }
        if found != header(journal, first) {
            return Ok(Err("its header is not what was written"));
        }
        reader.seed = Seed::of(journal);
        reader.skip(size);
        Ok(Ok((reader, journal)))
    }

    /// Where the next record begins, or would.
    pub(crate) const fn offset(&self) -> u64 {
        self.offset
    }

    /// The file's path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The payload of the record that was read last.
    pub(crate) fn payload(&self) -> &[u8] {
        &self.buffer[self.payload.clone()]
    }

    /// Reads the record that must have this number.
    pub(crate) fn read(&mut self, number: u64) -> Result<Step, JournalError> {
        if !self.fill(HEADER_BYTES)? {
            let zeros = self.buffer[self.unread.clone()]
                .iter()
                .all(|&byte| byte == 0);
            return Ok(if zeros {
                Step::End
            } else {
                Step::Damaged("the record's header is incomplete")
            });
        }
        let Some(header) = RecordHeader::read(&self.buffer[self.unread.clone()]) else {
            return Ok(Step::Damaged("the record's header is incomplete"));
        };
        if header.length == 0 && self.only_zeros_follow()? {
            return Ok(Step::End);
        }
        if header.number != number || header.length == 0 || header.length > self.record_bytes_max {
            return Ok(Step::Damaged("the record's header is not what was written"));
        }
        if !self.fill(HEADER_BYTES + header.length)? {
            return Ok(Step::Damaged("the record is incomplete"));
        }
        let begin = self.unread.start + HEADER_BYTES;
        self.payload = begin..begin + header.length;
        if !header.fits(self.seed, self.payload()) {
            return Ok(Step::Damaged("the record's checksum does not fit"));
        }
        self.skip(HEADER_BYTES + header.length);
        Ok(Step::Record)
    }

    /// Whether the file has nothing but zeros from here on.
    fn only_zeros_follow(&self) -> Result<bool, JournalError> {
        let mut chunk = vec![0; 64 << 10];
        let mut place = self.offset;
        loop {
            let read = self.file.read_at(&mut chunk, place);
            match read.map_err(|source| self.unreadable(source))? {
                0 => return Ok(true),
                read if chunk[..read].iter().any(|&byte| byte != 0) => return Ok(false),
                read => place += read as u64,
            }
        }
    }

    /// Whether anything behind the damage at the reader's place proves that record `number` was
    /// once durable.
    pub(crate) fn proves_durable(&mut self, number: u64) -> Result<bool, JournalError> {
        let size = self.file.size().map_err(|source| self.unreadable(source))?;
        let rest = usize::try_from(size.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        self.fill(rest)?;
        let rest = &self.buffer[self.unread.clone()];
        let proof = |at: usize| {
            let header = RecordHeader::read(&rest[at..])?;
            let plausible = header.durable > number
                && header.number >= header.durable
                && header.length <= self.record_bytes_max;
            let begin = at + HEADER_BYTES;
            let payload = plausible
                .then(|| rest.get(begin..begin + header.length))
                .flatten()?;
            header.fits(self.seed, payload).then_some(())
        };
        Ok((0..rest.len()).any(|at| proof(at).is_some()))
    }

    /// Cuts the file off at the reader's place, durably.
    pub(crate) fn cut_here(&self) -> io::Result<()> {
        self.file.truncate(self.offset)?;
        self.file.sync_data()
    }

    /// Makes what was read durable: a process that died had perhaps only handed it over.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// The file, to write on.
    pub(crate) fn into_file(self) -> Box<dyn DiskFile> {
        self.file
    }

    /// How many bytes the file has.
    pub(crate) fn size(&self) -> Result<u64, JournalError> {
        self.file.size().map_err(|source| self.unreadable(source))
    }

    fn skip(&mut self, bytes: usize) {
        self.unread.start += bytes;
        self.offset += bytes as u64;
    }

    /// Reads until at least `wanted` bytes are unread; false when the file ends before.
    fn fill(&mut self, wanted: usize) -> Result<bool, JournalError> {
        if self.unread.len() >= wanted {
            return Ok(true);
        }
        self.buffer.copy_within(self.unread.clone(), 0);
        self.unread = 0..self.unread.len();
        let room = wanted.max(Self::CHUNK);
        if self.buffer.len() < room {
            self.buffer.resize(room, 0);
        }
        while self.unread.end < wanted {
            let place = self.offset + self.unread.len() as u64;
            let read = self
                .file
                .read_at(&mut self.buffer[self.unread.end..], place)
                .map_err(|source| JournalError::Unreadable {
                    path: self.path.clone(),
                    source,
                })?;
            if read == 0 {
                return Ok(false);
            }
            self.unread.end += read;
        }
        Ok(true)
    }

    fn unreadable(&self, source: io::Error) -> JournalError {
        JournalError::Unreadable {
            path: self.path.clone(),
            source,
        }
    }
}
