//! Everything that this node keeps, in one file, and back.
//!
//! A backup is a tar archive of format 1. Its members, in this order:
//!
//! | member | what |
//! |---|---|
//! | `backup.json` | what it is: format, release, installation, node, moment, number of the newest migration |
//! | `node.json` | whose data folder it is |
//! | `database.ndjson` | every row of the control state, a line each, sealed values as they are sealed |
//! | `audit/…`, `events/…`, `users/…` | the journals' segments, as far as they were durable |
//! | `manifest.json` | every member before it with its size and BLAKE3 hash, and what was counted |
//! | `manifest.mac` | a BLAKE3 hash of the manifest, keyed by a key of this installation |
//!
//! The moment of a backup is the snapshot of the control database: everything that was committed or
//! acknowledged before it is in the archive. The journals are copied right behind it, audit before
//! events before names, so that they hold all that the database knows of them, every name of an
//! event, and perhaps a little more. The master key is not in it: whoever finds a backup has
//! nothing, and whoever has lost the master key has nothing either.

mod archive;
mod archivist;
mod restore;

pub(crate) use archivist::Archivist;
pub use restore::{Restored, check, restore};
