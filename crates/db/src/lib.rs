//! Control state in SQL: one portable body for SQLite and PostgreSQL.
//!
//! One file a table. Every function takes the tenant first, or lives in [`operator`] (reads across
//! tenants on behalf of an operator) or [`system`] (background work). What a caller can decide on
//! (exists already, missing, moved on) is in a function's own result; [`DbError`] is for the rest.
//! Times are handed in and kept in microseconds.

mod connection;
mod digest;
mod error;
mod migration;
mod place;
mod reading;
mod transaction;
mod whole;

pub mod alarms;
pub mod anchors;
pub mod budgets;
pub mod changes;
pub mod drains;
pub mod dump;
pub mod installation;
pub mod key_tags;
pub mod key_versions;
pub mod nodes;
pub mod operator;
pub mod provider_revocations;
pub mod restores;
pub mod revocations;
pub mod rotations;
pub mod sealed;
pub mod system;
pub mod tenants;
pub mod tokens;

pub use alarms::{AlarmChange, AlarmRow, AlarmState};
pub use anchors::AuditAnchor;
pub use budgets::{BUDGETS_PER_TENANT_MAX, BudgetPut, BudgetRow};
pub use changes::{Change, ChangeSubject};
pub use connection::{Db, DbOptions};
pub use drains::{DrainRow, RetiringKey};
pub use dump::{Dump, DumpedRow, DumpedValue, Load, NewRestore};
pub use error::DbError;
pub use key_versions::{Activation, AtProvider, KeyVersionRow};
pub use nodes::{KnownNode, NodeRow};
pub use provider_revocations::{NewProviderRevocation, ProviderRevocationRow};
pub use restores::RestoreRow;
pub use revocations::{Revocation, RevocationAcknowledgement, RevocationTarget};
pub use rotations::{
    Begun, NewRotation, RotationCause, RotationChange, RotationRow, RotationState, VersionChange,
};
pub use tenants::{Tenant, TenantStatus};
pub use tokens::TokenRow;
pub use whole::{KeyVersionState, SealedTexts};
