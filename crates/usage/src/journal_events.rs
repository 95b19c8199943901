//! The embedded event sink: decides about events and writes the new ones to the usage journal.

use async_trait::async_trait;
use diamond_domain::{EventId, OpenedCall, UsageEvent};
use diamond_journal::{JournalError, Position};

use crate::{
    EventSink, SinkError, UsageJournal, UserCode, Verdict,
    dedup::{DedupIndex, Known, Taken},
    stored::{Malformed, Prepared, RecordKind, abandoned_record, microseconds, opened_record},
};

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
