//! The embedded adapters of the ports, on real files and on the simulated disk.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod audit;
mod crashes;
mod dictionary;
mod events;

use std::{path::Path, sync::Arc};

use diamond_domain::ManualClock;
use diamond_journal::Disk;
use diamond_usage::{RecoveredCalls, UsageJournal, UsageJournalOptions, contract::samples};

fn open(folder: &Path, disk: Arc<dyn Disk>) -> (Arc<UsageJournal>, RecoveredCalls) {
    let clock = Arc::new(ManualClock::new(samples::now()));
    UsageJournal::open(folder, disk, clock, UsageJournalOptions::default()).unwrap()
}

/// Without anything prepared: a disk that is full is full at once.
fn open_unprepared(folder: &Path, disk: Arc<dyn Disk>) -> Arc<UsageJournal> {
    let clock = Arc::new(ManualClock::new(samples::now()));
    let mut options = UsageJournalOptions::default();
    options.journal.prepared_bytes = 0;
    UsageJournal::open(folder, disk, clock, options).unwrap().0
}
