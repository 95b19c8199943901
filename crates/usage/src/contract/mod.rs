//! The contract suites of the ports. An adapter is done when it passes the one of its port.
//!
//! They panic where a promise is not kept, so they are for tests.

mod audit_sink;
mod event_sink;
pub mod samples;
mod usage_reader;

pub use audit_sink::audit_sink;
pub use event_sink::event_sink;
pub use usage_reader::usage_reader;
