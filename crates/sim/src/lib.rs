//! diamond-sim: the simulated outside world, the independent judge.
//!
//! Plays the companies that the key manager talks to, each under its own prefix (`/openai`, …),
//! and keeps its own bill of what it served: counted as it went out, priced from a table of its
//! own by arithmetic of its own. It depends on nothing of ours, so that it cannot repeat our
//! mistakes.
//!
//! `/_sim/…` is the judge's own counter; [`Simulator`] says what stands there.

mod anthropic;
pub mod authority;
mod bill;
mod body;
mod cache;
mod clock;
mod control;
mod deepgram;
mod desk;
mod elevenlabs;
mod encoding;
mod faults;
mod hume;
mod ids;
mod instant;
mod keys;
mod limits;
mod multipart;
mod openai;
mod plain;
mod prices;
mod quantities;
mod recorder;
mod request;
mod router;
mod schema;
mod server;
mod service;
mod socket;
mod sound;
mod talk;
mod tokens;
mod world;

pub use server::Simulator;
