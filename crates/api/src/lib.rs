//! The HTTP API: router, extractors, the one map from errors to statuses.
