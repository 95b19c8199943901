//! What happens when a usage journal is opened: the index is rebuilt, lost calls are booked.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use diamond_domain::{EventId, UsageEvent};
use diamond_journal::{Journal, JournalError, Position};
use jiff::{SignedDuration, Timestamp};

use crate::{
    UserCode, UserDictionary,
    dedup::{DedupIndex, Taken},
    durable_tail::DurableTail,
    stored::{Malformed, Prepared, RecordKind, StoredRecord, content_hash},
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
    let mut index = DedupIndex::new(window, now);
    let mut marks = Marks::default();
    let mut sequence = 0;
    let mut open = BTreeMap::new();
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
                index.insert(
                    record.event,
                    Taken {
                        content: content_hash(record.json),
                        user: record.user,
                        provider_call: record.provider_call,
                        latest_us: record.timestamp_us.max(record.ingested_us),
                    },
                );
            }
        }
        if let Some(place) = places.remove(&record.event) {
            open.remove(&place);
        }
    }
    Ok(Found {
        index,
        sequence,
        marks,
        open,
    })
}

/// Turns every call without an end into an event, durably. Dying in here is harmless: what was
/// booked is closed at the next start, the rest is booked then.
pub(crate) fn book_lost_calls(
    journal: &Journal,
    dictionary: &UserDictionary,
    found: Found,
    now: Timestamp,
) -> Result<(State, Vec<UsageEvent>), JournalError> {
    let Found {
        mut index,
        mut sequence,
        mut marks,
        open,
    } = found;
    let mut lost = Vec::with_capacity(open.len());
    let mut last = None;
    for (user, mut event) in open.into_values() {
        sequence += 1;
        event.user_id = dictionary.shown(Some(&event.tenant_id), user);
        let prepared = Prepared::of(event.clone()).map_err(|error| JournalError::Unreadable {
            path: "events".into(),
            source: std::io::Error::other(error),
        })?;
        let record = prepared.record(RecordKind::Closed, sequence, now, user);
        let position = journal.append(&record)?;
        marks.note(sequence, position);
        last = Some(position);
        index.insert(
            prepared.event,
            Taken {
                content: prepared.content,
                user,
                provider_call: 0,
                latest_us: crate::stored::microseconds(prepared.timestamp.max(now)),
            },
        );
        event.ledger_sequence = Some(sequence);
        event.ingested_at = Some(now);
        lost.push(event);
    }
    if let Some(last) = last {
        journal.durable_blocking(last)?;
        tracing::warn!(
            calls = lost.len(),
            "booked calls that were open when the process died"
        );
    }
    let state = State {
        index,
        sequence,
        watermark: DurableTail::new(sequence),
        marks,
    };
    Ok((state, lost))
}
