//! Distributions and trends: mathematics on exact sums. No I/O, and no floating point: money goes
//! in and comes out in whole nano-dollars, rounded once, half to even.

mod distribution;
mod trend;
mod wide;

pub use distribution::Distribution;
pub use trend::{Change, ChangeError, Trend};
