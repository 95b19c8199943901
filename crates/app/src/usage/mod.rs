//! Usage: reported by callers who do not use the gateway, and looked up.

mod check;
mod look_up;
mod report;
mod shape;

pub use shape::{ReportOutcome, ReportVerdict, UsageReport};
