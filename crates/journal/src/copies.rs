//! Copies of a journal, taken while it is written on.

use std::io::{self, Read};

use crate::{DiskFile, Journal, JournalError, segment};

/// A segment as far as it was durable at one moment, to be read from its beginning. What is
/// written behind that, and the file's removal, do not change it.
pub struct SegmentCopy {
    name: String,
    file: Box<dyn DiskFile>,
    bytes: u64,
    read: u64,
}

impl SegmentCopy {
    /// The file's name in the journal's folder.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many bytes there are to read.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl std::fmt::Debug for SegmentCopy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SegmentCopy")
            .field("name", &self.name)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

impl Read for SegmentCopy {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.bytes - self.read).unwrap_or(usize::MAX);
        let wanted = room.len().min(left);
        if wanted == 0 {
            return Ok(0);
        }
        let read = self.file.read_at(&mut room[..wanted], self.read)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.read += read as u64;
        Ok(read)
    }
}

impl Journal {
    /// Everything that is durable now, as segments that stand in a folder of their own for a
    /// journal that ends here. Holds writers up while the files are opened.
    ///
    /// # Errors
    /// [`JournalError::Unreadable`].
    pub fn copies(&self) -> Result<Vec<SegmentCopy>, JournalError> {
        let shared = self.shared();
        let state = shared.state.lock();
        let last = state.segments.last().copied();
        let copy = |&first: &u64| {
            let path = segment::path(&shared.folder, first);
            let opened = shared.disk.open(&path).and_then(|file| {
                let bytes = match Some(first) == last {
                    true => state.durable_bytes,
                    false => file.size()?,
                };
                Ok((file, bytes))
            });
            let (file, bytes) = opened.map_err(|source| JournalError::Unreadable {
                path: path.clone(),
                source,
            })?;
            let name = path.file_name().unwrap_or_default();
            Ok(SegmentCopy {
                name: name.to_string_lossy().into_owned(),
                file,
                bytes,
                read: 0,
            })
        };
        state.segments.iter().map(copy).collect()
    }
}
