//! Every live key version in memory: pins, health, drain.
//!
//! A request asks [`Keyring::pin`] for a tenant's key and holds the [`PinnedKey`] while it uses it;
//! a rotation retires the version and awaits [`Keyring::drained`]. What a provider says about a key
//! comes in through [`Keyring::report`]. The port [`KeyRepair`] is whom to ask for a new key when a
//! provider refuses one.
//!
//! This crate does no I/O: values are put into it, open or as something that opens at the first use.

mod health;
mod keyring;
mod no_key;
mod pinned;
mod repair;
mod version;

pub use keyring::{ClosedEntry, KeyEntry, Keyring, Retiring};
pub use no_key::{NoKey, SourceState, Tried};
pub use pinned::PinnedKey;
pub use repair::{KeyRepair, RepairError};
pub use version::ClosedValue;
