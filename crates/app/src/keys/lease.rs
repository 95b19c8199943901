//! Handing out a key: the right to one version until a time.

use diamond_domain::{
    Alarm, AlarmCode, Scope, SecretKind, SecretValue, SecretVersion, ServiceId, TenantId, Tier,
    TraceId, UserId,
};
use diamond_keyring::{KeyRepair as _, NoKey, PinnedKey, RepairError};
use diamond_usage::{AuditAction, AuditOutcome};
use jiff::Timestamp;

use crate::{
    App, AppError, AppErrorKind, RequestContext, audit::AuditSubject, tokens::lifetime_end,
};

/// The most characters of a purpose.
const PURPOSE_MAX: usize = 500;

/// What a caller says when it asks for a key.
#[derive(Debug, Clone, Default)]
pub struct LeaseRequest {
    /// For whom.
    pub user_id: Option<UserId>,
    /// The tier that the caller believes the tenant has.
    pub tier: Option<Tier>,
    /// Why; an operator must say.
    pub purpose: Option<String>,
}

/// A key, until a time.
#[derive(Debug)]
pub struct LeasedKey {
    /// Which service it opens.
    pub service: ServiceId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Whether the platform or the customer supplied it.
    pub kind: SecretKind,
    /// Which version.
    pub version: SecretVersion,
    /// The key.
    pub value: SecretValue,
    /// Fetch again before then.
    pub expires_at: Timestamp,
    /// The trace that the audit and the usage share.
    pub trace_id: TraceId,
}

impl App {
    /// Hands out the tenant's key for a service. Warm, it reads memory only; the audit entry is
    /// durable before the key leaves.
    ///
    /// # Errors
    /// Refused by token or policy; `tier_mismatch`; `no_key`, with what was tried;
    /// `audit_unwritable`.
    pub async fn lease_key(
        &self,
        ctx: &RequestContext,
        tenant: &TenantId,
        service: &ServiceId,
        request: LeaseRequest,
    ) -> Result<LeasedKey, AppError> {
        let subject = AuditSubject {
            tenant: Some(tenant.clone()),
            user: request
                .user_id
                .clone()
                .or_else(|| ctx.caller.user().cloned()),
            service: Some(service.clone()),
            purpose: request
                .purpose
                .clone()
                .filter(|text| text.chars().count() <= PURPOSE_MAX),
            ..AuditSubject::default()
        };
        match self.permit_lease(ctx, tenant, service, request).await {
            Ok((key, user)) => {
                let version = key.version();
                let expires_at =
                    lifetime_end(self.parts().clock.now(), self.parts().settings.lease);
                // While it is pinned: whoever ends the version sees the lease, or the pin.
                key.lease(expires_at);
                let granted = AuditSubject {
                    user: Some(user),
                    version: Some(version),
                    detail: Some(key.name().to_string()),
                    ..subject
                };
                let entry = self
                    .record(ctx, AuditAction::KeyReveal, AuditOutcome::Granted, granted)
                    .await?;
                self.parts().witnesses.reach(entry.sequence).await?;
                self.after_reveal(ctx, &key);
                Ok(LeasedKey {
                    service: service.clone(),
                    tenant: tenant.clone(),
                    kind: key.kind(),
                    version,
                    value: key.value().clone(),
                    expires_at,
                    trace_id: ctx.trace_id,
                })
            }
            Err(refusal) => {
                // What a stranger says stands in no other tenant's audit: neither whom nor why.
                let own = ctx.caller.is_operator() || ctx.caller.token().tenant == subject.tenant;
                let refused = if own {
                    AuditSubject {
                        detail: Some(refusal.code().to_owned()),
                        ..subject
                    }
                } else {
                    AuditSubject {
                        tenant: ctx.caller.token().tenant.clone(),
                        service: subject.service,
                        detail: Some(format!("{}: {tenant}", refusal.code())),
                        ..AuditSubject::default()
                    }
                };
                let draft = self.draft(ctx, AuditAction::KeyReveal, AuditOutcome::Refused, refused);
                self.parts().refusals.record(draft).await?;
                Err(refusal)
            }
        }
    }

    /// Everything that is decided before the key leaves: in memory, unless a key has to be made.
    async fn permit_lease(
        &self,
        ctx: &RequestContext,
        tenant: &TenantId,
        service: &ServiceId,
        request: LeaseRequest,
    ) -> Result<(PinnedKey, UserId), AppError> {
        let parts = self.parts();
        let access = parts
            .admission
            .tenant_access(&ctx.caller, tenant, Scope::KeysReveal)?;
        self.check_service(service)?;
        check_purpose(ctx, request.purpose.as_deref())?;
        let tier = access.policy().tier;
        if let Some(named) = request.tier
            && named != tier
        {
            return Err(AppError::conflict(
                "tier_mismatch",
                format!("the tenant {tenant} has the tier {tier}, not {named}"),
            )
            .with_details(serde_json::json!({ "tier": tier })));
        }
        access.check_service(service)?;
        access.may_reveal(service)?;
        let (user, _) = access.resolve_user(None, request.user_id, None)?;
        let key = match parts.keyring.pin(service, tenant) {
            Ok(key) => key,
            Err(none) => self.make_key(service, tenant, tier, none).await?,
        };
        parts.witnesses.check(parts.clock.monotonic_nanos())?;
        Ok((key, user))
    }

    /// A key where there is none, or none that works: made now, if that can be.
    async fn make_key(
        &self,
        service: &ServiceId,
        tenant: &TenantId,
        tier: Tier,
        none: NoKey,
    ) -> Result<PinnedKey, AppError> {
        let parts = self.parts();
        let made = match &none {
            NoKey::NotConfigured { .. } => parts.rotations.provide(service, tenant, tier).await,
            NoKey::Invalid { name, version, .. } => parts.rotations.replace(name, *version).await,
            _ => return Err(no_key(none)),
        };
        match made {
            Ok(()) => parts.keyring.pin(service, tenant).map_err(no_key),
            Err(RepairError::NotPossible { reason, .. }) => {
                let said = no_key(none);
                Err(AppError::not_found(
                    said.code(),
                    format!("{said}. None was made: {reason}"),
                ))
            }
            Err(error @ RepairError::Unavailable { .. }) => Err(AppError::unavailable(
                "key_being_made",
                "the tenant's key for this service is being made: try again",
                error,
            )),
        }
    }

    /// What a reveal leaves behind, without making the caller wait.
    fn after_reveal(&self, ctx: &RequestContext, key: &PinnedKey) {
        if ctx.caller.is_operator() {
            self.raise(Alarm {
                code: AlarmCode::OperatorReveal,
                tenant: key.name().tenant().cloned(),
                subject: key.name().to_string(),
                detail: format!(
                    "an operator's token ({}) received version {} of this key",
                    ctx.caller.token().id,
                    key.version()
                ),
            });
        }
        if self.first_reveal(key) {
            let (app, name, version) = (self.clone(), key.name().clone(), key.version());
            self.parts().tasks.spawn(async move {
                let Some(tenant) = name.tenant() else { return };
                let marked = diamond_db::key_versions::mark_revealed(
                    &app.parts().db,
                    tenant,
                    &name,
                    version,
                )
                .await;
                if let Err(error) = marked {
                    // The audit chain has the fact; the mark is its shadow for lists.
                    tracing::warn!(secret = %name, %version, %error, "a reveal is not marked yet");
                }
            });
        }
    }
}

fn check_purpose(ctx: &RequestContext, purpose: Option<&str>) -> Result<(), AppError> {
    match purpose {
        None | Some("") if ctx.caller.is_operator() => Err(AppError::invalid(
            "purpose_required",
            "an operator's token receives a key only with a `purpose` that says why",
        )),
        Some(text) if text.chars().count() > PURPOSE_MAX || text.chars().any(char::is_control) => {
            Err(AppError::invalid(
                "invalid_purpose",
                format!("a purpose has at most {PURPOSE_MAX} characters, none of them control"),
            ))
        }
        _ => Ok(()),
    }
}

pub(crate) fn no_key(none: NoKey) -> AppError {
    AppError::new(AppErrorKind::NotFound, none.code(), none.to_string())
}
