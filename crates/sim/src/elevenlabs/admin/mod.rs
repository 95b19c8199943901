//! Service accounts and their keys.

pub(super) mod accounts;
pub(super) mod keys;

pub(super) use accounts::ServiceAccount;
