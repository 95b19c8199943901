//! diamond-server: roles, configuration, wiring.
