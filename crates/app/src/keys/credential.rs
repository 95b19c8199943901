//! Management credentials: what keys are made, listed and ended with. They never leave again.

use diamond_db::{KeyVersionRow, system};
use diamond_domain::{
    Payer, Scope, SecretName, SecretValue, SecretVersion, ServiceId, TenantId, VersionState,
};
use diamond_secrets::Precondition;
use diamond_usage::{AuditAction, AuditOutcome};
use jiff::Timestamp;

use super::{fingerprint, put::check_value};
use crate::{App, AppError, AppErrorKind, RequestContext, audit::AuditSubject};

/// A management credential as it was put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialView {
    /// Its name.
    pub name: SecretName,
    /// Its version.
    pub version: SecretVersion,
    /// A short hash that tells two apart.
    pub fingerprint: String,
    /// When it was put.
    pub created_at: Timestamp,
}

impl App {
    /// Puts the credential that a service's keys are made with: the platform's or, for a tenant,
    /// its own, in whose account its keys are made then. The former one is of no use any more.
    ///
    /// # Errors
    /// Refused for anybody but operators with `keys:write`, for a tenant's own without it;
    /// `management_not_supported`; `invalid_key_text`; `credential_rejected`;
    /// `provider_unreachable`.
    pub async fn put_credential(
        &self,
        ctx: &RequestContext,
        service: &ServiceId,
        tenant: Option<&TenantId>,
        value: SecretValue,
        validate: bool,
    ) -> Result<CredentialView, AppError> {
        let parts = self.parts();
        let name = match tenant {
            Some(tenant) => {
                let access =
                    parts
                        .admission
                        .tenant_access(&ctx.caller, tenant, Scope::KeysWrite)?;
                access.check_service(service)?;
                SecretName::TenantAdmin {
                    service: service.clone(),
                    tenant: access.tenant().clone(),
                }
            }
            None => {
                parts
                    .admission
                    .operator_access(&ctx.caller, Scope::KeysWrite)?;
                SecretName::PlatformAdmin {
                    service: service.clone(),
                }
            }
        };
        self.check_service(service)?;
        check_value(&value)?;
        self.check_credential(service, &value, validate).await?;
        let subject = AuditSubject {
            tenant: tenant.cloned(),
            service: Some(service.clone()),
            detail: Some(name.to_string()),
            ..AuditSubject::default()
        };
        let action = AuditAction::CredentialPut;
        self.record(ctx, action, AuditOutcome::Granted, subject)
            .await?;
        let request_id = ctx.request_id.to_string();
        let version = parts
            .secrets
            .put(&name, &value, Precondition::None, &request_id)
            .await?;
        let now = parts.clock.now();
        let row = KeyVersionRow {
            name: name.clone(),
            version,
            state: VersionState::Active,
            payer: match tenant {
                Some(_) => Payer::Tenant,
                None => Payer::Platform,
            },
            created_at: now,
            activated_at: Some(now),
            retired_at: None,
            revoked_at: None,
            created_by: Some(ctx.caller.token().id),
            request_id,
            at_provider: None,
            revealed: false,
            fingerprint: fingerprint(&value),
        };
        diamond_db::key_versions::activate(&parts.db, &row).await?;
        // Nobody pins a credential: the former ones end at once.
        for former in system::load_key_versions_of(&parts.db, &name).await? {
            if former.state == VersionState::Retiring {
                system::end_retiring(&parts.db, &name, former.version, now, None).await?;
            }
        }
        parts.rotations.ring();
        Ok(CredentialView {
            name,
            version,
            fingerprint: row.fingerprint,
            created_at: now,
        })
    }

    /// Whether the service has a management API, and lets the credential in.
    async fn check_credential(
        &self,
        service: &ServiceId,
        value: &SecretValue,
        validate: bool,
    ) -> Result<(), AppError> {
        let parts = self.parts();
        let provider = parts.providers.get(service);
        let request = provider
            .as_ref()
            .and_then(|provider| provider.management())
            .map(|management| management.validation(value));
        let (Some(provider), Some(request)) = (provider, request) else {
            return Err(AppError::new(
                AppErrorKind::Unprocessable,
                "management_not_supported",
                format!("{service} has no management API: put keys one by one"),
            ));
        };
        if !validate {
            return Ok(());
        }
        let answer = parts.outbound.send(service, request).await;
        let answer = answer.map_err(|error| {
            AppError::unavailable(
                "provider_unreachable",
                format!(
                    "{service} could not be asked whether the credential works: try again, or put \
                     it with validation switched off"
                ),
                error,
            )
        })?;
        let answer = answer.at(parts.clock.now());
        if answer.is_success() {
            return Ok(());
        }
        match diamond_providers::ManagementError::of(provider.classify_failure(&answer), &answer) {
            diamond_providers::ManagementError::Later { reason, .. } => Err(AppError::unavailable(
                "provider_unclear",
                format!(
                    "{service} did not say whether the credential works: try again, or put it \
                     with validation switched off"
                ),
                reason,
            )),
            error => Err(AppError::new(
                AppErrorKind::Unprocessable,
                "credential_rejected",
                format!("{service} refuses this management credential: {error}"),
            )),
        }
    }
}
