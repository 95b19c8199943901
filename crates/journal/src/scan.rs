//! Reading a journal while it is written.

use std::{collections::VecDeque, path::PathBuf, sync::Arc};

use crate::{
    Disk, JournalError, JournalId, Position,
    segment::{SegmentReader, Step},
};

/// Reads the records that were durable when it was made, oldest first, each checked.
///
/// Reads block on the disk: call from a thread that may. Memory stays flat. A record that no
/// longer is what was written ends the scan with [`JournalError::Corrupt`].
pub struct Scan {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) folder: PathBuf,
    pub(crate) journal: JournalId,
    pub(crate) record_bytes_max: usize,
    /// Segments not yet opened.
    pub(crate) segments: VecDeque<u64>,
    pub(crate) reader: Option<SegmentReader>,
    /// The number of the record to be read next.
    pub(crate) next: u64,
    /// The first record that the caller wants.
    pub(crate) from: u64,
    /// The first record that was not durable.
    pub(crate) end: u64,
}

impl Scan {
    /// The next record, lent: the cheapest way to read many.
    ///
    /// # Errors
    /// [`JournalError::Corrupt`] or [`JournalError::Unreadable`]; the scan is then over.
    pub fn next_record(&mut self) -> Result<Option<(Position, &[u8])>, JournalError> {
        match self.advance() {
            Ok(None) => Ok(None),
            Ok(Some(position)) => {
                let payload = self.reader.as_ref().map_or(&[][..], SegmentReader::payload);
                Ok(Some((position, payload)))
            }
            Err(error) => {
                self.end = 0;
                Err(error)
            }
        }
    }

    fn advance(&mut self) -> Result<Option<Position>, JournalError> {
        while self.next < self.end {
            let Some(reader) = &mut self.reader else {
                self.open_next_segment()?;
                continue;
            };
            match reader.read(self.next)? {
                Step::Record => {
                    let number = self.next;
                    self.next += 1;
                    if number >= self.from {
                        return Ok(Some(Position(number)));
                    }
                }
                // The segment ends before what we know to be durable: the rest is in the next.
                Step::End if !self.segments.is_empty() => self.reader = None,
                Step::End => return Err(corrupt(reader, "records are missing behind it")),
                Step::Damaged(reason) => return Err(corrupt(reader, reason)),
            }
        }
        Ok(None)
    }

    fn open_next_segment(&mut self) -> Result<(), JournalError> {
        let wrong = |reason| JournalError::Corrupt {
            segment: self.folder.clone(),
            offset: 0,
            reason,
        };
        let Some(first) = self.segments.pop_front() else {
            return Err(wrong("a segment is missing"));
        };
        if first != self.next {
            return Err(wrong("records are missing between two segments"));
        }
        let disk = self.disk.as_ref();
        match SegmentReader::open(disk, &self.folder, first, self.record_bytes_max)? {
            Ok((reader, journal)) if journal == self.journal => {
                self.reader = Some(reader);
                Ok(())
            }
            Ok((reader, _)) => Err(corrupt(&reader, "it belongs to another journal")),
            Err(reason) => Err(JournalError::Corrupt {
                segment: crate::segment::path(&self.folder, first),
                offset: 0,
                reason,
            }),
        }
    }
}

impl Iterator for Scan {
    type Item = Result<(Position, Vec<u8>), JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.next_record() {
            Ok(None) => None,
            Ok(Some((position, payload))) => Some(Ok((position, payload.to_vec()))),
            Err(error) => Some(Err(error)),
        }
    }
}

fn corrupt(reader: &SegmentReader, reason: &'static str) -> JournalError {
    JournalError::Corrupt {
        segment: reader.path().to_owned(),
        offset: reader.offset(),
        reason,
    }
}
