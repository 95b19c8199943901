//! Usage: reported by callers who do not use the gateway, and looked up.

mod look_up;
mod report;

pub use report::{ReportOutcome, ReportVerdict, UsageReport};
