//! The embedded event sink: usage events in a journal.

use std::{fmt, path::Path, sync::Arc};

use async_trait::async_trait;
use diamond_domain::{Clock, EventId, OpenedCall, TenantId, TimeRange, UsageEvent};
use diamond_journal::{Disk, Journal, JournalError, JournalOptions, Position, Scan};
use jiff::SignedDuration;
use parking_lot::Mutex;

use crate::{
    ErasureSubject, EventSink, RecoveredCalls, SinkError, UserCode, UserDictionary, Verdict,
    dedup::{DedupIndex, Known, Taken},
    durable_tail::DurableTail,
    opening,
    stored::{
        Malformed, Prepared, RecordKind, StoredRecord, abandoned_record, microseconds,
        opened_record,
    },
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
/// it (`users/`). It is an [`EventSink`], and what the ledger reads.
///
/// [`EventSink::open`] hands its record to the operating system and does not wait for the disk,
/// but for the first call of a new user, whose code must be durable first: one flush.
///
/// The facts of the deduplication window are in memory, about a hundred bytes each.
pub struct UsageJournal {
    pub(crate) journal: Journal,
    dictionary: Arc<UserDictionary>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
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
    /// [`JournalError::Failed`] or [`JournalError::Closed`]. (A full disk shows only in writing.)
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

    async fn take(
        &self,
        kind: RecordKind,
        events: Vec<UsageEvent>,
    ) -> Result<Vec<Verdict>, SinkError> {
        let prepared: Vec<Prepared> = events
            .into_iter()
            .map(Prepared::of)
            .collect::<Result<_, _>>()
            .map_err(unserialised)?;
        loop {
            let mut codes = Vec::with_capacity(prepared.len());
            for event in &prepared {
                // A repeat of somebody who was forgotten must not bring the name back.
                let code = match self.known(kind, event) {
                    Known::New => Some(self.code(event).await?),
                    _ => None,
                };
                codes.push(code);
            }
            if let Some((verdicts, wait)) = self.write(kind, &prepared, &codes)? {
                if let Some(position) = wait {
                    self.journal.durable(position).await.map_err(sink_error)?;
                }
                return Ok(verdicts);
            }
        }
    }

    async fn code(&self, event: &Prepared) -> Result<UserCode, SinkError> {
        let assigned = self.dictionary.assign(Some(&event.tenant), &event.user);
        assigned.await.map_err(sink_error)
    }

    fn known(&self, kind: RecordKind, event: &Prepared) -> Known {
        known(&self.state.lock().index, kind, event, self.clock.now())
    }

    /// Decides about the events and writes the new ones. `None` when one turned out to be new
    /// for which no code was fetched.
    #[expect(clippy::type_complexity, reason = "verdicts, and what to wait for")]
    fn write(
        &self,
        kind: RecordKind,
        prepared: &[Prepared],
        codes: &[Option<UserCode>],
    ) -> Result<Option<(Vec<Verdict>, Option<Position>)>, SinkError> {
        let now = self.clock.now();
        let mut state = self.state.lock();
        state.index.forget(now);
        let mut sequence = state.sequence;
        let mut verdicts = Vec::with_capacity(prepared.len());
        let mut records = Vec::new();
        let mut inserted = Vec::new();
        let mut repeated = false;
        let mut undecided = false;
        for (event, code) in prepared.iter().zip(codes) {
            let verdict = match known(&state.index, kind, event, now) {
                Known::New => {
                    let Some(code) = *code else {
                        undecided = true;
                        break;
                    };
                    sequence += 1;
                    records.push(event.record(kind, sequence, now, code));
                    state.index.insert(event.event, taken(event, code, now));
                    inserted.push(event.event);
                    Verdict::Accepted
                }
                Known::TooOld => Verdict::TooOld,
                Known::SameCall => {
                    repeated = true;
                    if kind == RecordKind::Closed {
                        // Its opening record must not become a lost call.
                        records.push(abandoned_record(event.event, now));
                    }
                    Verdict::Duplicate
                }
                Known::Same(earlier) => {
                    repeated = true;
                    if self.same_fact(event, &earlier) {
                        Verdict::Duplicate
                    } else {
                        Verdict::Conflict
                    }
                }
            };
            verdicts.push(verdict);
        }
        let written = if undecided || records.is_empty() {
            Ok(self.journal.end())
        } else {
            self.journal.append_all(&records)
        };
        let first = match written {
            Ok(first) if !undecided => first,
            failed => {
                for event in inserted {
                    state.index.remove(event);
                }
                return failed.map(|_| None).map_err(sink_error);
            }
        };
        let last = match records.len() as u64 {
            0 => first.0.checked_sub(1).map(Position),
            count => Some(Position(first.0 + count - 1)),
        };
        if let Some(last) = last.filter(|_| !inserted.is_empty()) {
            let durable_end = self.journal.durable_end();
            let state = &mut *state;
            state.marks.note(state.sequence + 1, first);
            state.sequence = sequence;
            state.watermark.push(last, sequence, durable_end);
        }
        // A repeat is answered only when what it repeats is durable.
        let wait = last.filter(|_| repeated || !records.is_empty());
        Ok(Some((verdicts, wait)))
    }

    fn same_fact(&self, event: &Prepared, earlier: &Taken) -> bool {
        let name = self.dictionary.name(Some(&event.tenant), earlier.user);
        earlier.content == event.content && name.is_none_or(|name| name == event.user)
    }
}

#[async_trait]
impl EventSink for UsageJournal {
    fn open(&self, call: &OpenedCall) -> Result<(), SinkError> {
        let assigned = self
            .dictionary
            .assign_blocking(Some(&call.tenant_id), &call.user_id);
        let code = assigned.map_err(sink_error)?;
        let record = opened_record(call, code, self.clock.now()).map_err(unserialised)?;
        self.journal.append(&record).map_err(sink_error)?;
        Ok(())
    }

    fn abandon(&self, call: EventId) -> Result<(), SinkError> {
        let record = abandoned_record(call, self.clock.now());
        self.journal.append(&record).map_err(sink_error)?;
        Ok(())
    }

    async fn close(&self, event: UsageEvent) -> Result<Verdict, SinkError> {
        let verdicts = self.take(RecordKind::Closed, vec![event]).await?;
        Ok(verdicts.first().copied().unwrap_or(Verdict::Accepted))
    }

    async fn append(&self, events: Vec<UsageEvent>) -> Result<Vec<Verdict>, SinkError> {
        self.take(RecordKind::Appended, events).await
    }
}

/// Which events to read. There is no filter without saying whose.
#[derive(Debug, Clone)]
pub struct ScanFilter {
    tenant: Option<TenantId>,
    /// Time of the call.
    pub range: Option<TimeRange>,
    /// Who called.
    pub user: Option<UserCode>,
    /// One event.
    pub event: Option<EventId>,
    /// Behind this sequence.
    pub after: u64,
    /// Up to this sequence.
    pub through: u64,
}

impl ScanFilter {
    /// All events of a tenant.
    #[must_use]
    pub fn of(tenant: TenantId) -> Self {
        Self {
            tenant: Some(tenant),
            ..Self::of_everybody()
        }
    }

    /// All events of everybody: for operators and background work only.
    #[must_use]
    pub const fn of_everybody() -> Self {
        Self {
            tenant: None,
            range: None,
            user: None,
            event: None,
            after: 0,
            through: u64::MAX,
        }
    }

    /// Whether the record may be wanted, as far as can be told without looking at its JSON.
    fn admits(&self, record: &StoredRecord<'_>) -> bool {
        let tenant = self.tenant.as_ref();
        let about = |range: TimeRange| {
            (microseconds(range.from)..=microseconds(range.to)).contains(&record.timestamp_us)
        };
        matches!(record.kind, RecordKind::Closed | RecordKind::Appended)
            && record.sequence > self.after
            && record.sequence <= self.through
            && tenant.is_none_or(|tenant| tenant.as_str() == record.tenant)
            && self.user.is_none_or(|user| user == record.user)
            && self.event.is_none_or(|event| event == record.event)
            && self.range.is_none_or(about)
    }
}

/// Reads events, oldest sequence first, with names of users where there are any.
pub struct EventScan {
    scan: Scan,
    dictionary: Arc<UserDictionary>,
    filter: ScanFilter,
}

impl EventScan {
    fn advance(&mut self) -> Result<Option<UsageEvent>, JournalError> {
        while let Some((_, record)) = self.scan.next_record()? {
            let record = StoredRecord::read(record).map_err(unreadable)?;
            if record.sequence > self.filter.through {
                return Ok(None);
            }
            if !self.filter.admits(&record) {
                continue;
            }
            let mut event = record.to_event().map_err(unreadable)?;
            let inside = |range: TimeRange| range.contains(event.timestamp);
            if self.filter.range.is_none_or(inside) {
                event.user_id = self.dictionary.shown(Some(&event.tenant_id), record.user);
                return Ok(Some(event));
            }
        }
        Ok(None)
    }
}

impl Iterator for EventScan {
    type Item = Result<UsageEvent, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
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

fn known(index: &DedupIndex, kind: RecordKind, event: &Prepared, now: jiff::Timestamp) -> Known {
    match index.look_up(event.event, event.provider_call, event.timestamp, now) {
        // We opened the call ourselves: it cannot be a repeat from before.
        Known::TooOld if kind == RecordKind::Closed => Known::New,
        known => known,
    }
}

fn taken(event: &Prepared, user: UserCode, now: jiff::Timestamp) -> Taken {
    Taken {
        content: event.content,
        user,
        provider_call: event.provider_call,
        latest_us: microseconds(event.timestamp.max(now)),
    }
}

fn sink_error(error: JournalError) -> SinkError {
    match error {
        JournalError::Full(source) => SinkError::Full(source),
        JournalError::Closed => SinkError::Closed,
        other => SinkError::Unavailable(Box::new(other)),
    }
}

fn unserialised(error: Malformed) -> SinkError {
    SinkError::Unavailable(Box::new(error))
}

fn unreadable(error: Malformed) -> JournalError {
    JournalError::Unreadable {
        path: "events".into(),
        source: std::io::Error::other(error),
    }
}
