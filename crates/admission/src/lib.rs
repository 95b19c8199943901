//! Who may do what, how much: tokens, scopes, policy, budgets, in memory.
//!
//! [`Admission`] answers from memory alone; somebody else feeds it from the control state. The
//! types it hands out are the proof that the question was asked: a [`Caller`] has authenticated, a
//! [`TenantAccess`] has been checked against scope and tenant, a [`Reservation`] holds money. Every
//! no is a [`Refusal`] with a stable code and a sentence that says what to do.
//!
//! This crate does no I/O and knows nothing of HTTP.

mod access;
mod address;
mod admission;
mod budget;
mod caller;
mod calls;
mod record;
mod refusal;
mod token;

pub use access::{OperatorAccess, TenantAccess};
pub use address::{AddressRange, AddressRangeError};
pub use admission::Admission;
pub use budget::{
    BudgetReading, BudgetRule, BudgetState, Budgets, Counted, Reservation, ReserveRequest,
};
pub use caller::Caller;
pub use calls::{CallMark, CallSubject, CutReason, CutTarget, RunningCall, RunningCalls};
pub use record::{TenantPolicy, TokenRecord};
pub use refusal::{BudgetAmounts, Refusal, RefusalKind, ServiceFence};
pub use token::{AccessToken, MalformedToken, TokenHash};
