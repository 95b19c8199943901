//! What people and programs ask of rotations.

use std::time::Duration;

use diamond_admission::TenantAccess;
use diamond_db::{KeyVersionRow, RotationCause, RotationRow, RotationState, rotations, system};
use diamond_domain::{
    RotationId, Scope, SecretName, SecretVersion, ServiceId, TenantId, Tier, UserId, VersionState,
};
use diamond_usage::{AuditAction, AuditOutcome};
use jiff::Timestamp;

use super::SweepReport;
use crate::{App, AppError, AppErrorKind, Page, RequestContext, audit::AuditSubject};

/// How many keys one request rotates at most.
const ALL_MAX: u32 = 500;

/// A rotation as people and programs may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationView {
    /// Which.
    pub id: RotationId,
    /// Of which secret.
    pub name: SecretName,
    /// Why.
    pub cause: &'static str,
    /// Where it stands.
    pub state: &'static str,
    /// The version that shall go.
    pub former: Option<SecretVersion>,
    /// The version that takes its place, once there is one.
    pub version: Option<SecretVersion>,
    /// How often a key was asked for.
    pub attempt: u32,
    /// Whether a person has to bring the key.
    pub waits_for_person: bool,
    /// How often in a row it did not get on.
    pub failures: u32,
    /// Why it does not get on.
    pub reason: Option<String>,
    /// When it goes on by itself.
    pub next_attempt_at: Option<Timestamp>,
    /// When it began.
    pub created_at: Timestamp,
    /// When new requests began to use the new key.
    pub promoted_at: Option<Timestamp>,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
}

impl From<RotationRow> for RotationView {
    fn from(row: RotationRow) -> Self {
        Self {
            id: row.id,
            name: row.secret,
            cause: row.cause.as_str(),
            state: row.state.as_str(),
            former: row.former,
            version: row.version,
            attempt: row.attempt,
            waits_for_person: row.waits,
            failures: row.failures,
            reason: row.reason,
            next_attempt_at: row.next_at,
            created_at: row.created_at,
            promoted_at: row.promoted_at,
            ended_at: row.ended_at,
        }
    }
}

/// What became of a wish to rotate many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotateAll {
    /// The rotations that are under way now.
    pub rotations: Vec<RotationView>,
    /// How many of them were before.
    pub already: u64,
    /// Where to go on; `None` when there are no more keys.
    pub next: Option<(SecretName, SecretVersion)>,
}

impl App {
    /// Replaces the tenant's key for a service, and waits a while until the new one is in use.
    ///
    /// # Errors
    /// Refused without `keys:write`; `key_not_configured` when there is none.
    pub async fn rotate_key(
        &self,
        ctx: &RequestContext,
        tenant: &TenantId,
        service: &ServiceId,
        reason: Option<String>,
        wait: Duration,
    ) -> Result<RotationView, AppError> {
        let access = self.key_writer(ctx, tenant, service)?;
        let name = dedicated(service, tenant);
        let Some(active) = self.active_version(&access, &name).await? else {
            return Err(AppError::not_found(
                "key_not_configured",
                format!(
                    "the tenant {tenant} has no dedicated key for {service}: make one with \
                     `diamond ai keys:provision {service} {tenant}`, or put one"
                ),
            ));
        };
        let wish = Wish {
            cause: RotationCause::Requested,
            former: Some(active.version),
            user: None,
            purpose: reason,
        };
        self.begin_rotation(ctx, access.tenant(), &name, wish, wait)
            .await
    }

    /// Makes the tenant's first key for a service, and waits a while until it is in use.
    ///
    /// # Errors
    /// Refused without `keys:write`; `tier_mismatch`; `key_already_there`;
    /// `tier_without_own_keys`.
    pub async fn provision_key(
        &self,
        ctx: &RequestContext,
        tenant: &TenantId,
        service: &ServiceId,
        requested_by: Option<UserId>,
        tier: Option<Tier>,
        wait: Duration,
    ) -> Result<RotationView, AppError> {
        let access = self.key_writer(ctx, tenant, service)?;
        let own = access.policy().tier;
        if let Some(named) = tier.filter(|named| *named != own) {
            return Err(AppError::conflict(
                "tier_mismatch",
                format!("the tenant {tenant} has the tier {own}, not {named}"),
            )
            .with_details(serde_json::json!({ "tier": own })));
        }
        if own == Tier::CustomerProvided {
            return Err(AppError::conflict(
                "tier_without_own_keys",
                format!("tenants of the tier {own} bring their own keys: put the customer's key"),
            ));
        }
        let name = dedicated(service, tenant);
        if let Some(active) = self.active_version(&access, &name).await? {
            return Err(AppError::conflict(
                "key_already_there",
                format!(
                    "the tenant {tenant} has version {} of a key for {service}: replace it with \
                     `diamond ai keys:rotate {service} {tenant}`",
                    active.version
                ),
            ));
        }
        let wish = Wish {
            cause: RotationCause::Provision,
            former: None,
            user: requested_by,
            purpose: None,
        };
        self.begin_rotation(ctx, access.tenant(), &name, wish, wait)
            .await
    }

    /// Replaces the dedicated keys of a service, a page at a time; a key that is being replaced is
    /// not begun again.
    ///
    /// # Errors
    /// Refused for anybody but operators with `keys:write`.
    pub async fn rotate_all(
        &self,
        ctx: &RequestContext,
        service: &ServiceId,
        after: Option<(SecretName, SecretVersion)>,
    ) -> Result<RotateAll, AppError> {
        let parts = self.parts();
        parts
            .admission
            .operator_access(&ctx.caller, Scope::KeysWrite)?;
        self.check_service(service)?;
        let position = after.as_ref().map(|(name, version)| (name, *version));
        let rows = system::active_keys_of(&parts.db, service, position, ALL_MAX).await?;
        let next = (rows.len() >= ALL_MAX as usize)
            .then(|| rows.last().map(|row| (row.name.clone(), row.version)))
            .flatten();
        let subject = AuditSubject {
            service: Some(service.clone()),
            detail: Some(format!("{} keys of {service}", rows.len())),
            ..AuditSubject::default()
        };
        self.record(ctx, AuditAction::KeyRotate, AuditOutcome::Granted, subject)
            .await?;
        let mut found = RotateAll {
            rotations: Vec::with_capacity(rows.len()),
            already: 0,
            next,
        };
        let by = Some(ctx.caller.token().id);
        let begun_at = parts.clock.now();
        for row in rows {
            let Some(tenant) = row.name.tenant() else {
                continue;
            };
            let (cause, former) = (RotationCause::Requested, Some(row.version));
            let rotation = parts
                .rotations
                .begin(tenant, &row.name, cause, former, by)
                .await?;
            found.already += u64::from(rotation.created_at < begun_at);
            found.rotations.push(rotation.into());
        }
        Ok(found)
    }

    /// Rotations, newest first: a tenant's, or everybody's for operators.
    ///
    /// # Errors
    /// Refused without `keys:read`.
    pub async fn list_rotations(
        &self,
        ctx: &RequestContext,
        tenant: Option<&TenantId>,
        service: Option<&ServiceId>,
        before: Option<RotationId>,
        limit: u32,
    ) -> Result<Page<RotationView>, AppError> {
        let parts = self.parts();
        // One more than is shown says whether there is more.
        let more = limit.saturating_add(1);
        let own = ctx.caller.token().tenant.clone();
        let rows = match tenant.cloned().or(own) {
            Some(tenant) => {
                let access =
                    parts
                        .admission
                        .tenant_access(&ctx.caller, &tenant, Scope::KeysRead)?;
                rotations::list(&parts.db, access.tenant(), service, before, more).await?
            }
            None => {
                parts
                    .admission
                    .operator_access(&ctx.caller, Scope::KeysRead)?;
                diamond_db::operator::list_rotations(&parts.db, service, before, more).await?
            }
        };
        let items = rows.into_iter().map(RotationView::from).collect();
        Ok(Page::cut(items, limit, |row| row.id.to_string()))
    }

    /// A rotation.
    ///
    /// # Errors
    /// Refused without `keys:read`; not found, also when it is a stranger's.
    pub async fn get_rotation(
        &self,
        ctx: &RequestContext,
        id: RotationId,
    ) -> Result<RotationView, AppError> {
        let parts = self.parts();
        let row = match &ctx.caller.token().tenant {
            Some(tenant) => {
                let access = parts
                    .admission
                    .tenant_access(&ctx.caller, tenant, Scope::KeysRead)?;
                rotations::get(&parts.db, access.tenant(), id).await?
            }
            None => {
                parts
                    .admission
                    .operator_access(&ctx.caller, Scope::KeysRead)?;
                system::get_rotation(&parts.db, id).await?
            }
        };
        let found = row.map(RotationView::from);
        found.ok_or_else(|| AppError::not_found("rotation_not_found", "there is no such rotation"))
    }

    /// Compares a provider's keys with ours now.
    ///
    /// # Errors
    /// Refused for anybody but operators with `keys:write`.
    pub async fn sweep_provider(
        &self,
        ctx: &RequestContext,
        service: &ServiceId,
    ) -> Result<SweepReport, AppError> {
        let parts = self.parts();
        parts
            .admission
            .operator_access(&ctx.caller, Scope::KeysWrite)?;
        self.check_service(service)?;
        if !parts.rotations.lists_keys(service) {
            return Err(AppError::new(
                AppErrorKind::Unprocessable,
                "management_not_supported",
                format!("{service} has no API that lists keys"),
            ));
        }
        let subject = AuditSubject {
            service: Some(service.clone()),
            ..AuditSubject::default()
        };
        let action = AuditAction::ProviderSweep;
        self.record(ctx, action, AuditOutcome::Granted, subject)
            .await?;
        parts.rotations.sweep(service).await
    }

    fn key_writer(
        &self,
        ctx: &RequestContext,
        tenant: &TenantId,
        service: &ServiceId,
    ) -> Result<TenantAccess, AppError> {
        let admission = &self.parts().admission;
        let access = admission.tenant_access(&ctx.caller, tenant, Scope::KeysWrite)?;
        self.check_service(service)?;
        access.check_service(service)?;
        Ok(access)
    }

    async fn active_version(
        &self,
        access: &TenantAccess,
        name: &SecretName,
    ) -> Result<Option<KeyVersionRow>, AppError> {
        let rows = diamond_db::key_versions::list(&self.parts().db, access.tenant(), name).await?;
        let active = |row: &KeyVersionRow| row.state == VersionState::Active;
        Ok(rows.into_iter().find(active))
    }

    async fn begin_rotation(
        &self,
        ctx: &RequestContext,
        tenant: &TenantId,
        name: &SecretName,
        wish: Wish,
        wait: Duration,
    ) -> Result<RotationView, AppError> {
        let parts = self.parts();
        let Wish {
            cause,
            former,
            user,
            purpose,
        } = wish;
        let _released = self.outside_quarantine().await?;
        let subject = AuditSubject {
            tenant: Some(tenant.clone()),
            service: Some(name.service().clone()),
            version: former,
            user,
            purpose,
            detail: Some(format!("{name}: {}", cause.as_str())),
        };
        let action = match cause {
            RotationCause::Provision => AuditAction::KeyProvision,
            _ => AuditAction::KeyRotate,
        };
        self.record(ctx, action, AuditOutcome::Granted, subject)
            .await?;
        let by = Some(ctx.caller.token().id);
        let row = parts
            .rotations
            .begin(tenant, name, cause, former, by)
            .await?;
        let row = parts.rotations.see_through(row.id, wait).await?;
        if row.state != RotationState::Planned {
            self.publish().await?;
        }
        Ok(row.into())
    }
}

/// What a rotation is asked for.
struct Wish {
    cause: RotationCause,
    former: Option<SecretVersion>,
    user: Option<UserId>,
    purpose: Option<String>,
}

fn dedicated(service: &ServiceId, tenant: &TenantId) -> SecretName {
    SecretName::Dedicated {
        service: service.clone(),
        tenant: tenant.clone(),
    }
}
