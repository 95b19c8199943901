//! `diamond-server`: settings, wiring, listening, stopping. The only crate that knows every
//! adapter, and in it only `wire`.

mod backup;
pub mod config;
mod folder;
mod hardening;
mod head;
mod listen;
mod patience;
mod prometheus;
mod run;
mod tls;
mod wire;
mod workers;

pub use backup::{Restored, check as check_backup, restore};
pub use hardening::{Hardening, harden};
pub use run::{Stopped, serve};
