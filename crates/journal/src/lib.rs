//! The append-only durable log: segments, checksums, group commit, recovery.
