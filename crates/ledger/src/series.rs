//! A tenant's cost over time.

use diamond_domain::{Money, Payer, ServiceId, TenantId, TimeRange};
use diamond_usage::{ReadError, ScanFilter, SeriesPoint, UsageJournal, call_count};
use jiff::{SignedDuration, Timestamp};

use crate::{scan_ledger::unavailable, totals::priced_cost};

const STEPS_MAX: usize = 10_000;

pub(crate) fn points(
    journal: &UsageJournal,
    tenant: TenantId,
    range: TimeRange,
    step: SignedDuration,
    service: Option<&ServiceId>,
) -> Result<Vec<SeriesPoint>, ReadError> {
    let mut points = empty_points(range, step)?;
    let mut scan = ScanFilter::of(tenant);
    scan.range = Some(range);
    for event in journal.scan(scan) {
        let event = event.map_err(unavailable)?;
        if service.is_some_and(|service| *service != event.service) {
            continue;
        }
        let elapsed = event.timestamp.as_nanosecond() - range.from.as_nanosecond();
        let place = usize::try_from(elapsed / step.as_nanos()).ok();
        let Some(point) = place.and_then(|place| points.get_mut(place)) else {
            continue;
        };
        let sum = match event.payer {
            Payer::Platform => &mut point.platform_cost,
            Payer::Tenant => &mut point.tenant_cost,
        };
        *sum = *sum + priced_cost(&event).unwrap_or(Money::ZERO);
        point.calls = point.calls.saturating_add_signed(call_count(&event));
    }
    Ok(points)
}

/// Every step of the span, the last one perhaps cut short by its end.
fn empty_points(range: TimeRange, step: SignedDuration) -> Result<Vec<SeriesPoint>, ReadError> {
    let too_large = ReadError::TooLarge { limit: STEPS_MAX };
    let (from, step) = (range.from.as_nanosecond(), step.as_nanos());
    let span = range.to.as_nanosecond() - from;
    if step <= 0 || span > step.saturating_mul(STEPS_MAX as i128) {
        return Err(too_large);
    }
    let mut points = Vec::new();
    let mut begin = from;
    while begin < range.to.as_nanosecond() {
        points.push(SeriesPoint {
            // Inside the span, so inside the calendar.
            from: Timestamp::from_nanosecond(begin).unwrap_or(range.from),
            platform_cost: Money::ZERO,
            tenant_cost: Money::ZERO,
            calls: 0,
        });
        begin += step;
    }
    Ok(points)
}
