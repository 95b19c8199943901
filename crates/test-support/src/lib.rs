//! What tests need of the outside: a throwaway PostgreSQL, ports, built programs, processes.
//!
//! Whatever cannot be had is a panic that says what is missing: a test that cannot run has failed.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "only tests depend on this crate, and a test ends by panicking"
)]

mod binary;
mod port;
mod postgres;
mod process;

pub use binary::binary;
pub use port::free_port;
pub use postgres::{PostgresDatabase, PostgresServer, postgres};
pub use process::ServerProcess;
