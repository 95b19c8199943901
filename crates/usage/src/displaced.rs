//! Reports that stop counting because the gateway saw their call itself.
//!
//! Whoever reports a call that also passes through the gateway may come first: the provider's
//! request id is known from the head of the answer. What the gateway measured is better, so its
//! event is always written, and a report that was taken before is withdrawn by a correction with
//! the report's cost against its sign. The report itself stays: what was acknowledged at a
//! sequence never changes.

use diamond_domain::{
    CallOutcome, CostBasis, EventId, EventKind, EventSource, Money, Quantities, RequestId,
    UsageEvent,
};
use diamond_journal::{JournalError, Position};

use crate::{
    EventScan, ScanFilter, SinkError, UsageJournal, UserCode,
    dedup::ReportPlace,
    journal_events::{sink_error, unserialised},
    stored::Prepared,
};

/// A report that a closing event displaces, with what takes it out of the sums.
pub(crate) struct Displaced {
    pub report: EventId,
    /// The report's user: a name that was forgotten must not come back.
    pub user: UserCode,
    /// `None` when what was known was no report, or could not be read.
    pub correction: Option<Prepared>,
}

/// By how much the event changes the number of calls: one more for a call, one less for the
/// correction of a report whose call the gateway counted too.
#[must_use]
pub fn call_count(event: &UsageEvent) -> i64 {
    let tenant = event.tenant_id.as_str();
    let withdraws = |report| event.event_id == correction_id(tenant, report);
    match event.kind {
        EventKind::Call => 1,
        EventKind::Correction if event.corrects.is_some_and(withdraws) => -1,
        EventKind::Correction | EventKind::Settlement => 0,
    }
}

/// The name of the correction of a displaced report: the same whenever it is written, and not one
/// that a reporter can choose.
pub(crate) fn correction_id(tenant: &str, report: EventId) -> EventId {
    let about = RequestId::from_bits(report.to_bits());
    EventId::of_request(tenant, about, 0, "displaced-report")
}

/// What takes a report out of the sums it is in, so at its own time and place; `None` for an event
/// that is no report.
pub(crate) fn correction_of(report: UsageEvent) -> Option<UsageEvent> {
    let told = matches!(report.source, EventSource::Api | EventSource::Import);
    if !told || report.kind != EventKind::Call {
        return None;
    }
    // What has no price is in no sum; taking it back must not count as unpriced once more.
    let (cost_usd, cost_basis) = match report.cost_basis {
        CostBasis::Unpriced => (Money::ZERO, CostBasis::PricedUsage),
        basis => (-report.cost_usd, basis),
    };
    Some(UsageEvent {
        event_id: correction_id(report.tenant_id.as_str(), report.event_id),
        kind: EventKind::Correction,
        corrects: Some(report.event_id),
        ledger_sequence: None,
        ingested_at: None,
        quantities: Quantities::new(),
        cost_usd,
        cost_basis,
        duration_ms: None,
        first_byte_ms: None,
        status: None,
        outcome: CallOutcome::Succeeded,
        partial: false,
        source: EventSource::Gateway,
        provider_usage: None,
        token_id: None,
        address: None,
        report_digest: None,
        ..report
    })
}

/// Which event to look for.
pub(crate) const fn filter_of(place: ReportPlace) -> ScanFilter {
    let mut filter = ScanFilter::of_everybody();
    filter.after = place.sequence.saturating_sub(1);
    filter.through = place.sequence;
    filter.event = Some(place.event);
    filter
}

/// Reads the report and makes its correction. Blocks on the disk.
pub(crate) fn read_correction(mut scan: EventScan) -> Result<Option<UsageEvent>, JournalError> {
    let report = scan.next().transpose()?;
    Ok(report.and_then(correction_of))
}

impl UsageJournal {
    /// Prepares the withdrawal of a report. It is read back, for this is rare: the index keeps of
    /// an event only what tells it from another.
    pub(crate) async fn displace(&self, place: ReportPlace) -> Result<Displaced, SinkError> {
        // Only what is durable can be read, and the report may have been taken just now.
        if let Some(last) = self.journal.end().0.checked_sub(1) {
            let durable = self.journal.durable(Position(last));
            durable.await.map_err(sink_error)?;
        }
        let scan = self.scan(filter_of(place));
        let read = tokio::task::spawn_blocking(|| read_correction(scan)).await;
        let unreadable = |error: &dyn std::error::Error| {
            // The call itself must count all the same.
            tracing::error!(%error, report = %place.event, "a report that the gateway's own event displaces cannot be read: both count until the next start");
            None
        };
        let correction = match read {
            Ok(Ok(correction)) => correction,
            Ok(Err(error)) => unreadable(&error),
            Err(error) => unreadable(&error),
        };
        let correction = correction.map(Prepared::of).transpose();
        Ok(Displaced {
            report: place.event,
            user: place.user,
            correction: correction.map_err(unserialised)?,
        })
    }
}
