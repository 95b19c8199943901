//! Ending a key's version.

use diamond_domain::{Scope, SecretKind, SecretVersion, ServiceId, TenantId};
use diamond_usage::{AuditAction, AuditOutcome};

use super::{KeyVersionView, tenant_secret};
use crate::{App, AppError, RequestContext, audit::AuditSubject};

impl App {
    /// Ends a version here: no new request uses it, on this node from now on. Calls that already
    /// use it finish. The key at its provider is not touched. Revoking again changes nothing.
    ///
    /// # Errors
    /// Refused without `keys:write`; `version_not_found`; `kind_required` when both kinds have
    /// that version.
    pub async fn revoke_key_version(
        &self,
        ctx: &RequestContext,
        tenant: &TenantId,
        service: &ServiceId,
        kind: Option<SecretKind>,
        version: SecretVersion,
    ) -> Result<KeyVersionView, AppError> {
        let parts = self.parts();
        let access = parts
            .admission
            .tenant_access(&ctx.caller, tenant, Scope::KeysWrite)?;
        self.check_service(service)?;
        access.check_service(service)?;
        let kinds = match kind {
            Some(kind) => vec![kind],
            None => vec![SecretKind::Dedicated, SecretKind::Customer],
        };
        let mut found = Vec::new();
        for kind in kinds {
            let name = tenant_secret(kind, service, access.tenant())?;
            match self.key_version(&access, &name, version).await {
                Ok(_) => found.push(name),
                Err(error) if error.code() == "version_not_found" => {}
                Err(error) => return Err(error),
            }
        }
        let name = match found.as_slice() {
            [name] => name.clone(),
            [] => {
                return Err(AppError::not_found(
                    "version_not_found",
                    format!("there is no version {version} of a key of {tenant} for {service}"),
                ));
            }
            _ => {
                return Err(AppError::invalid(
                    "kind_required",
                    format!("both kinds of key have a version {version}: say which kind"),
                ));
            }
        };
        let subject = AuditSubject {
            tenant: Some(tenant.clone()),
            service: Some(service.clone()),
            version: Some(version),
            detail: Some(name.to_string()),
            ..AuditSubject::default()
        };
        self.record(ctx, AuditAction::KeyRevoke, AuditOutcome::Granted, subject)
            .await?;
        let at = parts.clock.now();
        diamond_db::key_versions::revoke(&parts.db, access.tenant(), &name, version, at).await?;
        self.publish().await?;
        self.key_version(&access, &name, version).await
    }
}
