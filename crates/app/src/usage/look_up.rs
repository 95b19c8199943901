//! Looking up usage events.

use diamond_domain::{Scope, TenantId};
use diamond_usage::{EventFilter, EventPage, LedgerCursor, TenantScope};

use crate::{App, AppError, RequestContext};

impl App {
    /// A tenant's events in the ledger's order; everybody's for operators who name no tenant.
    ///
    /// What the events cost the platform is shown only to those who may see it
    /// ([`App::may_see_cost`]).
    ///
    /// # Errors
    /// Refused without `usage:read`; not found for a stranger's tenant.
    pub async fn usage_events(
        &self,
        ctx: &RequestContext,
        tenant: Option<&TenantId>,
        filter: EventFilter,
        after: LedgerCursor,
        limit: usize,
    ) -> Result<EventPage, AppError> {
        let parts = self.parts();
        let tenant = tenant
            .cloned()
            .or_else(|| ctx.caller.token().tenant.clone());
        let scope = match tenant {
            Some(tenant) => {
                let access =
                    parts
                        .admission
                        .tenant_access(&ctx.caller, &tenant, Scope::UsageRead)?;
                TenantScope::One(access.tenant().clone())
            }
            None => {
                parts
                    .admission
                    .operator_access(&ctx.caller, Scope::UsageRead)?;
                TenantScope::All
            }
        };
        Ok(parts.reader.events(&scope, &filter, after, limit).await?)
    }

    /// Whether the caller may see what the platform pays.
    #[must_use]
    pub fn may_see_cost(&self, ctx: &RequestContext) -> bool {
        ctx.caller.has(Scope::CostRead)
    }
}
