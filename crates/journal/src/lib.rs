//! The append-only durable log: segments, checksums, group commit, recovery.
//!
//! A [`Journal`] is a folder of segment files. Records are numbered from 0 and never change;
//! [`Journal::append`] hands a record to the operating system (it outlives the process),
//! [`Journal::append_durable`] waits until it is on the disk (it outlives the machine's power), and
//! one commit thread shares each flush among all that wait. The journal knows nothing of what its
//! records mean. What it needs of a filesystem is the [`Disk`]; [`simulated`] has one that loses
//! power, tears writes and fills up on command.

mod commit;
mod copies;
mod disk;
mod error;
mod journal;
mod options;
mod record;
mod recovery;
mod scan;
mod segment;
pub mod simulated;
mod state;
mod waiting;

pub use copies::SegmentCopy;
pub use disk::{Disk, DiskFile, DiskLock, RealDisk};
pub use error::JournalError;
pub use journal::Journal;
pub use options::{JournalId, JournalOptions, Position};
pub use recovery::Recovery;
pub use scan::Scan;
