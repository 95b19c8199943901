//! Sums by sequence, for statements.

use std::collections::BTreeMap;

use diamond_domain::{EventKind, Money, Payer, Quantities, ServiceId, TenantId};
use diamond_usage::{ReadError, SequenceSum, TenantScope, UsageJournal};
use jiff::civil::Date;

use crate::{
    operator,
    scan_ledger::unavailable,
    totals::{day_of, priced_cost},
};

type Group = (TenantId, Date, ServiceId, String, EventKind, Payer);

#[derive(Default)]
struct Sums {
    quantities: Quantities,
    cost: Money,
    events: u64,
    unpriced: u64,
}

pub(crate) fn by_sequence(
    journal: &UsageJournal,
    scope: &TenantScope,
    from: u64,
    to: u64,
) -> Result<Vec<SequenceSum>, ReadError> {
    let mut groups: BTreeMap<Group, Sums> = BTreeMap::new();
    let mut scan = operator::scope(scope);
    scan.after = from;
    scan.through = to;
    for event in journal.scan(scan) {
        let event = event.map_err(unavailable)?;
        let cost = priced_cost(&event);
        let day = day_of(event.timestamp);
        let group = (
            event.tenant_id,
            day,
            event.service,
            event.model,
            event.kind,
            event.payer,
        );
        let sums = groups.entry(group).or_default();
        sums.events += 1;
        match cost {
            Some(cost) => sums.cost = sums.cost + cost,
            None => sums.unpriced += 1,
        }
        for (meter, amount) in event.quantities.iter() {
            sums.quantities.add(meter, amount);
        }
    }
    Ok(groups.into_iter().map(row).collect())
}

fn row(((tenant, day, service, model, kind, payer), sums): (Group, Sums)) -> SequenceSum {
    SequenceSum {
        tenant,
        day,
        service,
        model,
        kind,
        payer,
        quantities: sums.quantities.iter().collect(),
        cost: sums.cost,
        events: sums.events,
        unpriced: sums.unpriced,
    }
}
