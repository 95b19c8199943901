//! The embedded event sink: decides about events and writes the new ones to the usage journal.

use async_trait::async_trait;
use diamond_domain::{EventId, OpenedCall, UsageEvent};
use diamond_journal::{JournalError, Position};
use jiff::Timestamp;

use crate::{
    EventSink, SinkError, UsageJournal, UserCode, Verdict,
    dedup::{DedupIndex, Known, Taken},
    displaced::Displaced,
    stored::{Malformed, Prepared, RecordKind, abandoned_record, opened_record},
};

/// What was fetched for an event before the decision about it.
#[derive(Default)]
struct Ready {
    /// The user's code, when it seemed to be new.
    user: Option<UserCode>,
    /// The report that it seemed to displace.
    displaced: Option<Displaced>,
}

impl Ready {
    /// Whether it is enough to write an event of which this is known.
    fn covers(&self, known: Known) -> bool {
        let displaced = self.displaced.as_ref().map(|displaced| displaced.report);
        match known {
            Known::Reported(place) => displaced == Some(place.event),
            _ => true,
        }
    }
}

/// The records of one write, and what to undo if it fails.
struct Batch {
    now: Timestamp,
    /// Of the last event.
    sequence: u64,
    records: Vec<Vec<u8>>,
    inserted: Vec<(EventId, Option<EventId>)>,
}

impl Batch {
    const fn behind(sequence: u64, now: Timestamp) -> Self {
        Self {
            now,
            sequence,
            records: Vec::new(),
            inserted: Vec::new(),
        }
    }

    fn add(&mut self, index: &mut DedupIndex, kind: RecordKind, event: &Prepared, user: UserCode) {
        self.sequence += 1;
        let record = event.record(kind, self.sequence, self.now, user);
        self.records.push(record);
        let taken = event.taken(kind, self.sequence, self.now, user);
        let before = index.insert(event.event, taken);
        self.inserted.push((event.event, before));
    }

    fn withdraw(&mut self, index: &mut DedupIndex, displaced: Option<&Displaced>) {
        let Some((correction, user)) =
            displaced.and_then(|displaced| Some((displaced.correction.as_ref()?, displaced.user)))
        else {
            return;
        };
        // A report is withdrawn once.
        if !index.contains(correction.event) {
            self.add(index, RecordKind::Appended, correction, user);
        }
    }

    fn undo(self, index: &mut DedupIndex) {
        for (event, before) in self.inserted.into_iter().rev() {
            index.remove(event, before);
        }
    }
}

impl UsageJournal {
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
            let mut ready = Vec::with_capacity(prepared.len());
            for event in &prepared {
                ready.push(self.make_ready(kind, event).await?);
            }
            if let Some((verdicts, wait)) = self.write(kind, &prepared, &ready)? {
                if let Some(position) = wait {
                    self.journal.durable(position).await.map_err(sink_error)?;
                }
                return Ok(verdicts);
            }
        }
    }

    /// Fetches what waits for the disk, before the lock is taken.
    async fn make_ready(&self, kind: RecordKind, event: &Prepared) -> Result<Ready, SinkError> {
        let displaced = match self.known(kind, event) {
            Known::New => None,
            Known::Reported(place) if kind == RecordKind::Closed => {
                Some(self.displace(place).await?)
            }
            // A repeat of somebody who was forgotten must not bring the name back.
            _ => return Ok(Ready::default()),
        };
        let user = Some(self.code(event).await?);
        Ok(Ready { user, displaced })
    }

    async fn code(&self, event: &Prepared) -> Result<UserCode, SinkError> {
        let assigned = self.dictionary.assign(Some(&event.tenant), &event.user);
        assigned.await.map_err(sink_error)
    }

    fn known(&self, kind: RecordKind, event: &Prepared) -> Known {
        known(&self.state.lock().index, kind, event, self.clock.now())
    }

    /// Decides about the events and writes the new ones. `None` when one turned out to need what
    /// was not made ready.
    #[expect(clippy::type_complexity, reason = "verdicts, and what to wait for")]
    fn write(
        &self,
        kind: RecordKind,
        prepared: &[Prepared],
        ready: &[Ready],
    ) -> Result<Option<(Vec<Verdict>, Option<Position>)>, SinkError> {
        let now = self.clock.now();
        let mut state = self.state.lock();
        state.index.forget(now);
        let mut batch = Batch::behind(state.sequence, now);
        let mut verdicts = Vec::with_capacity(prepared.len());
        let mut repeated = false;
        let mut undecided = false;
        for (event, ready) in prepared.iter().zip(ready) {
            let index = &mut state.index;
            let verdict = match known(index, kind, event, now) {
                Known::TooOld => Verdict::TooOld,
                Known::Same(earlier) => {
                    repeated = true;
                    if self.same_fact(event, &earlier) {
                        Verdict::Duplicate
                    } else {
                        Verdict::Conflict
                    }
                }
                Known::SameCall | Known::Reported(_) if kind != RecordKind::Closed => {
                    repeated = true;
                    Verdict::Duplicate
                }
                new => {
                    let Some(user) = ready.user.filter(|_| ready.covers(new)) else {
                        undecided = true;
                        break;
                    };
                    batch.add(index, kind, event, user);
                    if matches!(new, Known::Reported(_)) {
                        batch.withdraw(index, ready.displaced.as_ref());
                    }
                    Verdict::Accepted
                }
            };
            verdicts.push(verdict);
        }
        let written = if undecided || batch.records.is_empty() {
            Ok(self.journal.end())
        } else {
            // The end of a call that was taken on must find its place.
            match kind {
                RecordKind::Closed => self.journal.stage_reserved(&batch.records),
                _ => self.journal.stage_all(&batch.records),
            }
        };
        let first = match written {
            Ok(first) if !undecided => first,
            failed => {
                batch.undo(&mut state.index);
                return failed.map(|_| None).map_err(sink_error);
            }
        };
        let last = match batch.records.len() as u64 {
            0 => first.0.checked_sub(1).map(Position),
            count => Some(Position(first.0 + count - 1)),
        };
        if let Some(last) = last.filter(|_| !batch.records.is_empty()) {
            let durable_end = self.journal.durable_end();
            let state = &mut *state;
            state.marks.note(state.sequence + 1, first);
            state.sequence = batch.sequence;
            state.watermark.push(last, batch.sequence, durable_end);
        }
        // A repeat is answered only when what it repeats is durable.
        let wait = last.filter(|_| repeated || !batch.records.is_empty());
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
        self.journal
            .append_reserved(&[record])
            .map_err(sink_error)?;
        Ok(())
    }

    async fn close(&self, event: UsageEvent) -> Result<Verdict, SinkError> {
        let verdicts = self.take(RecordKind::Closed, vec![event]).await?;
        Ok(verdicts.first().copied().unwrap_or(Verdict::Accepted))
    }

    fn check(&self) -> Result<(), SinkError> {
        Self::check(self).map_err(sink_error)
    }

    async fn append(&self, events: Vec<UsageEvent>) -> Result<Vec<Verdict>, SinkError> {
        self.take(RecordKind::Appended, events).await
    }
}

fn known(index: &DedupIndex, kind: RecordKind, event: &Prepared, now: Timestamp) -> Known {
    match index.look_up(event.event, event.provider_call, event.timestamp, now) {
        // We opened the call ourselves: it cannot be a repeat from before, and when the provider
        // gives two of our calls one id they are two all the same.
        Known::TooOld | Known::SameCall if kind == RecordKind::Closed => Known::New,
        known => known,
    }
}

pub(crate) fn sink_error(error: JournalError) -> SinkError {
    match error {
        JournalError::Full(source) => SinkError::Full(source),
        JournalError::Closed => SinkError::Closed,
        other => SinkError::Unavailable(Box::new(other)),
    }
}

pub(crate) fn unserialised(error: Malformed) -> SinkError {
    SinkError::Unavailable(Box::new(error))
}
