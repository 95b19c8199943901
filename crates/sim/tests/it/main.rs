//! The simulator through its front door.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod admin;
mod anthropic;
mod audio;
mod chat;
mod deepgram;
mod elevenlabs;
mod faults;
mod fidelity;
mod harness;
mod hume;
mod keys;
mod life;
mod live;
mod other;
mod plain;
mod responses;
mod socket;
