//! The in-path proxy.
