//! Every promise of the control database, on SQLite and on PostgreSQL.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends by panicking"
)]

#[macro_use]
mod support;

mod alarms;
mod anchors;
mod budgets;
mod cancelling;
mod changes;
mod key_tags;
mod key_versions;
mod opening;
mod rotations;
mod sealed;
mod tenants;
mod tokens;
