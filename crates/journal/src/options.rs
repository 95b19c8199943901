//! The small values of a journal: where a record stands, whose journal it is, its bounds.

use std::fmt;

/// A record's number, from 0, without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position(pub u64);

impl Position {
    /// Before the first record.
    pub const START: Self = Self(0);

    /// The record behind this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A random name that a journal gets when it is made; it stands in every segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct JournalId(pub [u8; 16]);

impl fmt::Display for JournalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The bounds of a journal.
#[derive(Debug, Clone)]
pub struct JournalOptions {
    /// A segment that has grown to this size is followed by a new one.
    pub segment_bytes: u64,
    /// A larger record is refused.
    pub record_bytes_max: usize,
    /// More than this is never waiting for the disk: further records are refused until it
    /// catches up.
    pub unsynced_bytes_max: u64,
    /// By how much a segment is prepared ahead of its records (with zeros, so that a flush need not
    /// write down a new size); 0 for not at all.
    pub prepared_bytes: u64,
    /// Space that is kept free for records that end what is under way
    /// ([`Journal::append_reserved`](crate::Journal::append_reserved)): others are refused before
    /// the disk is truly full. 0 for none.
    pub reserve_bytes: u64,
    /// What the commit thread is called.
    pub thread_name: String,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            record_bytes_max: 4 << 20,
            unsynced_bytes_max: 64 << 20,
            prepared_bytes: 256 << 10,
            reserve_bytes: 0,
            thread_name: "journal-commit".to_owned(),
        }
    }
}
