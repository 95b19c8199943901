//! What every [`UsageReader`] promises.

use std::sync::Arc;

use diamond_domain::{CostBasis, EventKind, Meter, Money, Payer, TimeRange, UsageEvent};
use jiff::{SignedDuration, Timestamp};

use super::samples::{closing, now, opened, reported, tenant, user};
use crate::{
    ErasureSubject, EventFilter, EventSink, GroupBy, LedgerCursor, ReadError, TenantScope,
    UsageReader, Verdict,
};

/// Runs the suite. `make` gives a fresh, empty sink whose clock stands at
/// [`samples::now`](super::samples::now), and a reader of what goes into it.
pub async fn usage_reader<S, R>(make: impl AsyncFn() -> (Arc<S>, Arc<R>))
where
    S: EventSink + ?Sized,
    R: UsageReader + ?Sized,
{
    let (sink, reader) = make().await;
    an_empty_ledger_answers(&*reader).await;
    let events = fill(&*sink).await;
    order_is_that_of_arrival(&*reader, &events).await;
    filters_are_joined(&*reader, &events).await;
    totals_are_exact(&*reader).await;
    users_are_told_apart(&*reader).await;
    a_series_has_every_step(&*reader).await;
    sums_follow_the_sequence(&*reader, events.len() as u64).await;
    an_answer_has_what_was_just_acknowledged(&*sink, &*reader).await;

    let (sink, reader) = make().await;
    fill(&*sink).await;
    the_forgotten_leave_their_sums(&*sink, &*reader).await;

    let (sink, reader) = make().await;
    a_call_that_was_told_and_seen_counts_once(&*sink, &*reader).await;
}

fn at(minutes: i64) -> Timestamp {
    now()
        .checked_sub(SignedDuration::from_mins(minutes))
        .unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The day up to and including now.
fn range() -> TimeRange {
    TimeRange {
        from: at(24 * 60),
        to: at(-1),
    }
}

fn nanos(amount: i128) -> Money {
    Money::from_nanos(amount)
}

/// Eight events of two tenants. Of `zaxon`: anna 1,000 and 250 and an unpriced one, bert 30 (on the
/// day before, an hour's step away), bert's own key 7, a correction of -50 for anna.
#[expect(clippy::expect_used, reason = "samples must be taken")]
async fn fill<S: EventSink + ?Sized>(sink: &S) -> Vec<UsageEvent> {
    let event = |user, number, minutes, cost| {
        let mut event = reported("zaxon", user, number);
        event.timestamp = at(minutes);
        event.cost_usd = nanos(cost);
        event
    };
    let mut unpriced = event("anna", 3, 10, 5_555);
    unpriced.cost_basis = CostBasis::Unpriced;
    unpriced.model = "gpt-9".to_owned();
    let mut own_key = event("bert", 5, 5, 7);
    own_key.payer = Payer::Tenant;
    let mut correction = event("anna", 6, 1, -50);
    correction.kind = EventKind::Correction;
    correction.corrects = Some(event("anna", 1, 0, 0).event_id);
    correction.quantities = diamond_domain::Quantities::new();
    let mut speech = event("anna", 2, 70, 250);
    speech.service = "elevenlabs".parse().expect("a service");
    speech.model = "eleven_v3".to_owned();
    speech.partial = true;
    speech.provider_request_id = Some("el-1".to_owned());
    let events = vec![
        event("anna", 1, 30, 1_000),
        speech,
        unpriced,
        event("bert", 4, 14 * 60, 30),
        own_key,
        correction,
        reported("coaching", "anna", 1),
        reported("coaching", "carl", 2),
    ];
    let verdicts = sink.append(events.clone()).await.expect("events are taken");
    assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Accepted));
    events
}

fn zaxon() -> TenantScope {
    TenantScope::One(tenant("zaxon"))
}

#[expect(clippy::expect_used, reason = "the ledger can be read")]
async fn an_empty_ledger_answers<R: UsageReader + ?Sized>(reader: &R) {
    assert_eq!(reader.watermark().await.expect("an answer"), 0);
    let filter = EventFilter::default();
    let page = reader.events(&TenantScope::All, &filter, LedgerCursor(0), 10);
    let page = page.await.expect("an answer");
    assert!(page.events.is_empty() && page.next.is_none());
    let totals = reader.totals(&zaxon(), range(), GroupBy::default()).await;
    assert!(totals.expect("an answer").is_empty());
}

#[expect(clippy::expect_used, reason = "the ledger can be read")]
async fn order_is_that_of_arrival<R: UsageReader + ?Sized>(reader: &R, events: &[UsageEvent]) {
    let count = events.len() as u64;
    assert_eq!(reader.watermark().await.expect("an answer"), count);
    let filter = EventFilter::default();
    let mut cursor = LedgerCursor(0);
    let mut read = Vec::new();
    loop {
        let page = reader.events(&TenantScope::All, &filter, cursor, 3).await;
        let page = page.expect("an answer");
        assert!(page.events.len() <= 3);
        read.extend(page.events);
        match page.next {
            Some(next) => {
                assert!(next > cursor, "a cursor goes forward");
                cursor = next;
            }
            None => break,
        }
    }
    let sequences: Vec<_> = read.iter().map(|event| event.ledger_sequence).collect();
    assert_eq!(sequences, (1..=count).map(Some).collect::<Vec<_>>());
    for (mut event, written) in read.into_iter().zip(events) {
        assert_eq!(event.ingested_at, Some(now()));
        event.ledger_sequence = None;
        event.ingested_at = None;
        assert_eq!(&event, written, "an event comes back as it was written");
    }
}

#[expect(
    clippy::expect_used,
    reason = "samples are taken, the ledger can be read"
)]
async fn a_call_that_was_told_and_seen_counts_once<S, R>(sink: &S, reader: &R)
where
    S: EventSink + ?Sized,
    R: UsageReader + ?Sized,
{
    let mut told = reported("zaxon", "anna", 1);
    told.timestamp = at(10);
    told.cost_usd = nanos(3);
    told.provider_request_id = Some("chatcmpl-1".to_owned());
    sink.append(vec![told]).await.expect("a report is taken");
    let mut call = opened("zaxon", "anna", 2);
    call.timestamp = at(10);
    sink.open(&call).expect("a call is opened");
    let mut seen = closing(call);
    seen.provider_request_id = Some("chatcmpl-1".to_owned());
    let verdict = sink.close(seen).await.expect("a call is closed");
    assert_eq!(verdict, Verdict::Accepted);

    let once = (1, nanos(1_000));
    let rows = reader
        .totals(&zaxon(), range(), GroupBy::default())
        .await
        .expect("an answer");
    let found: Vec<_> = rows.iter().map(|row| (row.calls, row.cost)).collect();
    assert_eq!(found, [once]);
    let users = reader
        .per_user(&tenant("zaxon"), range())
        .await
        .expect("an answer");
    let found: Vec<_> = users.iter().map(|user| (user.calls, user.cost)).collect();
    assert_eq!(found, [once]);
    let step = SignedDuration::from_mins(5);
    let points = reader
        .series(&tenant("zaxon"), range(), step, None)
        .await
        .expect("an answer");
    let found: Vec<_> = points
        .iter()
        .filter(|point| point.calls > 0 || point.platform_cost != Money::ZERO)
        .map(|point| (point.calls, point.platform_cost))
        .collect();
    assert_eq!(found, [once]);
    let sums = reader
        .sums_by_sequence(&zaxon(), 0, 3)
        .await
        .expect("an answer");
    let cost: Money = sums.iter().map(|sum| sum.cost).sum();
    assert_eq!(cost, nanos(1_000));
}

#[expect(clippy::expect_used, reason = "the ledger can be read")]
async fn filters_are_joined<R: UsageReader + ?Sized>(reader: &R, events: &[UsageEvent]) {
    let found = async |filter: EventFilter| -> Vec<u64> {
        let page = reader.events(&zaxon(), &filter, LedgerCursor(0), 100).await;
        let events = page.expect("an answer").events;
        events
            .iter()
            .filter_map(|event| event.ledger_sequence)
            .collect()
    };
    let all = EventFilter::default();
    assert_eq!(
        found(all.clone()).await,
        [1, 2, 3, 4, 5, 6],
        "no stranger's events"
    );
    let user_is = |name| Some(user(name));
    let by = EventFilter {
        user: user_is("bert"),
        ..all.clone()
    };
    assert_eq!(found(by).await, [4, 5]);
    let by = EventFilter {
        user: user_is("carl"),
        ..all.clone()
    };
    assert!(found(by).await.is_empty(), "carl is a stranger's");
    let by = EventFilter {
        service: "openai".parse().ok(),
        model: Some("gpt-9".to_owned()),
        ..all.clone()
    };
    assert_eq!(found(by).await, [3]);
    let by = EventFilter {
        event: Some(events[3].event_id),
        ..all.clone()
    };
    assert_eq!(found(by).await, [4]);
    let by = EventFilter {
        event: Some(events[6].event_id),
        ..all.clone()
    };
    assert!(
        found(by).await.is_empty(),
        "a stranger's event is not found"
    );
    let by = EventFilter {
        request_id: Some("5".to_owned()),
        ..all.clone()
    };
    assert_eq!(found(by).await, [5]);
    let by = EventFilter {
        provider_request_id: Some("el-1".to_owned()),
        ..all.clone()
    };
    assert_eq!(found(by).await, [2]);
    let range = TimeRange {
        from: at(30),
        to: at(5),
    };
    let by = EventFilter {
        range: Some(range),
        ..all
    };
    assert_eq!(
        found(by).await,
        [1, 3],
        "the beginning is inside, the end is not"
    );
}

#[expect(clippy::expect_used, reason = "the ledger can be read")]
async fn totals_are_exact<R: UsageReader + ?Sized>(reader: &R) {
    let totals = async |scope: &TenantScope, group_by| {
        reader
            .totals(scope, range(), group_by)
            .await
            .expect("an answer")
    };
    let rows = totals(&zaxon(), GroupBy::default()).await;
    let [ours, theirs] = &rows[..] else {
        unreachable_rows(rows.len())
    };
    assert_eq!((ours.payer, theirs.payer), (Payer::Platform, Payer::Tenant));
    // 1,000 + 250 + 30 - 50; the unpriced event's figure is in no sum.
    assert_eq!((ours.cost, theirs.cost), (nanos(1_230), nanos(7)));
    assert_eq!((ours.calls, theirs.calls), (4, 1));
    assert_eq!((ours.unpriced, ours.partial), (1, 1));
    assert_eq!(ours.quantities.get(Meter::InputTokens), 40);
    assert!(ours.tenant.is_none() && ours.service.is_none() && ours.day.is_none());

    let by_service = GroupBy {
        service: true,
        ..GroupBy::default()
    };
    let rows = totals(&zaxon(), by_service).await;
    let services: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row.service.as_ref().map(|s| s.to_string()),
                row.payer,
                row.cost,
            )
        })
        .collect();
    assert_eq!(
        services,
        [
            (Some("elevenlabs".to_owned()), Payer::Platform, nanos(250)),
            (Some("openai".to_owned()), Payer::Platform, nanos(980)),
            (Some("openai".to_owned()), Payer::Tenant, nanos(7)),
        ]
    );
    let by_tenant = GroupBy {
        tenant: true,
        ..GroupBy::default()
    };
    let rows = totals(&TenantScope::All, by_tenant).await;
    let costs: Vec<_> = rows
        .iter()
        .map(|row| (row.tenant.clone(), row.cost))
        .collect();
    let named = |name| Some(tenant(name));
    assert_eq!(
        costs,
        [
            (named("coaching"), nanos(2_000)),
            (named("zaxon"), nanos(1_230)),
            (named("zaxon"), nanos(7)),
        ]
    );
    let by_day = GroupBy {
        day: true,
        user: true,
        ..GroupBy::default()
    };
    let rows = totals(&zaxon(), by_day).await;
    let days: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row.user.clone(),
                row.day.map(|day| day.to_string()),
                row.cost,
            )
        })
        .collect();
    let day = |text: &str| Some(text.to_owned());
    assert_eq!(
        days,
        [
            (Some(user("anna")), day("2026-11-22"), nanos(1_200)),
            (Some(user("bert")), day("2026-11-21"), nanos(30)),
            (Some(user("bert")), day("2026-11-22"), nanos(7)),
        ]
    );
}

#[expect(clippy::panic, reason = "a suite says what is wrong by panicking")]
fn unreachable_rows(found: usize) -> ! {
    panic!("one row for each payer, not {found} rows")
}

#[expect(clippy::expect_used, reason = "the ledger can be read")]
async fn users_are_told_apart<R: UsageReader + ?Sized>(reader: &R) {
    let users = reader.per_user(&tenant("zaxon"), range()).await;
    let users = users.expect("an answer");
    let rows: Vec<_> = users
        .iter()
        .map(|total| (total.user.as_str(), total.cost, total.calls))
        .collect();
    assert_eq!(rows, [("anna", nanos(1_200), 3), ("bert", nanos(30), 2)]);
}

#[expect(clippy::expect_used, reason = "the ledger can be read")]
async fn a_series_has_every_step<R: UsageReader + ?Sized>(reader: &R) {
    let tenant = tenant("zaxon");
    let range = TimeRange {
        from: at(80),
        to: now(),
    };
    let series = async |step, service| reader.series(&tenant, range, step, service).await;
    let hour = SignedDuration::from_hours(1);
    let points = series(hour, None).await.expect("an answer");
    let rows: Vec<_> = points
        .iter()
        .map(|point| {
            (
                point.from,
                point.platform_cost,
                point.tenant_cost,
                point.calls,
            )
        })
        .collect();
    // 250 ten minutes after the beginning and 1,000 fifty; the rest in the broken second hour.
    assert_eq!(
        rows,
        [
            (at(80), nanos(1_250), nanos(0), 2),
            (at(20), nanos(-50), nanos(7), 2),
        ]
    );
    let service = "elevenlabs".parse().expect("a service");
    let minutes = series(SignedDuration::from_mins(1), Some(&service)).await;
    let minutes = minutes.expect("an answer");
    assert_eq!(minutes.len(), 80);
    assert_eq!(minutes.iter().map(|point| point.calls).sum::<u64>(), 1);
    assert_eq!(minutes[10].platform_cost, nanos(250));
    for step in [SignedDuration::from_millis(1), SignedDuration::ZERO] {
        let refused = series(step, None).await;
        assert!(
            matches!(refused, Err(ReadError::TooLarge { .. })),
            "{refused:?}"
        );
    }
}

#[expect(clippy::expect_used, reason = "the ledger can be read")]
async fn sums_follow_the_sequence<R: UsageReader + ?Sized>(reader: &R, last: u64) {
    let sums = async |from, to| {
        let sums = reader.sums_by_sequence(&zaxon(), from, to).await;
        sums.expect("an answer")
    };
    let whole = sums(0, last).await;
    let cost: Money = whole.iter().map(|sum| sum.cost).sum();
    assert_eq!(cost, nanos(1_237));
    assert_eq!(whole.iter().map(|sum| sum.events).sum::<u64>(), 6);
    assert_eq!(whole.iter().map(|sum| sum.unpriced).sum::<u64>(), 1);
    assert!(whole.iter().all(|sum| sum.tenant == tenant("zaxon")));
    // However the span is cut, nothing is in two parts and nothing in none.
    for cut in 0..=last {
        let parts: Money = sums(0, cut)
            .await
            .iter()
            .chain(&sums(cut, last).await)
            .map(|sum| sum.cost)
            .sum();
        assert_eq!(parts, cost, "cut at {cut}");
    }
    let late = sums(3, 4).await;
    assert_eq!(late.len(), 1);
    assert_eq!(late[0].day.to_string(), "2026-11-21", "the day of the call");
    assert_eq!(late[0].quantities[0], (Meter::InputTokens, 10));
}

#[expect(clippy::expect_used, reason = "the ledger can be read")]
async fn an_answer_has_what_was_just_acknowledged<S, R>(sink: &S, reader: &R)
where
    S: EventSink + ?Sized,
    R: UsageReader + ?Sized,
{
    let tenant = tenant("enterprise-client");
    let mut expected = Money::ZERO;
    for number in 0..20 {
        let event = reported("enterprise-client", "dora", number);
        expected = expected + event.cost_usd;
        sink.append(vec![event]).await.expect("events are taken");
        let users = reader.per_user(&tenant, range()).await.expect("an answer");
        assert_eq!((users[0].cost, users[0].calls), (expected, number + 1));
    }
}

#[expect(clippy::expect_used, reason = "the ledger can be read")]
async fn the_forgotten_leave_their_sums<S, R>(sink: &S, reader: &R)
where
    S: EventSink + ?Sized,
    R: UsageReader + ?Sized,
{
    let zaxon = tenant("zaxon");
    let users = async || {
        let users = reader.per_user(&zaxon, range()).await.expect("an answer");
        users
            .into_iter()
            .map(|total| (total.user, total.cost))
            .collect::<Vec<_>>()
    };
    let anna = ErasureSubject::User(zaxon.clone(), user("anna"));
    assert_eq!(reader.erase(&anna).await.expect("an answer"), 1);
    assert_eq!(
        reader.erase(&anna).await.expect("an answer"),
        0,
        "erasing again"
    );
    let after = users().await;
    assert_eq!(after.len(), 2);
    assert_eq!(after[0], (user("bert"), nanos(30)));
    let (pseudonym, cost) = &after[1];
    assert_ne!(pseudonym, &user("anna"));
    assert_eq!(*cost, nanos(1_200), "the sums stay");

    // A repeat of what she did is still a repeat and does not bring her back.
    let mut repeat = reported("zaxon", "anna", 1);
    repeat.timestamp = at(30);
    let verdicts = sink.append(vec![repeat]).await.expect("events are taken");
    assert_eq!(verdicts, [Verdict::Duplicate]);
    assert_eq!(users().await, after);
    // She may come back as somebody new.
    let event = reported("zaxon", "anna", 100);
    sink.append(vec![event]).await.expect("events are taken");
    assert_eq!(users().await.len(), 3);
    let filter = EventFilter {
        user: Some(pseudonym.clone()),
        ..EventFilter::default()
    };
    let scope = TenantScope::One(zaxon.clone());
    let page = reader.events(&scope, &filter, LedgerCursor(0), 10).await;
    let formerly = page.expect("an answer").events.len();
    assert_eq!(formerly, 4, "her former events");

    let everybody = ErasureSubject::Tenant(zaxon.clone());
    assert_eq!(reader.erase(&everybody).await.expect("an answer"), 2);
    let names = users().await;
    assert!(
        names
            .iter()
            .all(|(name, _)| name != &user("bert") && name != &user("anna"))
    );
    let others = reader.per_user(&tenant("coaching"), range()).await;
    assert_eq!(
        others.expect("an answer")[0].user,
        user("anna"),
        "another tenant's anna"
    );
}
