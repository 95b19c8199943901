//! Looking at a key before it is put.

use std::collections::BTreeSet;

use diamond_domain::Scope;
use diamond_domain::{SecretKind, SecretValue, SecretVersion, ServiceId, TenantId, VersionState};
use diamond_usage::{AuditAction, AuditOutcome};

use super::tenant_secret;
use crate::{App, AppError, RequestContext, audit::AuditSubject};

/// A key to look at.
#[derive(Debug)]
pub struct CheckKey {
    /// Whether the platform (`dedicated`) or the customer would supply it.
    pub kind: SecretKind,
    /// The key.
    pub value: SecretValue,
    /// Whether to try it at its provider.
    pub validate: bool,
}

/// What putting a key would change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckedKey {
    /// There is no such key yet.
    Absent,
    /// The active version has this value.
    Same,
    /// The active version has another.
    Other,
}

/// What is known of a key that is not put yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyCheck {
    /// What putting it would change.
    pub state: CheckedKey,
    /// The newest version that there is.
    pub newest: Option<SecretVersion>,
    /// Other tenants that have the same key; `None` when it is not the caller's to know.
    pub shared_with: Option<BTreeSet<TenantId>>,
}

impl App {
    /// Looks at a key as [`App::put_key`] would, and keeps nothing.
    ///
    /// # Errors
    /// As [`App::put_key`].
    pub async fn check_key(
        &self,
        ctx: &RequestContext,
        tenant: &TenantId,
        service: &ServiceId,
        check: CheckKey,
    ) -> Result<KeyCheck, AppError> {
        let parts = self.parts();
        let access = parts
            .admission
            .tenant_access(&ctx.caller, tenant, Scope::KeysWrite)?;
        self.check_service(service)?;
        access.check_service(service)?;
        let name = tenant_secret(check.kind, service, access.tenant())?;
        super::put::check_value(&check.value)?;
        self.check_not_shared(&access, &name, &check.value).await?;
        let subject = AuditSubject {
            tenant: Some(tenant.clone()),
            service: Some(service.clone()),
            detail: Some(name.to_string()),
            ..AuditSubject::default()
        };
        self.record(ctx, AuditAction::KeyCheck, AuditOutcome::Granted, subject)
            .await?;
        let versions = diamond_db::key_versions::list(&parts.db, access.tenant(), &name).await?;
        let active = versions
            .iter()
            .find(|row| row.state == VersionState::Active);
        let state = match active {
            None => CheckedKey::Absent,
            Some(row) if self.has_value(&name, row.version, &check.value).await? => {
                CheckedKey::Same
            }
            Some(_) => CheckedKey::Other,
        };
        if check.validate && state != CheckedKey::Same {
            self.validate_key(service, &check.value).await?;
        }
        let shared_with = if ctx.caller.is_operator() {
            Some(self.others_with(&check.value, tenant).await?)
        } else {
            None
        };
        Ok(KeyCheck {
            state,
            newest: versions.last().map(|row| row.version),
            shared_with,
        })
    }
}
