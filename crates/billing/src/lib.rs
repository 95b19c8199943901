//! Plans, allocations, rounding: arithmetic on money. No I/O, no floating point.

mod overheads;
mod plan;

pub use overheads::{Allocation, BasisPoints, BasisPointsError, Overheads};
pub use plan::{Plan, PlanCharge, UnknownPlan};
