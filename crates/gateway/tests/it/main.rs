//! The gateway before a small provider made of hyper, with a recording sink behind it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends by panicking"
)]

mod cancel;
mod cut;
mod fidelity;
mod keys;
mod metering;
mod oracle;
mod refusals;
mod silence;
mod support;
