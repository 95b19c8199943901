//! Reading and proving the chain of who touched which key.

use diamond_domain::{Alarm, AlarmCode, Scope, SecretVersion, ServiceId, TenantId, UserId};
use diamond_usage::{AuditAction, AuditDraft, AuditEntry, AuditOutcome, AuditQuery, AuditVerdict};

use crate::{App, AppError, RequestContext};

/// The parts of an entry that differ from one use case to the next.
#[derive(Debug, Clone, Default)]
pub(crate) struct AuditSubject {
    pub tenant: Option<TenantId>,
    pub user: Option<UserId>,
    pub service: Option<ServiceId>,
    pub version: Option<SecretVersion>,
    pub purpose: Option<String>,
    pub detail: Option<String>,
}

impl App {
    /// Writes an entry and waits until it is durable; what it permits must not happen before.
    pub(crate) async fn record(
        &self,
        ctx: &RequestContext,
        action: AuditAction,
        outcome: AuditOutcome,
        subject: AuditSubject,
    ) -> Result<AuditEntry, AppError> {
        let draft = AuditDraft {
            at: self.parts().clock.now(),
            action,
            outcome,
            request_id: ctx.request_id,
            token_id: Some(ctx.caller.token().id),
            address: Some(ctx.address),
            tenant_id: subject.tenant,
            user_id: subject.user,
            service: subject.service,
            version: subject.version,
            purpose: subject.purpose,
            detail: subject.detail,
        };
        match self.parts().audit.record(draft).await {
            Ok(entry) => Ok(entry),
            Err(error) => {
                self.raise(Alarm {
                    code: AlarmCode::JournalUnwritable,
                    tenant: None,
                    subject: "audit".into(),
                    detail: "the audit log cannot be written: keys are not handed out and nothing \
                             is administered until it can"
                        .into(),
                });
                Err(error.into())
            }
        }
    }

    /// Checks the whole chain against the head that was anchored in the control database.
    ///
    /// # Errors
    /// Refused without `audit:read` as an operator; unreadable.
    pub async fn verify_audit(&self, ctx: &RequestContext) -> Result<AuditVerdict, AppError> {
        let parts = self.parts();
        parts
            .admission
            .operator_access(&ctx.caller, Scope::AuditRead)?;
        self.check_chain().await
    }

    /// Lists entries: a tenant's own, or everybody's for operators.
    ///
    /// # Errors
    /// Refused without `audit:read`; unreadable.
    pub async fn list_audit(
        &self,
        ctx: &RequestContext,
        mut query: AuditQuery,
    ) -> Result<Vec<AuditEntry>, AppError> {
        let parts = self.parts();
        query.tenant = query.tenant.or_else(|| ctx.caller.token().tenant.clone());
        match &query.tenant {
            Some(tenant) => {
                parts
                    .admission
                    .tenant_access(&ctx.caller, tenant, Scope::AuditRead)?;
            }
            None => {
                parts
                    .admission
                    .operator_access(&ctx.caller, Scope::AuditRead)?;
            }
        }
        Ok(parts.audit.entries(&query).await?)
    }
}
