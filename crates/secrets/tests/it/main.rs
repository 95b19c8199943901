//! The sealed store on SQLite and on PostgreSQL.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends by panicking"
)]

#[macro_use]
mod support;

mod contract;
mod custody;
mod master_key;
mod nodes;
mod rekey;
mod tampering;
