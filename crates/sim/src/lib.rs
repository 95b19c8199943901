//! diamond-sim: the simulated outside world, the independent judge.
