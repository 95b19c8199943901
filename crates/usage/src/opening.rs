//! What happens when a usage journal is opened: the index is rebuilt, lost calls are booked.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::Arc,
};

use diamond_domain::{EventId, UsageEvent};
use diamond_journal::{Journal, JournalError, Position};
use jiff::{SignedDuration, Timestamp};

use crate::{
    EventScan, UserCode, UserDictionary,
    dedup::{DedupIndex, ReportPlace, Taken},
    displaced::{correction_id, filter_of, read_correction},
    durable_tail::DurableTail,
    stored::{
        Malformed, Prepared, RecordKind, StoredRecord, content_hash, microseconds, report_sequence,
    },
    usage_journal::{Marks, State},
};

/// The calls that were open when the process died. Each is now one `partial` event with outcome
/// `lost`: somebody should be told.
#[derive(Debug, Default)]
pub struct RecoveredCalls {
    /// The events, as they were booked at this opening.
    pub lost: Vec<UsageEvent>,
}

/// What a journal holds.
pub(crate) struct Found {
    index: DedupIndex,
    sequence: u64,
    marks: Marks,
    /// Calls without an end, in the order in which they were opened.
    open: BTreeMap<Position, (UserCode, UsageEvent)>,
    /// Reports that were displaced and not withdrawn (the power went between the two records), by
    /// the correction that is missing.
    displaced: BTreeMap<EventId, ReportPlace>,
}

/// Reads the journal once, from end to end.
pub(crate) fn read_all(
    journal: &Journal,
    folder: &Path,
    window: SignedDuration,
    now: Timestamp,
) -> Result<Found, JournalError> {
    let corrupt = |reason| JournalError::Corrupt {
        segment: folder.to_owned(),
        offset: 0,
        reason,
    };
    let malformed = |error: Malformed| {
        tracing::error!(%error, "the usage journal holds something else");
        corrupt("a record is not one of a usage journal")
    };
    if journal.segments().first() != Some(&Position::START) {
        return Err(corrupt("its first segment is missing"));
    }
    let mut index = DedupIndex::new(window);
    let now_us = microseconds(now);
    let mut marks = Marks::default();
    let mut sequence = 0;
    let mut open = BTreeMap::new();
    let mut displaced = BTreeMap::new();
    let mut places: HashMap<EventId, Position> = HashMap::new();
    let mut scan = journal.scan(Position::START);
    while let Some((position, record)) = scan.next_record()? {
        let record = StoredRecord::read(record).map_err(malformed)?;
        match record.kind {
            RecordKind::Opened => {
                // An acknowledged end wins, even over a beginning that was told again.
                if !index.contains(record.event) && !places.contains_key(&record.event) {
                    let call = record.to_opened_call().map_err(malformed)?;
                    places.insert(record.event, position);
                    open.insert(position, (record.user, call.into_lost_event()));
                }
                continue;
            }
            RecordKind::Abandoned => {}
            RecordKind::Closed | RecordKind::Appended => {
                if record.sequence != sequence + 1 {
                    return Err(corrupt("the sequence of events has a gap"));
                }
                sequence = record.sequence;
                marks.note(sequence, position);
                // A record from the future was written while the clock was wrong.
                index.forget_rebuilding(record.ingested_us.min(now_us));
                let reported = index.reported(record.provider_call);
                if let Some(report) = reported.filter(|_| record.kind == RecordKind::Closed) {
                    displaced.insert(correction_id(record.tenant, report.event), report);
                }
                displaced.remove(&record.event);
                index.insert(
                    record.event,
                    Taken {
                        content: content_hash(record.json),
                        user: record.user,
                        provider_call: record.provider_call,
                        latest_us: record.timestamp_us.max(record.ingested_us),
                        report: report_sequence(record.kind, record.provider_call, sequence),
                    },
                );
            }
        }
        if let Some(place) = places.remove(&record.event) {
            open.remove(&place);
        }
    }
    index.forget(now);
    Ok(Found {
        index,
        sequence,
        marks,
        open,
        displaced,
    })
}

/// Turns every call without an end into an event, and withdraws what should have been, durably. Dying in here is harmless: what was
/// booked is closed at the next start, the rest is booked then.
pub(crate) fn book_lost_calls(
    journal: &Journal,
    dictionary: &Arc<UserDictionary>,
    found: Found,
    now: Timestamp,
) -> Result<(State, Vec<UsageEvent>), JournalError> {
    let Found {
        mut index,
        mut sequence,
        mut marks,
        open,
        displaced,
    } = found;
    let mut last = None;
    let mut book = |kind, event: UsageEvent, user| -> Result<u64, JournalError> {
        let prepared = Prepared::of(event).map_err(|error| JournalError::Unreadable {
            path: "events".into(),
            source: std::io::Error::other(error),
        })?;
        let record = prepared.record(kind, sequence + 1, now, user);
        let position = journal.append_reserved(&[record])?;
        sequence += 1;
        marks.note(sequence, position);
        last = Some(position);
        let taken = prepared.taken(kind, sequence, now, user);
        index.insert(prepared.event, taken);
        Ok(sequence)
    };
    for place in displaced.into_values() {
        let scan = EventScan {
            // Rare enough to begin at the beginning.
            scan: journal.scan(Position::START),
            dictionary: dictionary.clone(),
            filter: filter_of(place),
        };
        if let Some(correction) = read_correction(scan)? {
            book(RecordKind::Appended, correction, place.user)?;
        }
    }
    let mut lost = Vec::with_capacity(open.len());
    for (user, mut event) in open.into_values() {
        event.user_id = dictionary.shown(Some(&event.tenant_id), user);
        let booked = book(RecordKind::Closed, event.clone(), user)?;
        event.ledger_sequence = Some(booked);
        event.ingested_at = Some(now);
        lost.push(event);
    }
    if let Some(last) = last {
        journal.durable_blocking(last)?;
        if !lost.is_empty() {
            tracing::warn!(
                calls = lost.len(),
                "booked calls that were open when the process died"
            );
        }
    }
    let state = State {
        index,
        sequence,
        watermark: DurableTail::new(sequence),
        marks,
    };
    Ok((state, lost))
}
