//! What happens when a journal is opened.

use std::{io, path::Path};

use crate::{
    Disk, DiskFile, JournalError, JournalId, JournalOptions, Position,
    segment::{self, SEGMENT_HEADER_BYTES, SegmentReader, Step},
};

/// What was found at opening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// The journal's random name.
    pub journal: JournalId,
    /// The first record that is kept; larger than 0 when older ones were dropped.
    pub first: Position,
    /// Where the next record will stand; everything before it is durable.
    pub end: Position,
    /// How many bytes of records that nobody was told to be durable were cut off.
    pub cut_bytes: u64,
}

/// The journal as it can be written on.
pub(crate) struct Opened {
    pub recovery: Recovery,
    pub file: Box<dyn DiskFile>,
    pub file_bytes: u64,
    /// Where the zeros end that follow.
    pub prepared_bytes: u64,
    /// First record's numbers of all segments; never empty.
    pub segments: Vec<u64>,
}

/// Brings a folder into order: cuts a torn tail, makes what is left durable.
pub(crate) fn recover(
    disk: &dyn Disk,
    folder: &Path,
    options: &JournalOptions,
) -> Result<Opened, JournalError> {
    let mut segments = segment::list(disk, folder).map_err(|source| JournalError::Unreadable {
        path: folder.to_owned(),
        source,
    })?;
    let mut cut_bytes = 0;
    loop {
        let Some(&first) = segments.last() else {
            return begin(disk, folder, cut_bytes);
        };
        let opened = SegmentReader::open(disk, folder, first, options.record_bytes_max)?;
        let (reader, journal) = match opened {
            Ok(opened) => opened,
            Err(reason) => {
                cut_bytes += remove_unborn(disk, folder, first, reason)?;
                segments.pop();
                continue;
            }
        };
        return read_last(reader, journal, segments, cut_bytes);
    }
}

fn begin(disk: &dyn Disk, folder: &Path, cut_bytes: u64) -> Result<Opened, JournalError> {
    let mut journal = JournalId([0; 16]);
    getrandom::fill(&mut journal.0)
        .map_err(|error| JournalError::Failed(io::Error::other(error)))?;
    let file = segment::create(disk, folder, journal, 0).map_err(JournalError::of_write)?;
    Ok(Opened {
        recovery: Recovery {
            journal,
            first: Position::START,
            end: Position::START,
            cut_bytes,
        },
        file,
        file_bytes: SEGMENT_HEADER_BYTES,
        prepared_bytes: SEGMENT_HEADER_BYTES,
        segments: vec![0],
    })
}

/// Removes a segment that we died making. Its header is durable before any record is written, so
/// one with a bad header and more behind it is not such a one but damaged.
fn remove_unborn(
    disk: &dyn Disk,
    folder: &Path,
    first: u64,
    reason: &'static str,
) -> Result<u64, JournalError> {
    let path = segment::path(folder, first);
    let unreadable = |source: io::Error| JournalError::Unreadable {
        path: path.clone(),
        source,
    };
    let size = disk.open(&path).and_then(|file| file.size());
    let size = size.map_err(unreadable)?;
    if size > SEGMENT_HEADER_BYTES {
        return Err(JournalError::Corrupt {
            segment: path,
            offset: 0,
            reason,
        });
    }
    disk.remove(&path)
        .and_then(|()| disk.sync_folder(folder))
        .map_err(JournalError::of_write)?;
    Ok(size)
}

fn read_last(
    mut reader: SegmentReader,
    journal: JournalId,
    segments: Vec<u64>,
    mut cut_bytes: u64,
) -> Result<Opened, JournalError> {
    let mut number = segments.last().copied().unwrap_or(0);
    loop {
        match reader.read(number)? {
            Step::Record => number += 1,
            Step::End => {
                reader.sync().map_err(JournalError::Failed)?;
                break;
            }
            Step::Damaged(reason) => {
                if reader.proves_durable(number)? {
                    return Err(JournalError::Corrupt {
                        segment: reader.path().to_owned(),
                        offset: reader.offset(),
                        reason,
                    });
                }
                let torn = reader.size()?.saturating_sub(reader.offset());
                tracing::warn!(
                    segment = %reader.path().display(),
                    offset = reader.offset(),
                    bytes = torn,
                    "cut off records that were never acknowledged"
                );
                reader.cut_here().map_err(JournalError::Failed)?;
                cut_bytes += torn;
                break;
            }
        }
    }
    Ok(Opened {
        recovery: Recovery {
            journal,
            first: Position(segments.first().copied().unwrap_or(0)),
            end: Position(number),
            cut_bytes,
        },
        file_bytes: reader.offset(),
        prepared_bytes: reader.size()?,
        file: reader.into_file(),
        segments,
    })
}
