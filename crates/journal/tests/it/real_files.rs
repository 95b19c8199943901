//! The same journal on the machine's own filesystem.

use std::{path::Path, sync::Arc};

use diamond_journal::{Journal, JournalError, JournalOptions, Position, RealDisk, Recovery};
use futures_util::future::join_all;

fn open(folder: &Path) -> Result<(Journal, Recovery), JournalError> {
    let options = JournalOptions {
        segment_bytes: 10_000,
        ..JournalOptions::default()
    };
    Journal::open(folder, Arc::new(RealDisk), options)
}

#[tokio::test]
async fn records_come_back_in_order_over_many_segments() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("a/b");
    let (journal, recovery) = open(&folder).unwrap();
    assert_eq!(recovery.end, Position::START);
    for number in 0..1_000_u32 {
        journal.append(&number.to_le_bytes()).unwrap();
        if number % 50 == 0 {
            journal.append_durable(&[b"wait"]).await.unwrap();
        }
    }
    journal.append_durable(&[b"end"]).await.unwrap();
    let id = journal.id();
    assert!(journal.segments().len() > 1);
    drop(journal);

    let (journal, recovery) = open(&folder).unwrap();
    assert_eq!((recovery.journal, recovery.cut_bytes), (id, 0));
    assert_eq!(recovery.end, Position(1_021));
    let mut numbers = 0..1_000_u32;
    for record in journal.scan(Position::START) {
        let (_, payload) = record.unwrap();
        if payload.len() == 4 && payload != b"wait" {
            assert_eq!(payload, numbers.next().unwrap().to_le_bytes());
        }
    }
    assert!(numbers.is_empty());
    let behind: Vec<u64> = journal
        .scan(Position(1_000))
        .map(|record| record.unwrap().0.0)
        .collect();
    assert_eq!(behind, (1_000..1_021).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_tasks_write_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = open(folder.path()).unwrap();
    let tasks = (0..64_u32).map(|task| {
        let journal = journal.clone();
        async move {
            for number in 0..20_u32 {
                let record = [task.to_le_bytes(), number.to_le_bytes()].concat();
                journal.append_durable(&[record]).await.unwrap();
            }
        }
    });
    join_all(tasks).await;
    assert_eq!(journal.durable_end(), Position(64 * 20));
    let mut last = [0_u32; 64];
    for record in journal.scan(Position::START) {
        let record = record.unwrap().1;
        let (task, number) = (record[0] as usize, u32::from(record[4]));
        assert_eq!(last[task], number, "a task's records keep their order");
        last[task] += 1;
    }
    assert_eq!(last, [20; 64]);
}

#[test]
fn a_folder_has_one_owner() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = open(folder.path()).unwrap();
    let second = open(folder.path());
    assert!(matches!(second, Err(JournalError::Locked { .. })));
    drop(journal);
    open(folder.path()).unwrap();
}

#[tokio::test]
async fn a_torn_tail_is_cut_off_wherever_it_was_torn() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = open(folder.path()).unwrap();
    journal.append_durable(&[b"one", b"two"]).await.unwrap();
    // Closed, it gives back what was prepared for more.
    journal.close().unwrap();
    drop(journal);
    let file = folder.path().join("00000000000000000000.journal");
    let whole = std::fs::read(&file).unwrap();
    for size in whole.len() - 27 + 1..whole.len() {
        std::fs::write(&file, &whole[..size]).unwrap();
        let (journal, recovery) = open(folder.path()).unwrap();
        assert_eq!(recovery.end, Position(1), "torn at {size}");
        assert_eq!(recovery.cut_bytes, (size + 27 - whole.len()) as u64);
        let position = journal.append_durable(&[b"2nd"]).await.unwrap();
        assert_eq!(position, Position(1));
    }
    // What was prepared, or what a filesystem leaves of a file that had been extended: zeros, in
    // which the next record finds its place.
    let zeros = [whole.as_slice(), &[0; 300]].concat();
    std::fs::write(&file, &zeros).unwrap();
    let (journal, recovery) = open(folder.path()).unwrap();
    assert_eq!((recovery.end, recovery.cut_bytes), (Position(2), 0));
    assert_eq!(journal.append(b"three").unwrap(), Position(2));
    drop(journal);
    let (journal, recovery) = open(folder.path()).unwrap();
    assert_eq!((recovery.end, recovery.cut_bytes), (Position(3), 0));
    assert_eq!(journal.scan(Position::START).count(), 3);
    drop(journal);
    // Zeros where a record was torn, and the end of it behind them.
    let torn = [zeros.as_slice(), b"end"].concat();
    std::fs::write(&file, &torn).unwrap();
    let (_, recovery) = open(folder.path()).unwrap();
    assert_eq!((recovery.end, recovery.cut_bytes), (Position(2), 303));
}

#[tokio::test]
async fn a_missing_segment_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = open(folder.path()).unwrap();
    for number in 0..3_u8 {
        journal.append_durable(&[[number; 100]]).await.unwrap();
        journal.roll().unwrap();
    }
    drop(journal);
    std::fs::remove_file(folder.path().join("00000000000000000001.journal")).unwrap();
    let (journal, _) = open(folder.path()).unwrap();
    let read: Result<Vec<_>, _> = journal.scan(Position::START).collect();
    assert!(
        matches!(read, Err(JournalError::Corrupt { .. })),
        "{read:?}"
    );
}

#[test]
fn a_file_of_something_else_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("00000000000000000000.journal");
    let text = "not a journal, but somebody's only copy of something important".repeat(3);
    std::fs::write(&file, &text).unwrap();
    assert!(matches!(
        open(folder.path()),
        Err(JournalError::Corrupt { .. })
    ));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}
