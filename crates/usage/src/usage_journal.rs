//! The usage journal: what the embedded event sink writes and the ledger reads.

use std::{fmt, path::Path, sync::Arc};

use diamond_domain::Clock;
use diamond_journal::{Disk, Journal, JournalError, JournalOptions, Position, SegmentCopy};
use jiff::SignedDuration;
use parking_lot::Mutex;

use crate::{
    ErasureSubject, EventScan, RecoveredCalls, ScanFilter, UserDictionary, dedup::DedupIndex,
    durable_tail::DurableTail, opening,
};

/// The bounds of a usage journal.
#[derive(Debug, Clone)]
pub struct UsageJournalOptions {
    /// How far back a repeat is recognised. An older event is refused, unless it closes a call.
    pub dedup_window: SignedDuration,
    /// The bounds of the journal below.
    pub journal: JournalOptions,
}

impl Default for UsageJournalOptions {
    fn default() -> Self {
        Self {
            dedup_window: SignedDuration::from_hours(35 * 24),
            journal: JournalOptions {
                thread_name: "events-commit".to_owned(),
                ..JournalOptions::default()
            },
        }
    }
}

/// Usage events and opened calls in a journal (`events/`), names of users in a dictionary beside
/// it (`users/`). It is an [`EventSink`](crate::EventSink), and what the ledger reads.
///
/// [`EventSink::open`](crate::EventSink::open) hands its record to the operating system and does not wait for the disk,
/// but for the first call of a new user, whose code must be durable first: one flush.
///
/// The facts of the deduplication window are in memory, about a hundred bytes each.
pub struct UsageJournal {
    pub(crate) journal: Journal,
    pub(crate) dictionary: Arc<UserDictionary>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) state: Mutex<State>,
}

/// Changed only together with a write to the journal, under one lock: so sequences are in the
/// order of the records, without gaps, and of two writers with one id one comes first.
pub(crate) struct State {
    pub index: DedupIndex,
    /// Sequence of the last event that was written.
    pub sequence: u64,
    pub watermark: DurableTail<u64>,
    pub marks: Marks,
}

/// Where some sequences stand, so that a reader of late ones need not begin at the beginning.
#[derive(Debug, Default)]
pub(crate) struct Marks(Vec<(u64, Position)>);

impl Marks {
    const EVERY: u64 = 1_024;

    pub(crate) fn note(&mut self, sequence: u64, position: Position) {
        let due = self
            .0
            .last()
            .is_none_or(|(last, _)| sequence >= last + Self::EVERY);
        if due {
            self.0.push((sequence, position));
        }
    }

    /// A place at or before everything behind a sequence.
    fn before(&self, after: u64) -> Position {
        let behind = self
            .0
            .partition_point(|(sequence, _)| *sequence <= after + 1);
        let mark = behind.checked_sub(1).and_then(|at| self.0.get(at));
        mark.map_or(Position::START, |(_, position)| *position)
    }
}

/// The files of a usage journal, as they were at one moment.
#[derive(Debug)]
pub struct UsageCopies {
    /// The events' segments.
    pub events: Vec<SegmentCopy>,
    /// The names' segments.
    pub users: Vec<SegmentCopy>,
}

impl UsageJournal {
    /// Opens the journal in a folder. Calls that were open when the process died become events,
    /// durably, before this returns; so it waits for the disk, and reads all of the journal.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn open(
        folder: &Path,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        options: UsageJournalOptions,
    ) -> Result<(Arc<Self>, RecoveredCalls), JournalError> {
        let dictionary = Arc::new(UserDictionary::open(&folder.join("users"), disk.clone())?);
        let events = folder.join("events");
        let (journal, _) = Journal::open(&events, disk, options.journal)?;
        let now = clock.now();
        let found = opening::read_all(&journal, &events, options.dedup_window, now)?;
        let (state, lost) = opening::book_lost_calls(&journal, &dictionary, found, now)?;
        let opened = Self {
            journal,
            dictionary,
            clock,
            state: Mutex::new(state),
        };
        Ok((Arc::new(opened), RecoveredCalls { lost }))
    }

    /// The names behind the codes.
    #[must_use]
    pub const fn dictionary(&self) -> &Arc<UserDictionary> {
        &self.dictionary
    }

    /// Sequence of the last event that is durable; no event at or below it can still appear.
    #[must_use]
    pub fn watermark(&self) -> u64 {
        let durable_end = self.journal.durable_end();
        self.state.lock().watermark.settle(durable_end)
    }

    /// Reads the events that are durable now, by sequence. Blocks on the disk.
    #[must_use]
    pub fn scan(&self, filter: ScanFilter) -> EventScan {
        let from = self.state.lock().marks.before(filter.after);
        EventScan {
            scan: self.journal.scan(from),
            dictionary: self.dictionary.clone(),
            filter,
        }
    }

    /// Everything that is durable now: the events, and then the names, so that every code that
    /// stands in an event has its name. Blocks on the disk.
    ///
    /// # Errors
    /// As [`Journal::copies`].
    pub fn copies(&self) -> Result<UsageCopies, JournalError> {
        let events = self.journal.copies()?;
        let users = self.dictionary.copies()?;
        Ok(UsageCopies { events, users })
    }

    /// Forgets a person, or everybody of a tenant; how many names. Blocks on the disk.
    ///
    /// # Errors
    /// [`JournalError`]; erase again then.
    pub fn erase_blocking(&self, subject: &ErasureSubject) -> Result<u64, JournalError> {
        self.dictionary.erase_blocking(subject)
    }

    /// Whether events are taken.
    ///
    /// # Errors
    /// [`JournalError::Failed`] or [`JournalError::Closed`]; [`JournalError::Full`] after a refusal
    /// for want of space, as long as there is none.
    pub fn check(&self) -> Result<(), JournalError> {
        self.journal.check()?;
        self.dictionary.check()
    }

    /// Takes nothing more and makes everything durable. Blocks on the disk.
    ///
    /// # Errors
    /// [`JournalError::Failed`] when not everything is durable.
    pub fn close_blocking(&self) -> Result<(), JournalError> {
        self.journal.close()?;
        self.dictionary.close()
    }
}

impl fmt::Debug for UsageJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("UsageJournal");
        shown
            .field("journal", &self.journal)
            .finish_non_exhaustive()
    }
}
