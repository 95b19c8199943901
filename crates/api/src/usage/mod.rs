//! Usage: reporting and looking up.

mod body;
mod events;
mod report;

pub use events::*;
pub use report::*;
