//! The use cases: what the system does, one file a noun.
//!
//! Everything decides here: the API translates and calls, stores obey. This crate knows ports,
//! never adapters, and nothing of HTTP servers. It keeps the in-memory tables of admission and
//! keyring fed from the change log ([`Snapshot`]), so that the warm path needs no database.

mod alarms;
mod anchor;
mod app;
mod audit;
mod background;
mod backups;
mod bootstrap;
mod budgets;
mod context;
mod database_watch;
mod error;
mod health;
mod incident;
mod keys;
mod loading;
mod outbound;
mod page;
mod quarantine;
mod refusals;
mod revocations;
mod rotations;
mod seal;
mod services;
mod snapshot;
mod tenants;
mod tokens;
mod tpc;
mod usage;
mod witness;

pub use alarms::AlarmRecorder;
pub use app::{App, AppParts, AppSettings};
pub use audit::{AuditCoverage, AuditStatus, CheckpointVerdict, RefusedRequest};
pub use backups::{BackupError, BackupStream, Backups};
pub use bootstrap::{BootstrapError, FirstStart, bootstrap};
pub use budgets::{BudgetView, DefaultBudget, PutBudget};
pub use context::RequestContext;
pub use database_watch::DatabaseWatch;
pub use error::{AppError, AppErrorKind};
pub use health::{Check, Readiness};
pub use incident::{IncidentCursor, IncidentPage, IncidentSubject, IncidentSummary, IncidentUse};
pub use keys::{
    CheckKey, CheckedKey, CredentialView, KeyCheck, KeyTagger, KeyVersionView, LeaseRequest,
    LeasedKey, PutKey, RevokeKeyVersion,
};
pub use outbound::{Outbound, OutboundError};
pub use page::Page;
pub use quarantine::{Comparison, RecentChange, Released, RestoreStatus};
pub use refusals::RefusalRecorder;
pub use revocations::{NodeStanding, NodeView, RevocationView};
pub use rotations::{
    RotateAll, RotationParts, RotationSettings, RotationView, Rotations, SweepReport, SweptKey,
};
pub use seal::{SealFacts, SealStatus};
pub use services::{DeclaredFile, Directory, ServiceOrigin, ServiceView, UnusableDeclarations};
pub use snapshot::Snapshot;
pub use tenants::{NewTenant, TenantChanges};
pub use tokens::{NewToken, TokenView};
pub use tpc::{ServiceCost, Span, TenantCost, TpcReport, TrendView, UserCost, UserDistribution};
pub use usage::{ReportOutcome, ReportVerdict, UsageReport};
pub use witness::{WebhookWitness, WitnessSettings, WitnessView, Witnesses};

pub use diamond_admission::BudgetState;
pub use diamond_db::{AlarmRow, AlarmState, BudgetRow, RevocationTarget, Tenant, TenantStatus};
pub use diamond_providers::Minting;
pub use diamond_secrets::RekeyPhase;
