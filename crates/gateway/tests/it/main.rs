//! The gateway before a small provider made of hyper, with a recording sink behind it.

mod cancel;
mod fidelity;
mod keys;
mod metering;
mod refusals;
mod support;
