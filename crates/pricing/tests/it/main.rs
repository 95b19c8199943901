//! The catalog from outside: worked cases, what operators write, and what holds for any call.

#![expect(
    clippy::unwrap_used,
    reason = "in a test, a helper that fails fails the test"
)]

mod bounds;
mod cases;
mod embedded;
mod overrides;
mod properties;

use diamond_domain::ServiceId;
use jiff::Timestamp;

/// A day on which every current row of the embedded catalog holds.
fn noon() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn service(name: &str) -> ServiceId {
    name.parse().unwrap()
}
