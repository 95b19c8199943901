//! Plans, allocations, rounding: arithmetic on money. No I/O.
