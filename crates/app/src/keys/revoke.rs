//! Ending a key's version.

use std::time::Duration;

use diamond_domain::{RevocationId, Scope, SecretKind, SecretVersion, ServiceId, TenantId};
use diamond_usage::{AuditAction, AuditOutcome};

use super::{KeyVersionView, tenant_secret};
use crate::{App, AppError, RequestContext, RevocationView, audit::AuditSubject};

/// Which version is revoked, and how.
#[derive(Debug, Clone, Copy)]
pub struct RevokeKeyVersion {
    /// Which of the tenant's keys; may be absent while only one kind has that version.
    pub kind: Option<SecretKind>,
    /// Its number.
    pub version: SecretVersion,
    /// Cuts the calls that use it, on every node, and waits so long for the nodes to say so.
    /// `None`: calls under way finish.
    pub now: Option<Duration>,
}

impl App {
    /// Ends a version here: no new request uses it, on this node from now on. Calls that already
    /// use it finish, or are cut on every node when asked for. A key that was
    /// made here is ended at its provider too; one that a person made is not touched there. Revoking again changes nothing, but cuts what still runs when asked for.
    ///
    /// # Errors
    /// Refused without `keys:write`; `version_not_found`; `kind_required` when both kinds have
    /// that version.
    pub async fn revoke_key_version(
        &self,
        ctx: &RequestContext,
        tenant: &TenantId,
        service: &ServiceId,
        revoke: RevokeKeyVersion,
    ) -> Result<(KeyVersionView, Option<RevocationView>), AppError> {
        let RevokeKeyVersion { kind, version, now } = revoke;
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
        let at = parts.clock.now();
        let revocation = now.map(|_| RevocationId::generate(at));
        let detail = match revocation {
            None => name.to_string(),
            Some(id) => format!("{name}, at once: {id}"),
        };
        let subject = AuditSubject {
            tenant: Some(tenant.clone()),
            service: Some(service.clone()),
            version: Some(version),
            detail: Some(detail),
            ..AuditSubject::default()
        };
        self.record(ctx, AuditAction::KeyRevoke, AuditOutcome::Granted, subject)
            .await?;
        let (db, owner) = (&parts.db, access.tenant());
        match revocation {
            None => diamond_db::key_versions::revoke(db, owner, &name, version, at).await?,
            Some(id) => {
                diamond_db::key_versions::revoke_now(db, owner, &name, version, at, id).await?
            }
        };
        self.publish().await?;
        let seen = match revocation.zip(now) {
            None => None,
            Some((id, wait)) => Some(self.see_through(id, wait).await?),
        };
        let version = self.key_version(&access, &name, version).await?;
        Ok((version, seen))
    }
}
