//! The words of the system: identifiers, secret names, money, quantities, the usage event, time.
//!
//! Pure values. This crate knows nothing of HTTP, SQL, files or any AI service; every other crate
//! speaks in its types. A value that exists is valid: parsing is the only way in.

mod alarm;
mod budget;
mod checkpoint;
mod clock;
mod event;
mod id;
mod json_depth;
mod money;
mod period;
mod quantity;
mod scope;
mod secret;
mod service;
mod tenant;
mod user;

pub use alarm::{Alarm, AlarmCode, AlarmSink};
pub use budget::{BudgetMeasure, BudgetName, BudgetNameError, OnUnbounded, OnUnboundedError};
pub use checkpoint::{Checkpoint, from_hex, to_hex};
pub use clock::{Clock, ManualClock, SystemClock};
pub use event::{
    CallOutcome, CostBasis, EventKind, EventSource, OpenedCall, Payer, Tags, TagsError, UsageEvent,
    check_tags,
};
pub use id::{
    AuditId, EventId, IdError, InstallationId, NodeId, OperationId, RequestId, RevocationId,
    RotationId, TokenId, TraceId,
};
pub use json_depth::json_is_deeper_than;
pub use money::{Money, MoneyError};
pub use period::{Period, PeriodError, TimeRange};
pub use quantity::{Meter, Quantities, UnknownMeter};
pub use scope::{Scope, ScopeSet, UnknownScope};
pub use secret::{
    KeyHealth, SecretKind, SecretName, SecretNameError, SecretValue, SecretVersion, VersionState,
};
pub use service::{ServiceId, ServiceIdError};
pub use tenant::{TenantId, TenantIdError, Tier, UnknownTier};
pub use user::{UserId, UserIdError, UserSource};
