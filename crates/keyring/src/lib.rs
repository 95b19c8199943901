//! Every live key version in memory: pins, health, drain.
