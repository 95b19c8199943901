//! The ledger's answers, from real files and from the simulated disk.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{path::Path, sync::Arc};

use diamond_domain::{ManualClock, Money, TimeRange};
use diamond_journal::{
    Disk, JournalOptions, RealDisk,
    simulated::{Loss, SimulatedDisk},
};
use diamond_ledger::ScanLedger;
use diamond_usage::{
    EventFilter, EventSink, GroupBy, LedgerCursor, TenantScope, UsageJournal, UsageJournalOptions,
    UsageReader,
    contract::{self, samples},
};
use jiff::SignedDuration;

fn open(folder: &Path, disk: Arc<dyn Disk>) -> (Arc<UsageJournal>, Arc<ScanLedger>) {
    let clock = Arc::new(ManualClock::new(samples::now()));
    let options = UsageJournalOptions {
        journal: JournalOptions {
            segment_bytes: 20_000,
            ..JournalOptions::default()
        },
        ..UsageJournalOptions::default()
    };
    let (journal, _) = UsageJournal::open(folder, disk, clock, options).unwrap();
    (journal.clone(), Arc::new(ScanLedger::new(journal)))
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_the_contract() {
    let folders = std::sync::Mutex::new(Vec::new());
    contract::usage_reader(async || {
        let folder = tempfile::tempdir().unwrap();
        let opened = open(folder.path(), Arc::new(RealDisk));
        folders.lock().unwrap().push(folder);
        opened
    })
    .await;
}

#[tokio::test]
async fn answers_are_the_same_after_a_loss_of_power() {
    let disk = SimulatedDisk::new(1);
    let folder = Path::new("/data");
    let (journal, ledger) = open(folder, Arc::new(disk.clone()));
    for number in 0..3_000 {
        let user = format!("user-{}", number % 7);
        let event = samples::reported("zaxon", &user, number);
        if number % 500 == 0 {
            journal.append(vec![event]).await.unwrap();
        } else {
            journal
                .open(&samples::opened("zaxon", &user, number))
                .unwrap();
            let closing = samples::closing(samples::opened("zaxon", &user, number));
            journal.close(closing).await.unwrap();
        }
    }
    let range = TimeRange {
        from: samples::now() - SignedDuration::from_hours(1),
        to: samples::now() + SignedDuration::from_hours(1),
    };
    let scope = TenantScope::One(samples::tenant("zaxon"));
    let by_user = GroupBy {
        user: true,
        ..GroupBy::default()
    };
    let before = ledger.totals(&scope, range, by_user).await.unwrap();
    let sum: Money = before.iter().map(|row| row.cost).sum();
    assert_eq!(sum, Money::from_nanos(3_000 * 1_000));
    assert_eq!(before.len(), 7);

    disk.crash(Loss::Everything);
    drop((journal, ledger));
    let (_journal, ledger) = open(folder, Arc::new(disk));
    assert_eq!(ledger.watermark().await.unwrap(), 3_000);
    assert_eq!(ledger.totals(&scope, range, by_user).await.unwrap(), before);
    // A late page begins in the middle of the journal, and is the right one.
    let filter = EventFilter::default();
    for after in [0, 1, 1_023, 1_024, 1_025, 2_998, 2_999, 3_000, 9_999] {
        let page = ledger.events(&scope, &filter, LedgerCursor(after), 2).await;
        let page = page.unwrap();
        let sequences: Vec<u64> = page
            .events
            .iter()
            .filter_map(|event| event.ledger_sequence)
            .collect();
        let expected: Vec<u64> = (after + 1..=3_000).take(2).collect();
        assert_eq!(sequences, expected, "after {after}");
        assert_eq!(page.next.is_some(), after < 2_998);
    }
}
