//! Reading events back.

use std::sync::Arc;

use diamond_domain::{EventId, TenantId, TimeRange, UsageEvent};
use diamond_journal::{JournalError, Scan};

use crate::{
    UserCode, UserDictionary,
    stored::{Malformed, RecordKind, StoredRecord, microseconds},
};

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
    pub(crate) scan: Scan,
    pub(crate) dictionary: Arc<UserDictionary>,
    pub(crate) filter: ScanFilter,
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

fn unreadable(error: Malformed) -> JournalError {
    JournalError::Unreadable {
        path: "events".into(),
        source: std::io::Error::other(error),
    }
}
