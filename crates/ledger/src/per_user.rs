//! A tenant's totals by user.

use std::collections::BTreeMap;

use diamond_domain::{Money, Payer, TenantId, TimeRange, UserId};
use diamond_usage::{ReadError, ScanFilter, UsageJournal, UserTotal, call_count};

use crate::{scan_ledger::unavailable, totals::priced_cost};

pub(crate) fn totals(
    journal: &UsageJournal,
    tenant: TenantId,
    range: TimeRange,
) -> Result<Vec<UserTotal>, ReadError> {
    let mut users: BTreeMap<UserId, (Money, u64)> = BTreeMap::new();
    let mut scan = ScanFilter::of(tenant);
    scan.range = Some(range);
    for event in journal.scan(scan) {
        let event = event.map_err(unavailable)?;
        let cost = priced_cost(&event).filter(|_| event.payer == Payer::Platform);
        let change = call_count(&event);
        let (sum, calls) = users.entry(event.user_id).or_default();
        *sum = *sum + cost.unwrap_or(Money::ZERO);
        *calls = calls.saturating_add_signed(change);
    }
    let total = |(user, (cost, calls))| UserTotal { user, cost, calls };
    Ok(users.into_iter().map(total).collect())
}
