//! Many writers share one flush.

use std::{path::Path, sync::Arc};

use diamond_journal::{Journal, JournalOptions, Position, simulated::SimulatedDisk};
use futures_util::future::join_all;

#[tokio::test]
async fn writers_that_wait_together_share_a_flush() {
    const WRITERS: usize = 200;
    let disk = SimulatedDisk::new(1);
    let journal_disk = Arc::new(disk.clone());
    let options = JournalOptions::default();
    let (journal, _) = Journal::open(Path::new("/journal"), journal_disk, options).unwrap();
    let before = disk.syncs();

    disk.hold_syncs();
    let payloads: Vec<_> = (0..WRITERS).map(|number| [number.to_string()]).collect();
    let writers = payloads
        .iter()
        .map(|payload| journal.append_durable(payload));
    let mut writers = Box::pin(join_all(writers));
    // Every writer hands its record in and waits; nobody is answered.
    tokio::select! {
        biased;
        _ = &mut writers => panic!("acknowledged before the flush"),
        () = std::future::ready(()) => {}
    }
    assert_eq!(journal.end(), Position(WRITERS as u64));
    assert_eq!(journal.durable_end(), Position::START);
    disk.release_syncs();

    let mut positions: Vec<u64> = writers.await.into_iter().map(|at| at.unwrap().0).collect();
    positions.sort_unstable();
    assert_eq!(positions, (0..WRITERS as u64).collect::<Vec<_>>());
    // One that was already waiting for the first writer, one for all the others.
    let flushes = disk.syncs() - before;
    assert!(flushes <= 2, "{flushes} flushes for {WRITERS} records");
}
