//! What admission is fed: tokens and tenants as the control state has them.

use diamond_domain::{ScopeSet, ServiceId, TenantId, Tier, TokenId, UserId};
use jiff::Timestamp;

use crate::{AddressRange, TokenHash};

/// An access token as it is known: its hash and what it is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRecord {
    /// Its public name.
    pub id: TokenId,
    /// The hash of the token itself.
    pub hash: TokenHash,
    /// Whose token it is; `None` for a token of the platform's operators.
    pub tenant: Option<TenantId>,
    /// What people call it.
    pub name: String,
    /// Who answers for it.
    pub owner: String,
    /// What it is for.
    pub purpose: String,
    /// What it may do.
    pub scopes: ScopeSet,
    /// The one user it acts for; `None` when it may name users.
    pub user: Option<UserId>,
    /// The services it may be used for; `None` for all.
    pub services: Option<Vec<ServiceId>>,
    /// Where it may be used from; empty for everywhere.
    pub addresses: Vec<AddressRange>,
    /// From when on it is refused.
    pub expires_at: Timestamp,
    /// When it was withdrawn.
    pub revoked_at: Option<Timestamp>,
}

/// What a tenant may do, as far as admission decides it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantPolicy {
    /// The tenant.
    pub id: TenantId,
    /// What it bought.
    pub tier: Tier,
    /// Whether it is stopped.
    pub suspended: bool,
    /// The services it may use; `None` for all.
    pub services: Option<Vec<ServiceId>>,
    /// Whether its callers may receive the values of its keys.
    pub reveal: bool,
}
