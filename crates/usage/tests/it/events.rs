//! The embedded event sink.

use std::{path::Path, sync::Arc};

use diamond_domain::{CallOutcome, ManualClock, UsageEvent};
use diamond_journal::{
    RealDisk,
    simulated::{Loss, SimulatedDisk},
};
use diamond_usage::{
    EventSink, ScanFilter, SinkError, UsageJournal, UsageJournalOptions, Verdict,
    contract::{self, samples},
};
use jiff::SignedDuration;

use crate::open;

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

#[tokio::test]
async fn a_report_of_an_opened_call_leaves_no_lost_call() {
    let disk = SimulatedDisk::new(1);
    let journal = open(folder(), Arc::new(disk.clone())).0;
    let mut told = samples::reported("zaxon", "anna", 1);
    told.provider_request_id = Some("chatcmpl-1".to_owned());
    journal.append(vec![told]).await.unwrap();
    let call = samples::opened("zaxon", "anna", 2);
    journal.open(&call).unwrap();
    let mut seen = samples::closing(call);
    seen.provider_request_id = Some("chatcmpl-1".to_owned());
    assert_eq!(journal.close(seen).await.unwrap(), Verdict::Duplicate);
    disk.crash(Loss::Everything);
    drop(journal);
    let (journal, recovered) = open(folder(), Arc::new(disk));
    assert!(recovered.lost.is_empty());
    assert_eq!(events(&journal).len(), 1);
}

#[tokio::test]
async fn a_full_disk_refuses_and_what_was_refused_can_be_sent_again() {
    let disk = SimulatedDisk::new(1);
    let journal = open(folder(), Arc::new(disk.clone())).0;
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
    clock.advance(SignedDuration::from_hours(34 * 24));
    assert_eq!(
        journal.append(vec![event.clone()]).await.unwrap(),
        [Verdict::Duplicate]
    );
    clock.advance(SignedDuration::from_hours(3 * 24));
    assert_eq!(
        journal.append(vec![event.clone()]).await.unwrap(),
        [Verdict::TooOld]
    );
    // An operator puts the machine's clock back: what was forgotten stays refused.
    clock.set(samples::now());
    assert_eq!(
        journal.append(vec![event]).await.unwrap(),
        [Verdict::TooOld]
    );
}
