//! Proofs that a caller may act for a tenant, or across tenants.

use std::sync::Arc;

use diamond_domain::{Scope, ServiceId, TenantId, UserId, UserSource};

use crate::{Caller, Refusal, ServiceFence, TenantPolicy};

/// A caller that may act for one tenant: only [`crate::Admission`] makes one.
#[derive(Debug, Clone)]
pub struct TenantAccess {
    caller: Caller,
    policy: Arc<TenantPolicy>,
}

impl TenantAccess {
    pub(crate) const fn new(caller: Caller, policy: Arc<TenantPolicy>) -> Self {
        Self { caller, policy }
    }

    /// The tenant.
    #[must_use]
    pub fn tenant(&self) -> &TenantId {
        &self.policy.id
    }

    /// What the tenant may do.
    #[must_use]
    pub const fn policy(&self) -> &Arc<TenantPolicy> {
        &self.policy
    }

    /// Who is acting.
    #[must_use]
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Whether both token and tenant may use the service.
    pub fn check_service(&self, service: &ServiceId) -> Result<(), Refusal> {
        let fences = [
            (ServiceFence::Token, &self.caller.token().services),
            (ServiceFence::Tenant, &self.policy.services),
        ];
        for (fence, allowed) in fences {
            if allowed.as_ref().is_some_and(|list| !list.contains(service)) {
                return Err(Refusal::ServiceNotAllowed {
                    service: service.clone(),
                    fence,
                });
            }
        }
        Ok(())
    }

    /// Whether the tenant is not suspended. Operators reach a suspended tenant in order to put it
    /// right; calling services and handing out keys on its behalf stay closed to them too.
    pub fn check_active(&self) -> Result<(), Refusal> {
        if self.policy.suspended {
            return Err(Refusal::TenantSuspended {
                tenant: self.policy.id.clone(),
            });
        }
        Ok(())
    }

    /// Whether the caller may receive the value of the tenant's key for the service: scope,
    /// tenant, service and the tenant's policy all say yes.
    pub fn may_reveal(&self, service: &ServiceId) -> Result<(), Refusal> {
        self.caller.require(Scope::KeysReveal)?;
        self.check_active()?;
        self.check_service(service)?;
        if !self.policy.reveal {
            return Err(Refusal::RevealNotAllowed {
                tenant: self.policy.id.clone(),
            });
        }
        Ok(())
    }

    /// Which user the call belongs to, and who said so: the token's, else the header's, else the
    /// body's, else the one in the provider's own field, else `unknown`.
    ///
    /// A token bound to a user cannot name another by header or body. The provider's own field is
    /// not held against it: what stands there is often a hash made for the provider, and the call
    /// belongs to the token's user whatever it says.
    pub fn resolve_user(
        &self,
        header: Option<UserId>,
        body: Option<UserId>,
        provider: Option<UserId>,
    ) -> Result<(UserId, UserSource), Refusal> {
        if let Some(bound) = self.caller.user() {
            let other = [header, body].into_iter().flatten().find(|n| n != bound);
            return match other {
                None => Ok((bound.clone(), UserSource::Token)),
                Some(named) => Err(Refusal::UserMismatch {
                    bound: bound.clone(),
                    named,
                }),
            };
        }
        let named = [
            (header, UserSource::Header),
            (body, UserSource::Body),
            (provider, UserSource::Provider),
        ];
        let first = named
            .into_iter()
            .find_map(|(user, source)| Some((user?, source)));
        Ok(first.unwrap_or_else(|| (UserId::unknown(), UserSource::Unknown)))
    }
}

/// A caller that may act across tenants with one scope: only [`crate::Admission`] makes one.
#[derive(Debug, Clone)]
pub struct OperatorAccess {
    caller: Caller,
}

impl OperatorAccess {
    pub(crate) const fn new(caller: Caller) -> Self {
        Self { caller }
    }

    /// Who is acting.
    #[must_use]
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }
}
