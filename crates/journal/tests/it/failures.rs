//! Disks that fill up and fail.

use std::{path::Path, sync::Arc};

use diamond_journal::{
    Journal, JournalError, JournalOptions, Position,
    simulated::{Loss, SimulatedDisk},
};

fn open(disk: &SimulatedDisk) -> Journal {
    let options = JournalOptions::default();
    let disk = Arc::new(disk.clone());
    Journal::open(Path::new("/journal"), disk, options)
        .unwrap()
        .0
}

fn records(journal: &Journal) -> Vec<Vec<u8>> {
    journal
        .scan(Position::START)
        .map(|record| record.unwrap().1)
        .collect()
}

#[tokio::test]
async fn a_full_disk_is_said_and_writing_goes_on_once_there_is_space() {
    let disk = SimulatedDisk::new(1);
    let options = JournalOptions {
        prepared_bytes: 0,
        ..JournalOptions::default()
    };
    let journal_disk = Arc::new(disk.clone());
    let (journal, _) = Journal::open(Path::new("/journal"), journal_disk, options).unwrap();
    journal.append_durable(&[b"first"]).await.unwrap();

    disk.set_quota(Some(disk.used() + 50));
    let refused = journal.append_durable(&[[7_u8; 100]]).await;
    assert!(matches!(refused, Err(JournalError::Full(_))), "{refused:?}");
    let refused = journal.append(&[7_u8; 100]);
    assert!(matches!(refused, Err(JournalError::Full(_))), "{refused:?}");
    journal.append_durable(&[b"small"]).await.unwrap();

    disk.set_quota(None);
    let position = journal.append_durable(&[b"after"]).await.unwrap();
    assert_eq!(position, Position(2));

    disk.crash(Loss::Everything);
    drop(journal);
    assert_eq!(records(&open(&disk)), [&b"first"[..], b"small", b"after"]);
}

#[tokio::test]
async fn a_full_disk_takes_what_finds_its_place_prepared_and_nothing_more() {
    let disk = SimulatedDisk::new(1);
    let options = JournalOptions {
        prepared_bytes: 1_000,
        ..JournalOptions::default()
    };
    let journal_disk = Arc::new(disk.clone());
    let (journal, _) = Journal::open(Path::new("/journal"), journal_disk, options).unwrap();
    journal.append_durable(&[b"first"]).await.unwrap();
    disk.set_quota(Some(disk.used()));
    let mut taken = 1;
    let refused = loop {
        match journal.append_durable(&[[7_u8; 100]]).await {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, JournalError::Full(_)), "{refused}");
    assert_eq!(taken, 1 + 1_000 / 124);

    disk.set_quota(None);
    journal.append_durable(&[b"after"]).await.unwrap();
    disk.crash(Loss::Everything);
    drop(journal);
    assert_eq!(records(&open(&disk)).len(), taken + 1);
}

#[tokio::test]
async fn a_full_disk_does_not_stop_at_the_end_of_a_segment() {
    let disk = SimulatedDisk::new(1);
    let options = JournalOptions {
        segment_bytes: 200,
        ..JournalOptions::default()
    };
    let journal_disk = Arc::new(disk.clone());
    let (journal, _) = Journal::open(Path::new("/journal"), journal_disk, options).unwrap();
    // Room for the record, none for the next segment's header.
    disk.set_quota(Some(disk.used() + 24 + 180 + 10));
    journal.append_durable(&[[1_u8; 180]]).await.unwrap();
    let refused = journal.roll();
    assert!(matches!(refused, Err(JournalError::Full(_))), "{refused:?}");
    disk.set_quota(None);
    journal.append_durable(&[[2_u8; 180]]).await.unwrap();
    journal.roll().unwrap();
    journal.append_durable(&[[3_u8; 180]]).await.unwrap();
    disk.crash(Loss::Everything);
    drop(journal);
    assert_eq!(records(&open(&disk)).len(), 3);
}

#[tokio::test]
async fn after_a_failed_flush_nothing_more_is_acknowledged() {
    let disk = SimulatedDisk::new(1);
    let journal = open(&disk);
    journal.append_durable(&[b"kept"]).await.unwrap();

    disk.fail_syncs(1);
    let failed = journal.append_durable(&[b"doubtful"]).await;
    assert!(matches!(failed, Err(JournalError::Failed(_))), "{failed:?}");
    // The next flush would succeed, and would mean nothing.
    let refused = journal.append_durable(&[b"later"]).await;
    assert!(
        matches!(refused, Err(JournalError::Failed(_))),
        "{refused:?}"
    );
    assert!(matches!(
        journal.append(b"later"),
        Err(JournalError::Failed(_))
    ));
    assert!(matches!(journal.check(), Err(JournalError::Failed(_))));
    assert_eq!(
        records(&journal),
        [b"kept"],
        "what was acknowledged can be read"
    );

    // Also without a loss of power, what no disk holds is not shown at the next start.
    drop(journal);
    let journal = open(&disk);
    assert_eq!(records(&journal), [b"kept"]);
    journal.append_durable(&[b"again"]).await.unwrap();
}

#[test]
fn too_much_waiting_for_the_disk_is_refused() {
    let disk = SimulatedDisk::new(1);
    let options = JournalOptions {
        unsynced_bytes_max: 1_000,
        record_bytes_max: 900,
        ..JournalOptions::default()
    };
    let disk = Arc::new(disk);
    let (journal, _) = Journal::open(Path::new("/journal"), disk, options).unwrap();
    for size in [0, 901] {
        let refused = journal.append(&vec![1; size]);
        assert!(
            matches!(refused, Err(JournalError::Size { .. })),
            "{refused:?}"
        );
    }
    let first = journal.append(&[1; 300]).unwrap();
    let refused = journal.append_all(&[[2; 400], [2; 400]]);
    // The commit thread may have flushed the first one already; then there is room.
    if let Err(error) = refused {
        assert!(matches!(error, JournalError::Overloaded { .. }), "{error}");
    }
    journal.durable_blocking(first).unwrap();
    journal
        .durable_blocking(journal.append(&[3; 300]).unwrap())
        .unwrap();
}

#[test]
fn a_closed_journal_says_so() {
    let disk = SimulatedDisk::new(1);
    let journal = open(&disk);
    journal.append(b"last").unwrap();
    journal.close().unwrap();
    assert!(matches!(
        journal.append(b"later"),
        Err(JournalError::Closed)
    ));
    journal.close().unwrap();
    disk.crash(Loss::Everything);
    drop(journal);
    assert_eq!(records(&open(&disk)), [b"last"]);
}

#[test]
fn dropped_segments_stay_dropped_and_numbers_go_on() {
    let disk = SimulatedDisk::new(3);
    let journal = open(&disk);
    journal.append(b"old").unwrap();
    let begin = journal.roll().unwrap();
    assert_eq!(begin, Position(1));
    journal.append(b"new").unwrap();
    journal.drop_before(begin).unwrap();
    let position = journal.append(b"newer").unwrap();
    assert_eq!(position, Position(2));
    journal.durable_blocking(position).unwrap();
    disk.crash(Loss::Everything);
    drop(journal);
    let journal = open(&disk);
    assert_eq!(records(&journal), [&b"new"[..], b"newer"]);
    assert_eq!(journal.segments(), [Position(1)]);
}
