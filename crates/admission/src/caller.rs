//! Somebody who has authenticated.

use std::{net::IpAddr, sync::Arc};

use diamond_domain::{Scope, UserId};

use crate::{Refusal, TokenRecord};

/// Whoever presented a valid token: only [`crate::Admission::authenticate`] makes one.
#[derive(Debug, Clone)]
pub struct Caller {
    token: Arc<TokenRecord>,
    address: IpAddr,
}

impl Caller {
    pub(crate) const fn new(token: Arc<TokenRecord>, address: IpAddr) -> Self {
        Self { token, address }
    }

    /// The token it presented.
    #[must_use]
    pub const fn token(&self) -> &Arc<TokenRecord> {
        &self.token
    }

    /// Where it called from.
    #[must_use]
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// The user that the token is bound to.
    #[must_use]
    pub fn user(&self) -> Option<&UserId> {
        self.token.user.as_ref()
    }

    /// Whether the token has the scope.
    #[must_use]
    pub fn has(&self, scope: Scope) -> bool {
        self.token.scopes.contains(scope)
    }

    /// Whether it may act across tenants. A token that belongs to a tenant never may, whatever
    /// its scopes say: the narrower of two contradicting statements holds.
    #[must_use]
    pub fn is_operator(&self) -> bool {
        self.token.tenant.is_none() && self.has(Scope::Operator)
    }

    /// The refusal unless the token has the scope.
    pub(crate) fn require(&self, scope: Scope) -> Result<(), Refusal> {
        if self.has(scope) {
            Ok(())
        } else {
            Err(Refusal::MissingScope { scope })
        }
    }
}
