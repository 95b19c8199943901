//! What every [`EventSink`] promises.

use std::sync::Arc;

use diamond_domain::{EventId, Money};
use futures_util::future::join_all;
use jiff::SignedDuration;

use super::samples::{closing, now, opened, reported};
use crate::{EventSink, Verdict};

/// Runs the suite. `make` gives a fresh, empty sink whose clock stands at
/// [`samples::now`](super::samples::now) and whose deduplication window is 35 days.
///
/// Recovery is not tried here, because only the adapter knows how it dies.
pub async fn event_sink<S: EventSink + ?Sized>(make: impl AsyncFn() -> Arc<S>) {
    a_repeat_changes_nothing(&*make().await).await;
    other_content_is_a_conflict(&*make().await).await;
    a_batch_is_judged_event_by_event(&*make().await).await;
    one_of_many_at_once_is_accepted(&*make().await).await;
    the_provider_names_the_call_too(&*make().await).await;
    what_we_saw_never_yields_to_what_was_said(&*make().await).await;
    what_is_older_than_the_window_is_too_old(&*make().await).await;
    a_call_may_be_withdrawn(&*make().await).await;
}

async fn verdict<S: EventSink + ?Sized>(sink: &S, event: diamond_domain::UsageEvent) -> Verdict {
    let verdicts = take(sink, vec![event]).await;
    assert_eq!(verdicts.len(), 1, "a verdict for each event");
    verdicts[0]
}

#[expect(clippy::expect_used, reason = "a sample must be taken")]
async fn take<S: EventSink + ?Sized>(
    sink: &S,
    events: Vec<diamond_domain::UsageEvent>,
) -> Vec<Verdict> {
    sink.append(events).await.expect("the sink takes events")
}

#[expect(clippy::expect_used, reason = "a sample must be taken")]
async fn close<S: EventSink + ?Sized>(sink: &S, event: diamond_domain::UsageEvent) -> Verdict {
    sink.close(event).await.expect("the sink closes calls")
}

#[expect(clippy::expect_used, reason = "a sample must be taken")]
fn open<S: EventSink + ?Sized>(sink: &S, call: &diamond_domain::OpenedCall) {
    sink.open(call).expect("the sink opens calls");
}

async fn a_repeat_changes_nothing<S: EventSink + ?Sized>(sink: &S) {
    let event = reported("zaxon", "anna", 1);
    assert_eq!(verdict(sink, event.clone()).await, Verdict::Accepted);
    assert_eq!(verdict(sink, event.clone()).await, Verdict::Duplicate);
    let mut echoed = event;
    echoed.ledger_sequence = Some(77);
    echoed.ingested_at = Some(now());
    let again = verdict(sink, echoed).await;
    assert_eq!(
        again,
        Verdict::Duplicate,
        "what the ledger gives is not content"
    );

    let call = opened("zaxon", "anna", 2);
    open(sink, &call);
    let event = closing(call);
    assert_eq!(close(sink, event.clone()).await, Verdict::Accepted);
    assert_eq!(close(sink, event.clone()).await, Verdict::Duplicate);
    assert_eq!(verdict(sink, event).await, Verdict::Duplicate);
}

async fn other_content_is_a_conflict<S: EventSink + ?Sized>(sink: &S) {
    let event = reported("zaxon", "anna", 1);
    assert_eq!(verdict(sink, event.clone()).await, Verdict::Accepted);
    let mut dearer = event.clone();
    dearer.cost_usd = Money::from_nanos(2_000);
    assert_eq!(verdict(sink, dearer).await, Verdict::Conflict);
    let mut of_another = event.clone();
    of_another.user_id = super::samples::user("bert");
    assert_eq!(verdict(sink, of_another).await, Verdict::Conflict);
    let again = verdict(sink, event).await;
    assert_eq!(again, Verdict::Duplicate, "the first one still stands");
}

async fn a_batch_is_judged_event_by_event<S: EventSink + ?Sized>(sink: &S) {
    let known = reported("zaxon", "anna", 1);
    assert_eq!(verdict(sink, known.clone()).await, Verdict::Accepted);
    let new = reported("zaxon", "anna", 2);
    let mut other = new.clone();
    other.model = "gpt-4o".to_owned();
    let batch = vec![
        known,
        new.clone(),
        new,
        other,
        reported("coaching", "anna", 1),
    ];
    assert_eq!(
        take(sink, batch).await,
        [
            Verdict::Duplicate,
            Verdict::Accepted,
            Verdict::Duplicate,
            Verdict::Conflict,
            Verdict::Accepted,
        ]
    );
    assert!(take(sink, Vec::new()).await.is_empty());
}

async fn one_of_many_at_once_is_accepted<S: EventSink + ?Sized>(sink: &S) {
    for number in 0..20 {
        let repeats = (0..8).map(|_| verdict(sink, reported("zaxon", "anna", number)));
        let verdicts = join_all(repeats).await;
        let accepted = verdicts.iter().filter(|v| **v == Verdict::Accepted).count();
        let repeated = verdicts
            .iter()
            .filter(|v| **v == Verdict::Duplicate)
            .count();
        assert_eq!((accepted, repeated), (1, 7));
    }
}

async fn the_provider_names_the_call_too<S: EventSink + ?Sized>(sink: &S) {
    let call = opened("zaxon", "anna", 1);
    open(sink, &call);
    let mut seen = closing(call);
    seen.provider_request_id = Some("chatcmpl-1".to_owned());
    assert_eq!(close(sink, seen.clone()).await, Verdict::Accepted);

    let mut told = reported("zaxon", "anna", 2);
    told.provider_request_id = seen.provider_request_id.clone();
    assert_eq!(verdict(sink, told.clone()).await, Verdict::Duplicate);
    let mut settled = told.clone();
    settled.kind = diamond_domain::EventKind::Settlement;
    settled.corrects = Some(seen.event_id);
    settled.event_id = EventId::from_bits(99);
    let verdict_of_settlement = verdict(sink, settled).await;
    assert_eq!(
        verdict_of_settlement,
        Verdict::Accepted,
        "a settlement is its own fact"
    );
    let mut elsewhere = reported("coaching", "anna", 3);
    elsewhere.provider_request_id = seen.provider_request_id;
    let verdict_elsewhere = verdict(sink, elsewhere).await;
    assert_eq!(
        verdict_elsewhere,
        Verdict::Accepted,
        "another tenant's call is another"
    );
}

async fn what_we_saw_never_yields_to_what_was_said<S: EventSink + ?Sized>(sink: &S) {
    let named = |mut event: diamond_domain::UsageEvent| {
        event.provider_request_id = Some("chatcmpl-1".to_owned());
        event
    };
    let told = named(reported("zaxon", "anna", 1));
    assert_eq!(verdict(sink, told.clone()).await, Verdict::Accepted);
    // The report came first; then the provider repeats its id for another call.
    for number in [2, 3] {
        let call = opened("zaxon", "bert", number);
        open(sink, &call);
        let seen = named(closing(call));
        assert_eq!(close(sink, seen.clone()).await, Verdict::Accepted);
        assert_eq!(close(sink, seen).await, Verdict::Duplicate);
    }
    assert_eq!(verdict(sink, told).await, Verdict::Duplicate);
    let again = named(reported("zaxon", "anna", 4));
    assert_eq!(verdict(sink, again).await, Verdict::Duplicate);
}

#[expect(clippy::expect_used, reason = "the sample's time is in the calendar")]
async fn what_is_older_than_the_window_is_too_old<S: EventSink + ?Sized>(sink: &S) {
    let before = |hours| {
        let age = SignedDuration::from_hours(hours);
        now().checked_sub(age).expect("a time in the calendar")
    };
    let mut old = reported("zaxon", "anna", 1);
    old.timestamp = before(36 * 24);
    assert_eq!(verdict(sink, old).await, Verdict::TooOld);
    let mut late = reported("zaxon", "anna", 2);
    late.timestamp = before(34 * 24);
    assert_eq!(verdict(sink, late).await, Verdict::Accepted);

    let mut call = opened("zaxon", "anna", 3);
    call.timestamp = before(36 * 24);
    open(sink, &call);
    let event = closing(call);
    let verdict_of_close = close(sink, event.clone()).await;
    assert_eq!(
        verdict_of_close,
        Verdict::Accepted,
        "we opened it, so it is new"
    );
    assert_eq!(close(sink, event).await, Verdict::Duplicate);
}

#[expect(clippy::expect_used, reason = "a sample must be withdrawn")]
async fn a_call_may_be_withdrawn<S: EventSink + ?Sized>(sink: &S) {
    let call = opened("zaxon", "anna", 1);
    open(sink, &call);
    sink.abandon(call.event_id)
        .expect("the sink withdraws calls");
    // Tried again under the same name after all: it counts.
    assert_eq!(close(sink, closing(call)).await, Verdict::Accepted);
}
