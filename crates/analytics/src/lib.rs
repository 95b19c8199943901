//! Distributions and trends: mathematics on exact sums. No I/O.
