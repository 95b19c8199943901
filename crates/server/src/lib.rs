//! `diamond-server`: settings, wiring, listening, stopping. The only crate that knows every
//! adapter, and in it only `wire`.

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

pub use hardening::{Hardening, harden};
pub use run::{Stopped, serve};
