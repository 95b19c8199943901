//! The embedded event sink.

use std::{path::Path, sync::Arc};

use diamond_domain::{
    CallOutcome, Clock, CostBasis, EventKind, EventSource, ManualClock, Money, UsageEvent,
};
use diamond_journal::{
    RealDisk,
    simulated::{Loss, SimulatedDisk},
};
use diamond_usage::{
    EventSink, ScanFilter, SinkError, UsageJournal, UsageJournalOptions, Verdict, call_count,
    contract::{self, samples},
};
use jiff::SignedDuration;

use crate::{open, open_unprepared};

fn folder() -> &'static Path {
    Path::new("/data")
}

fn events(journal: &UsageJournal) -> Vec<UsageEvent> {
    let scan = journal.scan(ScanFilter::of_everybody());
    scan.map(|event| event.unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_the_contract() {
    let folders = std::sync::Mutex::new(Vec::new());
    contract::event_sink(async || {
        let folder = tempfile::tempdir().unwrap();
        let sink = open(folder.path(), Arc::new(RealDisk)).0;
        folders.lock().unwrap().push(folder);
        sink
    })
    .await;
}

#[tokio::test]
async fn calls_without_an_end_become_lost_events_once() {
    let disk = SimulatedDisk::new(1);
    let journal = open(folder(), Arc::new(disk.clone())).0;
    for number in 1..=5 {
        journal
            .open(&samples::opened("zaxon", "anna", number))
            .unwrap();
    }
    let closed = samples::closing(samples::opened("zaxon", "anna", 2));
    journal.close(closed).await.unwrap();
    journal
        .abandon(samples::opened("zaxon", "anna", 4).event_id)
        .unwrap();
    // The process dies; the machine does not.
    drop(journal);

    let (journal, recovered) = open(folder(), Arc::new(disk.clone()));
    let lost: Vec<_> = recovered.lost.iter().map(|event| event.event_id).collect();
    let of = |number| samples::opened("zaxon", "anna", number).event_id;
    assert_eq!(lost, [of(1), of(3), of(5)]);
    let found = events(&journal);
    assert_eq!(found.len(), 4);
    assert_eq!(&found[1..], recovered.lost);
    for event in &found[1..] {
        assert_eq!((event.outcome, event.partial), (CallOutcome::Lost, true));
        assert_eq!(event.cost_usd.nanos(), 1_000, "the estimate");
        assert_eq!(event.user_id, samples::user("anna"));
    }
    assert_eq!(journal.watermark(), 4);

    // They were durable before opening returned, and are not booked again.
    disk.crash(Loss::Everything);
    drop(journal);
    let (journal, recovered) = open(folder(), Arc::new(disk));
    assert!(recovered.lost.is_empty());
    assert_eq!(events(&journal), found);
}

#[tokio::test]
async fn sequence_and_deduplication_outlive_a_restart() {
    let disk = SimulatedDisk::new(1);
    let journal = open(folder(), Arc::new(disk.clone())).0;
    let batch = |from| (from..from + 3).map(|n| samples::reported("zaxon", "anna", n));
    journal.append(batch(0).collect()).await.unwrap();
    let before = events(&journal);
    disk.crash(Loss::Everything);
    drop(journal);

    let journal = open(folder(), Arc::new(disk)).0;
    assert_eq!(events(&journal), before);
    let verdicts = journal.append(batch(2).collect()).await.unwrap();
    assert_eq!(
        verdicts,
        [Verdict::Duplicate, Verdict::Accepted, Verdict::Accepted]
    );
    let mut other = samples::reported("zaxon", "anna", 1);
    other.user_id = samples::user("bert");
    assert_eq!(
        journal.append(vec![other]).await.unwrap(),
        [Verdict::Conflict]
    );
    let sequences: Vec<_> = events(&journal)
        .iter()
        .map(|event| event.ledger_sequence)
        .collect();
    assert_eq!(sequences, (1..=5).map(Some).collect::<Vec<_>>());
}

/// The provider's name for the call, as both the reporter and the gateway saw it.
fn named(mut event: UsageEvent) -> UsageEvent {
    event.provider_request_id = Some("chatcmpl-1".to_owned());
    event
}

/// A cheap report of a call by somebody, with a time and a place of its own.
fn told() -> UsageEvent {
    let mut told = named(samples::reported("zaxon", "anna", 1));
    told.timestamp = samples::now() - SignedDuration::from_hours(3);
    told.model = "gpt-cheap".to_owned();
    told.cost_usd = Money::from_nanos(3);
    told
}

fn costs(events: &[UsageEvent]) -> Money {
    events.iter().map(|event| event.cost_usd).sum()
}

#[tokio::test]
async fn a_report_cannot_erase_what_the_gateway_measured() {
    let disk = SimulatedDisk::new(1);
    let journal = open(folder(), Arc::new(disk.clone())).0;
    journal.append(vec![told()]).await.unwrap();
    let call = samples::opened("zaxon", "bert", 2);
    journal.open(&call).unwrap();
    let seen = named(samples::closing(call));
    let verdict = journal.close(seen.clone()).await.unwrap();
    assert_eq!(verdict, Verdict::Accepted);
    // The provider repeats its id for another of our calls: that is one more call.
    let call = samples::opened("zaxon", "bert", 3);
    journal.open(&call).unwrap();
    let repeated = named(samples::closing(call));
    let verdict = journal.close(repeated.clone()).await.unwrap();
    assert_eq!(verdict, Verdict::Accepted);

    let found = events(&journal);
    let [report, closed, correction, another] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(
        [report, closed, another].map(|event| event.event_id),
        [told().event_id, seen.event_id, repeated.event_id]
    );
    assert_eq!(correction.kind, EventKind::Correction);
    assert_eq!(correction.corrects, Some(report.event_id));
    assert_eq!(correction.cost_usd, Money::from_nanos(-3));
    assert!(correction.quantities.is_empty() && !correction.partial);
    assert_eq!(correction.source, EventSource::Gateway);
    assert_eq!(
        (&correction.user_id, &correction.model, correction.timestamp),
        (&report.user_id, &report.model, report.timestamp),
        "in the sums that the report is in"
    );
    assert_eq!(costs(&found), seen.cost_usd + repeated.cost_usd);
    assert_eq!(found.iter().map(call_count).sum::<i64>(), 2);
    assert_eq!(journal.watermark(), 4);

    // After a restart it is all known, and nothing is lost or booked again.
    disk.crash(Loss::Everything);
    drop(journal);
    let (journal, recovered) = open(folder(), Arc::new(disk));
    assert!(recovered.lost.is_empty());
    assert_eq!(journal.close(seen).await.unwrap(), Verdict::Duplicate);
    let late = named(samples::reported("zaxon", "anna", 9));
    let verdicts = journal.append(vec![told(), late]).await.unwrap();
    assert_eq!(verdicts, [Verdict::Duplicate, Verdict::Duplicate]);
    assert_eq!(events(&journal), found);
}

#[tokio::test]
async fn a_report_from_before_the_restart_is_displaced_too() {
    let disk = SimulatedDisk::new(1);
    let journal = open(folder(), Arc::new(disk.clone())).0;
    journal.append(vec![told()]).await.unwrap();
    drop(journal);
    let journal = open(folder(), Arc::new(disk)).0;
    let seen = named(samples::closing(samples::opened("zaxon", "bert", 2)));
    let verdict = journal.close(seen.clone()).await.unwrap();
    assert_eq!(verdict, Verdict::Accepted);
    assert_eq!(costs(&events(&journal)), seen.cost_usd);
}

#[tokio::test]
async fn an_unpriced_report_leaves_an_exact_sum() {
    let journal = open(folder(), Arc::new(SimulatedDisk::new(1))).0;
    let mut unpriced = told();
    unpriced.cost_basis = CostBasis::Unpriced;
    journal.append(vec![unpriced]).await.unwrap();
    let seen = named(samples::closing(samples::opened("zaxon", "bert", 2)));
    journal.close(seen).await.unwrap();
    let correction = events(&journal).pop().unwrap();
    assert_eq!(correction.kind, EventKind::Correction);
    assert_eq!(correction.cost_usd, Money::ZERO);
    assert_ne!(correction.cost_basis, CostBasis::Unpriced);
}

#[tokio::test]
async fn of_many_closes_at_once_one_displaces_the_report() {
    let journal = open(folder(), Arc::new(SimulatedDisk::new(1))).0;
    journal.append(vec![told()]).await.unwrap();
    let closes = (2..10).map(|number| {
        let call = samples::opened("zaxon", "bert", number);
        journal.close(named(samples::closing(call)))
    });
    for verdict in futures_util::future::join_all(closes).await {
        assert_eq!(verdict.unwrap(), Verdict::Accepted);
    }
    let found = events(&journal);
    assert_eq!(found.iter().map(call_count).sum::<i64>(), 8);
    assert_eq!(costs(&found), Money::from_nanos(8_000));
}

#[tokio::test]
async fn a_close_that_could_not_be_written_displaces_nothing_yet() {
    let disk = SimulatedDisk::new(1);
    let journal = open_unprepared(folder(), Arc::new(disk.clone()));
    journal.append(vec![told()]).await.unwrap();
    let seen = named(samples::closing(samples::opened("zaxon", "anna", 2)));
    disk.set_quota(Some(disk.used() + 100));
    let refused = journal.close(seen.clone()).await;
    assert!(matches!(refused, Err(SinkError::Full(_))), "{refused:?}");
    disk.set_quota(None);
    let late = named(samples::reported("zaxon", "anna", 9));
    let verdicts = journal.append(vec![late]).await.unwrap();
    assert_eq!(verdicts, [Verdict::Duplicate], "the report still stands");
    let verdict = journal.close(seen.clone()).await.unwrap();
    assert_eq!(verdict, Verdict::Accepted);
    assert_eq!(costs(&events(&journal)), seen.cost_usd);
}

#[tokio::test]
async fn a_full_disk_shows_and_comes_right_without_traffic() {
    let disk = SimulatedDisk::new(1);
    let journal = open(folder(), Arc::new(disk.clone())).0;
    let sink: Arc<dyn EventSink> = journal.clone();
    sink.check().unwrap();
    disk.set_quota(Some(disk.used() + 10));
    assert!(sink.append(vec![told()]).await.is_err());
    assert!(matches!(sink.check(), Err(SinkError::Full(_))));
    disk.set_quota(None);
    sink.check().unwrap();
    assert_eq!(
        sink.append(vec![told()]).await.unwrap(),
        [Verdict::Accepted]
    );
}

/// Shortens the last segment of a folder's events, as a loss of power in the midst of a write.
fn tear(folder: &Path, bytes: u64) {
    let segments = std::fs::read_dir(folder.join("events")).unwrap();
    let last = segments
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.metadata().unwrap().len() > bytes)
        .max()
        .unwrap();
    let file = std::fs::File::options().write(true).open(last).unwrap();
    let length = file.metadata().unwrap().len();
    file.set_len(length - bytes).unwrap();
}

#[tokio::test]
async fn power_lost_between_the_two_records_leaves_no_call_counted_twice() {
    let folder = tempfile::tempdir().unwrap();
    let begin = || open(folder.path(), Arc::new(RealDisk));
    let journal = begin().0;
    journal.append(vec![told()]).await.unwrap();
    let call = samples::opened("zaxon", "bert", 2);
    journal.open(&call).unwrap();
    let seen = named(samples::closing(call));
    journal.close(seen.clone()).await.unwrap();
    let whole = events(&journal);
    drop(journal);
    tear(folder.path(), 10);

    let scan = |journal: &UsageJournal| (events(journal), journal.watermark());
    let (journal, recovered) = begin();
    assert!(recovered.lost.is_empty(), "its end is there");
    let found = scan(&journal);
    assert_eq!(found, (whole, 3), "the correction that was torn off");
    drop(journal);
    let (journal, _) = begin();
    assert_eq!(scan(&journal), found, "withdrawn once");
}

#[tokio::test]
async fn a_full_disk_refuses_and_what_was_refused_can_be_sent_again() {
    let disk = SimulatedDisk::new(1);
    let journal = open_unprepared(folder(), Arc::new(disk.clone()));
    let batch = |from: u64| -> Vec<_> {
        (from..from + 3)
            .map(|n| samples::reported("zaxon", "anna", n))
            .collect()
    };
    journal.append(batch(0)).await.unwrap();
    disk.set_quota(Some(disk.used() + 100));
    for _ in 0..2 {
        let refused = journal.append(batch(2)).await;
        assert!(matches!(refused, Err(SinkError::Full(_))), "{refused:?}");
        let refused = journal.open(&samples::opened("zaxon", "anna", 9));
        assert!(matches!(refused, Err(SinkError::Full(_))), "{refused:?}");
    }
    assert_eq!(journal.watermark(), 3);
    disk.set_quota(None);
    assert_eq!(
        journal.append(batch(2)).await.unwrap(),
        [Verdict::Duplicate, Verdict::Accepted, Verdict::Accepted]
    );
    assert_eq!(journal.watermark(), 5);
}

#[tokio::test]
async fn a_repeat_is_not_acknowledged_before_the_original_is_durable() {
    let disk = SimulatedDisk::new(1);
    let journal = open(folder(), Arc::new(disk.clone())).0;
    // The user's code is durable already, so that the next flush is the event's.
    journal
        .append(vec![samples::reported("zaxon", "anna", 0)])
        .await
        .unwrap();
    disk.fail_syncs(1);
    let event = samples::reported("zaxon", "anna", 1);
    let (first, second) = tokio::join!(
        journal.append(vec![event.clone()]),
        journal.append(vec![event.clone()]),
    );
    for refused in [first, second] {
        assert!(
            matches!(refused, Err(SinkError::Unavailable(_))),
            "{refused:?}"
        );
    }
    let third = journal.append(vec![event.clone()]).await;
    assert!(third.is_err(), "nothing says that it is durable: {third:?}");
    disk.crash(Loss::Everything);
    drop(journal);
    let journal = open(folder(), Arc::new(disk)).0;
    assert_eq!(
        journal.append(vec![event]).await.unwrap(),
        [Verdict::Accepted]
    );
}

#[tokio::test]
async fn the_window_moves_with_the_clock_and_never_lets_a_repeat_through() {
    let disk = Arc::new(SimulatedDisk::new(1));
    let clock = Arc::new(ManualClock::new(samples::now()));
    let options = UsageJournalOptions::default();
    let (journal, _) = UsageJournal::open(folder(), disk, clock.clone(), options).unwrap();
    let event = samples::reported("zaxon", "anna", 1);
    journal.append(vec![event.clone()]).await.unwrap();
    let mut number = 1;
    let mut pass = async |days| {
        for _ in 0..days {
            clock.advance(SignedDuration::from_hours(24));
            number += 1;
            let mut other = samples::reported("zaxon", "anna", number);
            other.timestamp = clock.now();
            journal.append(vec![other]).await.unwrap();
        }
        journal.append(vec![event.clone()]).await.unwrap()
    };
    assert_eq!(pass(34).await, [Verdict::Duplicate]);
    assert_eq!(pass(3).await, [Verdict::TooOld]);
    // An operator puts the machine's clock back: what was forgotten stays refused.
    clock.set(samples::now());
    assert_eq!(pass(0).await, [Verdict::TooOld]);
}

#[tokio::test]
async fn a_clock_that_was_set_forward_and_back_refuses_nothing_that_is_new() {
    let disk = Arc::new(SimulatedDisk::new(1));
    let clock = Arc::new(ManualClock::new(samples::now()));
    let begin = || {
        let options = UsageJournalOptions::default();
        let opened = UsageJournal::open(folder(), disk.clone(), clock.clone(), options);
        opened.unwrap().0
    };
    let days = |days: i64| SignedDuration::from_hours(24 * days);
    let known = samples::reported("zaxon", "anna", 0);
    let mut number = 0;
    // Told now, or told late.
    let mut new = |age| {
        number += 1;
        let mut event = samples::reported("zaxon", "anna", number);
        event.timestamp = samples::now() - days(age);
        event
    };
    let mut journal = begin();
    journal.append(vec![known.clone()]).await.unwrap();
    for restarts in [false, true] {
        // As the machine has it; as a client with a right clock has it; as it is again.
        for forward in [400, 0] {
            clock.set(samples::now() + days(forward));
            if restarts {
                drop(journal);
                journal = begin();
            }
            let told = vec![known.clone(), new(0), new(20)];
            assert_eq!(
                journal.append(told).await.unwrap(),
                [Verdict::Duplicate, Verdict::Accepted, Verdict::Accepted],
                "{forward} days forward"
            );
        }
    }
    assert_eq!(
        journal.append(vec![new(36)]).await.unwrap(),
        [Verdict::TooOld]
    );
}
