//! The simulator through its front door.

mod admin;
mod audio;
mod chat;
mod faults;
mod fidelity;
mod harness;
mod keys;
mod other;
mod responses;
