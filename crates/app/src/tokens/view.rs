//! A token as people and programs may see it.

use diamond_db::TokenRow;
use diamond_domain::{ScopeSet, ServiceId, TenantId, TokenId, UserId};
use jiff::Timestamp;

/// A token without anything that it could be known by.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenView {
    /// Its public name.
    pub id: TokenId,
    /// Whose.
    pub tenant: Option<TenantId>,
    /// Its name for people.
    pub name: String,
    /// Who answers for it.
    pub owner: String,
    /// What it is for.
    pub purpose: String,
    /// What it may do.
    pub scopes: ScopeSet,
    /// The one user that it acts for.
    pub user: Option<UserId>,
    /// The services that it may use.
    pub services: Option<Vec<ServiceId>>,
    /// The addresses that it may come from.
    pub addresses: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to within some seconds.
    pub last_used_at: Option<Timestamp>,
}

pub(super) fn view(row: TokenRow) -> TokenView {
    TokenView {
        id: row.id,
        tenant: row.tenant,
        name: row.name,
        owner: row.owner,
        purpose: row.purpose,
        scopes: row.scopes,
        user: row.user,
        services: row.services,
        addresses: row.addresses,
        created_at: row.created_at,
        expires_at: row.expires_at,
        revoked_at: row.revoked_at,
        last_used_at: row.last_used_at,
    }
}
