//! The management API: projects, keys, balances, short-lived tokens.

pub(super) mod auth;
pub(super) mod keys;
pub(super) mod projects;
