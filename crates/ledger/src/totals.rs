//! Sums of a span of call times.

use std::collections::BTreeMap;

use diamond_domain::{
    CostBasis, Money, Payer, Quantities, ServiceId, TenantId, TimeRange, UsageEvent, UserId,
};
use diamond_usage::{GroupBy, ReadError, TenantScope, TotalsRow, UsageJournal, call_count};
use jiff::{Timestamp, civil::Date, tz::TimeZone};

use crate::{operator, scan_ledger::unavailable};

/// What a row is about, in the order in which rows are answered.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    tenant: Option<TenantId>,
    service: Option<ServiceId>,
    model: Option<String>,
    operation: Option<String>,
    user: Option<UserId>,
    day: Option<Date>,
    payer: Payer,
}

#[derive(Default)]
struct Totals {
    cost: Money,
    calls: u64,
    unpriced: u64,
    partial: u64,
    quantities: Quantities,
}

pub(crate) fn rows(
    journal: &UsageJournal,
    scope: &TenantScope,
    range: TimeRange,
    group_by: GroupBy,
) -> Result<Vec<TotalsRow>, ReadError> {
    let mut groups: BTreeMap<Group, Totals> = BTreeMap::new();
    let mut scan = operator::scope(scope);
    scan.range = Some(range);
    for event in journal.scan(scan) {
        let event = event.map_err(unavailable)?;
        let amounts = event.quantities.clone();
        let priced = priced_cost(&event);
        let (calls, partial) = (call_count(&event), event.partial);
        let totals = groups.entry(Group::of(event, group_by)).or_default();
        match priced {
            Some(cost) => totals.cost = totals.cost + cost,
            None => totals.unpriced += 1,
        }
        totals.calls = totals.calls.saturating_add_signed(calls);
        totals.partial += u64::from(partial);
        for (meter, amount) in amounts.iter() {
            totals.quantities.add(meter, amount);
        }
    }
    Ok(groups.into_iter().map(row).collect())
}

impl Group {
    fn of(event: UsageEvent, by: GroupBy) -> Self {
        Self {
            tenant: by.tenant.then_some(event.tenant_id),
            service: by.service.then_some(event.service),
            model: by.model.then_some(event.model),
            operation: by.operation.then_some(event.operation),
            user: by.user.then_some(event.user_id),
            day: by.day.then(|| day_of(event.timestamp)),
            payer: event.payer,
        }
    }
}

fn row((group, totals): (Group, Totals)) -> TotalsRow {
    TotalsRow {
        tenant: group.tenant,
        service: group.service,
        model: group.model,
        operation: group.operation,
        user: group.user,
        day: group.day,
        payer: group.payer,
        cost: totals.cost,
        calls: totals.calls,
        unpriced: totals.unpriced,
        partial: totals.partial,
        quantities: totals.quantities,
    }
}

/// The event's cost, when it is known.
pub(crate) fn priced_cost(event: &UsageEvent) -> Option<Money> {
    (event.cost_basis != CostBasis::Unpriced).then_some(event.cost_usd)
}

/// The UTC day.
pub(crate) fn day_of(time: Timestamp) -> Date {
    time.to_zoned(TimeZone::UTC).date()
}
