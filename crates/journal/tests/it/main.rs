//! The journal's promises, on real files and on the simulated disk.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod crashes;
mod failures;
mod group_commit;
mod real_files;
