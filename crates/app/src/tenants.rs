//! Tenants: made, looked at, changed.

use std::time::Duration;

use diamond_db::{Tenant, TenantStatus};
use diamond_domain::{RevocationId, Scope, ServiceId, TenantId, Tier};
use diamond_usage::{AuditAction, AuditOutcome};
use jiff::{SignedDuration, Timestamp};

use crate::{App, AppError, Page, RequestContext, RevocationView, audit::AuditSubject};

/// The most characters of a display name.
const DISPLAY_NAME_MAX: usize = 200;

/// A tenant to be made.
#[derive(Debug, Clone)]
pub struct NewTenant {
    /// Its id.
    pub id: TenantId,
    /// Its name for people; the id when not given.
    pub display_name: Option<String>,
    /// What it bought.
    pub tier: Tier,
    /// Whether its keys may be handed out; yes when not given.
    pub reveal: Option<bool>,
    /// Which services it may use; all when not given.
    pub services: Option<Vec<ServiceId>>,
}

/// What to change; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct TenantChanges {
    /// Its name for people.
    pub display_name: Option<String>,
    /// Whether its keys may be handed out.
    pub reveal: Option<bool>,
    /// Which services it may use; the inner `None` is all.
    pub services: Option<Option<Vec<ServiceId>>>,
    /// Whether everything it does is refused.
    pub suspended: Option<bool>,
}

impl App {
    /// Makes a tenant, with the default budget if one is set.
    ///
    /// # Errors
    /// Refused for anybody but operators with `tenants:admin`; `tenant_exists`.
    pub async fn create_tenant(
        &self,
        ctx: &RequestContext,
        new: NewTenant,
    ) -> Result<Tenant, AppError> {
        let parts = self.parts();
        parts
            .admission
            .operator_access(&ctx.caller, Scope::TenantsAdmin)?;
        self.check_services(new.services.as_deref())?;
        if let Some(name) = &new.display_name {
            check_name(name)?;
        }
        let now = parts.clock.now();
        let tenant = Tenant {
            display_name: new.display_name.unwrap_or_else(|| new.id.to_string()),
            id: new.id,
            tier: new.tier,
            status: TenantStatus::Active,
            services: new.services,
            reveal: new.reveal.unwrap_or(true),
            created_at: now,
            updated_at: now,
        };
        let exists = || {
            AppError::conflict(
                "tenant_exists",
                format!("the tenant {} exists already", tenant.id),
            )
        };
        if diamond_db::tenants::get(&parts.db, &tenant.id)
            .await?
            .is_some()
        {
            return Err(exists());
        }
        let subject = AuditSubject {
            tenant: Some(tenant.id.clone()),
            ..AuditSubject::default()
        };
        self.record(
            ctx,
            AuditAction::TenantCreate,
            AuditOutcome::Granted,
            subject,
        )
        .await?;
        let budget = self.default_budget(&tenant.id);
        if !diamond_db::tenants::create_with(&parts.db, &tenant, budget.as_ref()).await? {
            return Err(exists());
        }
        self.publish().await?;
        Ok(tenant)
    }

    /// One tenant.
    ///
    /// # Errors
    /// Refused without `tenants:admin`; not found, also when it is a stranger's.
    pub async fn get_tenant(
        &self,
        ctx: &RequestContext,
        id: &TenantId,
    ) -> Result<Tenant, AppError> {
        let parts = self.parts();
        let access = parts
            .admission
            .tenant_access(&ctx.caller, id, Scope::TenantsAdmin)?;
        let tenant = diamond_db::tenants::get(&parts.db, access.tenant()).await?;
        tenant.ok_or_else(not_found)
    }

    /// All tenants by id, from behind `after`.
    ///
    /// # Errors
    /// Refused for anybody but operators with `tenants:admin`.
    pub async fn list_tenants(
        &self,
        ctx: &RequestContext,
        after: Option<TenantId>,
        limit: u32,
    ) -> Result<Page<Tenant>, AppError> {
        let parts = self.parts();
        parts
            .admission
            .operator_access(&ctx.caller, Scope::TenantsAdmin)?;
        // Whoever made a tenant and left before its answer finds it here, and goes on with it: then
        // it must be known to every other question too.
        self.publish().await?;
        let tenants =
            diamond_db::operator::list_tenants(&parts.db, after.as_ref(), limit.saturating_add(1))
                .await?;
        Ok(Page::cut(tenants, limit, |tenant| tenant.id.to_string()))
    }

    /// Changes a tenant. A tenant may not lift its own suspension or widen its own policy, so this
    /// is the operators'. Suspending it cuts its calls on every node; then this waits so long for
    /// the nodes to say so.
    ///
    /// # Errors
    /// Refused for anybody but operators with `tenants:admin`; not found.
    pub async fn update_tenant(
        &self,
        ctx: &RequestContext,
        id: &TenantId,
        changes: TenantChanges,
        wait: Duration,
    ) -> Result<(Tenant, Option<RevocationView>), AppError> {
        let parts = self.parts();
        // A stranger's tenant is not found, its own is not the caller's to change.
        parts
            .admission
            .tenant_access(&ctx.caller, id, Scope::TenantsAdmin)?;
        parts
            .admission
            .operator_access(&ctx.caller, Scope::TenantsAdmin)?;
        self.check_services(changes.services.as_ref().and_then(|list| list.as_deref()))?;
        if let Some(name) = &changes.display_name {
            check_name(name)?;
        }
        let read = async || {
            let tenant = diamond_db::tenants::get(&parts.db, id).await?;
            tenant.ok_or_else(not_found)
        };
        let mut seen = read().await?;
        let revocation =
            (changes.suspended == Some(true)).then(|| RevocationId::generate(parts.clock.now()));
        let subject = AuditSubject {
            tenant: Some(id.clone()),
            detail: Some(match revocation {
                None => format!("{changes:?}"),
                Some(revocation) => format!("{changes:?}, at once: {revocation}"),
            }),
            ..AuditSubject::default()
        };
        self.record(
            ctx,
            AuditAction::TenantUpdate,
            AuditOutcome::Granted,
            subject,
        )
        .await?;
        // Somebody else's change in between must not be undone by ours: look again and apply it
        // to what is there now.
        let tenant = loop {
            let tenant = changed(&seen, &changes, parts.clock.now());
            let (db, before) = (&parts.db, seen.updated_at);
            let updated = match revocation {
                None => diamond_db::tenants::update(db, &tenant, before).await?,
                Some(id) => diamond_db::tenants::suspend_now(db, &tenant, before, id).await?,
            };
            if updated {
                break tenant;
            }
            seen = read().await?;
        };
        self.publish().await?;
        let seen = match revocation {
            None => None,
            Some(id) => Some(self.see_through(id, wait).await?),
        };
        Ok((tenant, seen))
    }

    pub(crate) fn check_services(&self, services: Option<&[ServiceId]>) -> Result<(), AppError> {
        services
            .unwrap_or_default()
            .iter()
            .try_for_each(|service| self.check_service(service))
    }

    pub(crate) fn check_service(&self, service: &ServiceId) -> Result<(), AppError> {
        if self.parts().providers.get(service).is_some() {
            return Ok(());
        }
        let known: Vec<String> = self
            .parts()
            .providers
            .services()
            .map(ToString::to_string)
            .collect();
        Err(AppError::not_found(
            "unknown_service",
            format!("`{service}` is not a service of this installation"),
        )
        .with_details(serde_json::json!({ "services": known })))
    }
}

fn changed(tenant: &Tenant, changes: &TenantChanges, now: Timestamp) -> Tenant {
    let mut tenant = tenant.clone();
    // Two changes never bear one time: that is how the second is told from the first.
    tenant.updated_at = now.max(tenant.updated_at + SignedDuration::from_micros(1));
    if let Some(name) = &changes.display_name {
        tenant.display_name.clone_from(name);
    }
    if let Some(reveal) = changes.reveal {
        tenant.reveal = reveal;
    }
    if let Some(services) = &changes.services {
        tenant.services.clone_from(services);
    }
    if let Some(suspended) = changes.suspended {
        tenant.status = if suspended {
            TenantStatus::Suspended
        } else {
            TenantStatus::Active
        };
    }
    tenant
}

fn check_name(name: &str) -> Result<(), AppError> {
    let length = name.chars().count();
    if !(1..=DISPLAY_NAME_MAX).contains(&length) || name.chars().any(char::is_control) {
        return Err(AppError::invalid(
            "invalid_display_name",
            format!("a display name has 1 to {DISPLAY_NAME_MAX} characters, none of them control"),
        ));
    }
    Ok(())
}

fn not_found() -> AppError {
    AppError::not_found("tenant_not_found", "there is no such tenant")
}
