//! The journal's promises, on real files and on the simulated disk.

mod crashes;
mod failures;
mod group_commit;
mod real_files;
