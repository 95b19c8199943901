//! Pages of events.

use diamond_domain::UsageEvent;
use diamond_usage::{EventFilter, EventPage, LedgerCursor, ReadError, TenantScope, UsageJournal};

use crate::{operator, scan_ledger::unavailable};

pub(crate) fn page(
    journal: &UsageJournal,
    scope: &TenantScope,
    filter: &EventFilter,
    after: LedgerCursor,
    limit: usize,
) -> Result<EventPage, ReadError> {
    let limit = limit.clamp(1, 1_000);
    let mut scan = operator::scope(scope);
    scan.after = after.0;
    scan.range = filter.range;
    scan.event = filter.event;
    if let (Some(user), TenantScope::One(tenant)) = (&filter.user, scope) {
        // A code tells a record without its JSON being read.
        match journal.dictionary().code(Some(tenant), user) {
            Some(code) => scan.user = Some(code),
            None => return Ok(EventPage::default()),
        }
    }

    let mut page = EventPage::default();
    for event in journal.scan(scan) {
        let event = event.map_err(unavailable)?;
        if !matches(filter, &event) {
            continue;
        }
        if page.events.len() == limit {
            let last = page.events.last().and_then(|event| event.ledger_sequence);
            page.next = last.map(LedgerCursor);
            break;
        }
        page.events.push(event);
    }
    Ok(page)
}

fn matches(filter: &EventFilter, event: &UsageEvent) -> bool {
    let EventFilter {
        // The scan has looked at these.
        range: _,
        event: _,
        user,
        service,
        model,
        request_id,
        provider_request_id,
        secret_version,
        payer,
        token,
        address,
    } = filter;
    user.as_ref().is_none_or(|user| *user == event.user_id)
        && service
            .as_ref()
            .is_none_or(|service| *service == event.service)
        && model.as_ref().is_none_or(|model| *model == event.model)
        && request_id.as_ref().is_none_or(|id| *id == event.request_id)
        && (provider_request_id.is_none() || *provider_request_id == event.provider_request_id)
        && (secret_version.is_none() || *secret_version == event.secret_version)
        && payer.is_none_or(|payer| payer == event.payer)
        && (token.is_none() || *token == event.token_id)
        && address.is_none_or(|address| {
            event
                .address
                .is_some_and(|found| found.to_canonical() == address)
        })
}
