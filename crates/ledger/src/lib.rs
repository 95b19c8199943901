//! The embedded [`UsageReader`](diamond_usage::UsageReader): a scan of the usage journal.
//!
//! Every question reads the events that it is about once, on a thread that may wait for the disk,
//! and keeps no more than its answer in memory. One file a question; a question about everybody is
//! made in `operator.rs` alone.

mod events;
mod operator;
mod per_user;
mod scan_ledger;
mod series;
mod sums;
mod totals;

pub use scan_ledger::ScanLedger;
