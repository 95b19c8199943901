//! The master key: how it stands, and changing it.

use diamond_domain::{Alarm, AlarmCode, RequestId, Scope};
use diamond_secrets::{CustodyError, CustodyStatus, CustodyStep, RekeyBegun, RekeyEnd};
use diamond_usage::{AuditAction, AuditDraft, AuditOutcome};

use crate::{App, AppError, AppErrorKind, RequestContext, audit::AuditSubject};

/// What the wiring knows of the master key's surroundings on this node.
#[derive(Debug, Clone, Default)]
pub struct SealFacts {
    /// The profile that the node runs in.
    pub profile: String,
    /// Whether the key lies on the volume of the data folder; `None` when it has no file.
    pub on_data_volume: Option<bool>,
    /// Whether the process's memory is kept out of swap.
    pub memory_locked: bool,
    /// What somebody should look at.
    pub warnings: Vec<String>,
}

/// The master key and its surroundings.
#[derive(Debug, Clone)]
pub struct SealStatus {
    /// The key, and what it wraps.
    pub custody: CustodyStatus,
    /// Its surroundings.
    pub facts: SealFacts,
}

impl App {
    /// How the master key stands.
    ///
    /// # Errors
    /// Refused for anybody but operators with `tenants:admin`; the database does not answer.
    pub async fn seal_status(&self, ctx: &RequestContext) -> Result<SealStatus, AppError> {
        self.seal_access(ctx)?;
        self.look_at_seal().await
    }

    /// Begins to change the master key; gives the change that is under way, if there is one.
    ///
    /// # Errors
    /// Refused; `restore_quarantine`; `next_master_key_missing` when there is none to change to.
    pub async fn begin_rekey(&self, ctx: &RequestContext) -> Result<SealStatus, AppError> {
        self.seal_access(ctx)?;
        // After a restore the backup's master key may be the only one that opens anything.
        let _released = self.outside_quarantine().await?;
        self.record_rekey(ctx, AuditAction::SealRekeyBegin, "asked for")
            .await?;
        let begun = self.parts().custody.begin().await?;
        if !begun.already {
            self.record_rekey(ctx, AuditAction::SealRekeyBegin, &from_to(&begun))
                .await?;
        }
        self.parts().custody_news.notify_one();
        self.look_at_seal().await
    }

    /// Gives up a change of the master key that has not touched anything.
    ///
    /// # Errors
    /// Refused; `rekey_too_late` when data keys are under the next master key already.
    pub async fn cancel_rekey(&self, ctx: &RequestContext) -> Result<SealStatus, AppError> {
        self.seal_access(ctx)?;
        if let Some(begun) = self.parts().custody.cancel().await? {
            self.record_rekey(ctx, AuditAction::SealRekeyCancel, &from_to(&begun))
                .await?;
        }
        self.look_at_seal().await
    }

    fn seal_access(&self, ctx: &RequestContext) -> Result<(), AppError> {
        let admission = &self.parts().admission;
        admission.operator_access(&ctx.caller, Scope::TenantsAdmin)?;
        Ok(())
    }

    async fn look_at_seal(&self) -> Result<SealStatus, AppError> {
        let custody = self.parts().custody.status().await?;
        let mut facts = self.parts().seal.clone();
        facts.warnings.extend(warnings(&custody));
        Ok(SealStatus { custody, facts })
    }

    async fn record_rekey(
        &self,
        ctx: &RequestContext,
        action: AuditAction,
        detail: &str,
    ) -> Result<(), AppError> {
        let subject = AuditSubject {
            detail: Some(detail.to_owned()),
            ..AuditSubject::default()
        };
        self.record(ctx, action, AuditOutcome::Granted, subject)
            .await?;
        Ok(())
    }

    /// Does the next piece of work on the master key; whether there is more to do at once.
    pub(crate) async fn advance_seal(&self) -> Result<bool, AppError> {
        let parts = self.parts();
        match parts.custody.advance(parts.node).await? {
            CustodyStep::Idle => Ok(false),
            CustodyStep::Moved => Ok(true),
            CustodyStep::Waiting { master, nodes } => {
                for node in nodes {
                    self.raise(Alarm {
                        code: AlarmCode::MasterKeyMissing,
                        tenant: None,
                        detail: format!(
                            "the node {node} does not hold the master key {master}: put its file \
                             there; until then the change of the master key waits"
                        ),
                        subject: node,
                    });
                }
                Ok(false)
            }
            CustodyStep::Ended(end) => {
                self.record_end(&end).await?;
                parts.custody.written_down().await?;
                tracing::info!(from = %end.from, to = %end.to, "the master key was changed");
                Ok(true)
            }
        }
    }

    /// Written before it is forgotten that it must be: a crash in between writes it twice.
    async fn record_end(&self, end: &RekeyEnd) -> Result<(), AppError> {
        let parts = self.parts();
        let at = parts.clock.now();
        let draft = AuditDraft {
            at,
            action: AuditAction::SealRekeyEnd,
            outcome: AuditOutcome::Granted,
            request_id: RequestId::generate(at),
            token_id: None,
            address: None,
            tenant_id: None,
            user_id: None,
            service: None,
            version: None,
            purpose: None,
            detail: Some(format!("from {} to {}", end.from, end.to)),
            count: None,
        };
        parts.audit.record(draft).await?;
        Ok(())
    }
}

fn from_to(begun: &RekeyBegun) -> String {
    format!("from {} to {}", begun.from, begun.to)
}

fn warnings(custody: &CustodyStatus) -> Vec<String> {
    let mut warnings = Vec::new();
    let unreadable = custody.data_keys.iter().filter(|keys| keys.unreadable);
    let unreadable: u64 = unreadable.map(|keys| keys.count).sum();
    if unreadable > 0 {
        warnings.push(format!(
            "{unreadable} data keys do not open with any master key: somebody changed them; \
             bring those rows back from a backup, or put the tenants' keys again"
        ));
    }
    for file in &custody.retired_files {
        warnings.push(format!(
            "{} is a former master key: move it to where the backups' keys are, and destroy it \
             when no backup from before the change is needed",
            file.display()
        ));
    }
    if let Some(next) = &custody.present_in_next {
        warnings.push(format!(
            "the master key stands in {}: name it in `secrets.master_key_file`, and empty \
             `secrets.next_master_key_file`",
            next.display()
        ));
    }
    warnings
}

impl From<CustodyError> for AppError {
    fn from(error: CustodyError) -> Self {
        match error {
            CustodyError::TooLate => Self::conflict("rekey_too_late", error.to_string()),
            CustodyError::Store(error) => error.into(),
            // Names of files and what the system says of them, for an operator; never a key.
            CustodyError::Key(error) => Self::new(
                AppErrorKind::Unprocessable,
                "next_master_key_missing",
                error.to_string(),
            ),
        }
    }
}
