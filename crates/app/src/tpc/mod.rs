//! True Production Cost: direct cost plus its allocations, by service and over users.

mod report;
mod rows;
mod view;

pub use view::{ServiceCost, Span, TenantCost, TpcReport, TrendView, UserCost, UserDistribution};
