//! After a restore from a backup nothing is changed outside until an operator has compared what
//! there was with what there is.

use diamond_db::{Db, KeyVersionRow, RestoreRow, TenantStatus, TokenRow};
use diamond_domain::{Alarm, AlarmCode, Money, Payer, Scope, TenantId, VersionState};
use diamond_usage::{AuditAction, AuditOutcome, AuditVerdict, TenantScope};
use jiff::{SignedDuration, Timestamp};

use crate::{App, AppError, RequestContext, audit::AuditSubject};

/// How far before the backup a change counts as recent in the comparison.
const RECENT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How many recent changes are listed of each kind.
const LISTED: usize = 100;
/// How many rows are read at a time.
const PAGE: u32 = 1_000;
/// The longest reason, in characters.
const REASON_MAX: usize = 500;

/// The proof that this installation is not in quarantine: what changes something outside, or
/// cannot be taken back, asks for it first.
#[derive(Debug)]
#[must_use]
pub struct Released(());

/// What was in the backup, and what there is.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// Of what moment the backup is.
    pub taken_at: Timestamp,
    /// When it was brought back: what happened in between is not here.
    pub restored_at: Timestamp,
    /// Which backup it was: a hash.
    pub archive: String,
    /// What was counted when it was made, as JSON.
    pub counted: serde_json::Value,
    /// Tenants now.
    pub tenants: u64,
    /// Of them suspended.
    pub suspended: u64,
    /// Tokens that are neither revoked nor over.
    pub live_tokens: u64,
    /// Versions of keys that can be used.
    pub live_versions: u64,
    /// Versions whose value does not open under the master key.
    pub unreadable_versions: u64,
    /// Sequence of the newest event.
    pub ledger_sequence: u64,
    /// Direct cost of all events.
    pub direct_cost_usd: Money,
    /// Entries of the audit chain when it is whole.
    pub audit_entries: Option<u64>,
    /// What was made or changed in the week before the backup: what somebody may have revoked
    /// since, and works again.
    pub recent: Vec<RecentChange>,
    /// Whether more changed than is listed.
    pub more_recent: bool,
}

/// Something that works and is young.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecentChange {
    /// `tenant`, `token` or `key`.
    pub kind: &'static str,
    /// Whose, when it is a tenant's.
    pub tenant: Option<TenantId>,
    /// Which: an id, or a key's name and version.
    pub subject: String,
    /// When it was made or changed last.
    pub at: Timestamp,
}

/// How an installation that was restored stands.
#[derive(Debug, Clone)]
pub struct RestoreStatus {
    /// Whether it is still in quarantine.
    pub quarantined: bool,
    /// When, by whom and why it was released.
    pub released: Option<(Timestamp, String, String)>,
    /// The comparison.
    pub comparison: Comparison,
    /// What stands for the comparison when it is answered: it changes with it.
    pub digest: String,
}

impl App {
    /// The proof that nothing keeps this installation from changing what is outside.
    ///
    /// # Errors
    /// `restore_quarantine`; the database does not answer.
    pub async fn outside_quarantine(&self) -> Result<Released, AppError> {
        match quarantining(&self.parts().db).await? {
            None => Ok(Released(())),
            Some(restore) => Err(AppError::conflict(
                "restore_quarantine",
                format!(
                    "this installation was brought back from a backup of {} and is in quarantine: \
                     compare (`diamond admin restore:status`) and release it first",
                    restore.taken_at
                ),
            )),
        }
    }

    /// Says at the start that the installation is in quarantine, if it is.
    pub(crate) async fn announce_quarantine(&self) -> Result<(), AppError> {
        if let Some(restore) = quarantining(&self.parts().db).await? {
            tracing::warn!(
                taken_at = %restore.taken_at,
                "this installation was brought back from a backup and is in quarantine"
            );
            self.raise(Alarm {
                code: AlarmCode::RestoreQuarantine,
                tenant: None,
                subject: restore.restored_at.to_string(),
                detail: format!(
                    "brought back from a backup of {}: what happened since is not here, and what \
                     was revoked since works again; compare and release",
                    restore.taken_at
                ),
            });
        }
        Ok(())
    }

    /// The newest restore and the comparison; `None` when there was none.
    ///
    /// # Errors
    /// Refused for anybody but operators with `tenants:admin`; something cannot be read.
    pub async fn restore_status(
        &self,
        ctx: &RequestContext,
    ) -> Result<Option<RestoreStatus>, AppError> {
        let parts = self.parts();
        parts
            .admission
            .operator_access(&ctx.caller, Scope::TenantsAdmin)?;
        let Some(restore) = diamond_db::restores::newest(&parts.db).await? else {
            return Ok(None);
        };
        Ok(Some(self.compare(restore).await?))
    }

    /// Ends the quarantine, for an operator who has seen the comparison as it is.
    ///
    /// # Errors
    /// Refused; `not_restored`; `comparison_changed` when another digest is current;
    /// `invalid_reason`.
    pub async fn release_restore(
        &self,
        ctx: &RequestContext,
        digest: &str,
        reason: &str,
    ) -> Result<RestoreStatus, AppError> {
        let parts = self.parts();
        let reason = reason.trim();
        if reason.is_empty() || reason.chars().count() > REASON_MAX {
            return Err(AppError::invalid(
                "invalid_reason",
                format!("a reason has 1 to {REASON_MAX} characters"),
            ));
        }
        let Some(status) = self.restore_status(ctx).await? else {
            return Err(AppError::conflict(
                "not_restored",
                "this installation was never brought back from a backup",
            ));
        };
        if !status.quarantined {
            return Ok(status);
        }
        if digest != status.digest {
            return Err(AppError::conflict(
                "comparison_changed",
                "this is not the digest of the comparison as it is now: look at it once more",
            ));
        }
        let subject = AuditSubject {
            purpose: Some(reason.to_owned()),
            detail: Some(status.comparison.archive.clone()),
            ..AuditSubject::default()
        };
        self.record(
            ctx,
            AuditAction::RestoreRelease,
            AuditOutcome::Granted,
            subject,
        )
        .await?;
        let by = ctx.caller.token().id.to_string();
        diamond_db::restores::release(
            &parts.db,
            status.comparison.restored_at,
            parts.clock.now(),
            &by,
            reason,
        )
        .await?;
        match self.restore_status(ctx).await? {
            Some(status) => Ok(status),
            None => Err(AppError::internal("the restore that was released is gone")),
        }
    }

    async fn compare(&self, restore: RestoreRow) -> Result<RestoreStatus, AppError> {
        let parts = self.parts();
        let counted = serde_json::from_str(&restore.counts).unwrap_or_default();
        let ledger_sequence = parts.reader.watermark().await?;
        let sums = parts
            .reader
            .sums_by_sequence(&TenantScope::All, 0, ledger_sequence)
            .await?;
        let direct = sums.iter().filter(|sum| sum.payer == Payer::Platform);
        let direct_cost_usd = direct.map(|sum| sum.cost).sum();
        let verdict = self.check_chain().await?;
        let mut comparison = Comparison {
            taken_at: restore.taken_at,
            restored_at: restore.restored_at,
            archive: restore.archive,
            counted,
            tenants: 0,
            suspended: 0,
            live_tokens: 0,
            live_versions: 0,
            unreadable_versions: 0,
            ledger_sequence,
            direct_cost_usd,
            audit_entries: match verdict {
                AuditVerdict::Whole { entries } => Some(entries),
                _ => None,
            },
            recent: Vec::new(),
            more_recent: false,
        };
        self.count_tenants(&mut comparison).await?;
        self.count_tokens(&mut comparison).await?;
        self.count_versions(&mut comparison).await?;
        comparison
            .recent
            .sort_by_key(|change| std::cmp::Reverse(change.at));
        comparison.more_recent = comparison.recent.len() > LISTED;
        comparison.recent.truncate(LISTED);
        Ok(RestoreStatus {
            quarantined: restore.released_at.is_none(),
            released: restore.released_at.map(|at| {
                (
                    at,
                    restore.released_by.unwrap_or_default(),
                    restore.reason.unwrap_or_default(),
                )
            }),
            digest: digest_of(&comparison),
            comparison,
        })
    }

    async fn count_tenants(&self, comparison: &mut Comparison) -> Result<(), AppError> {
        let mut after: Option<TenantId> = None;
        loop {
            let page =
                diamond_db::operator::list_tenants(&self.parts().db, after.as_ref(), PAGE).await?;
            for tenant in &page {
                comparison.tenants += 1;
                if tenant.status == TenantStatus::Suspended {
                    comparison.suspended += 1;
                } else {
                    comparison.note("tenant", Some(&tenant.id), &tenant.id, tenant.updated_at);
                }
            }
            match page.last() {
                Some(last) => after = Some(last.id.clone()),
                None => return Ok(()),
            }
        }
    }

    async fn count_tokens(&self, comparison: &mut Comparison) -> Result<(), AppError> {
        let now = self.parts().clock.now();
        let mut after = None;
        loop {
            let page = diamond_db::operator::list_tokens(&self.parts().db, after, PAGE).await?;
            let live = |token: &&TokenRow| token.revoked_at.is_none() && token.expires_at > now;
            for token in page.iter().filter(live) {
                comparison.live_tokens += 1;
                let tenant = token.tenant.as_ref();
                comparison.note("token", tenant, &token.id, token.created_at);
            }
            match page.last() {
                Some(last) => after = Some(last.id),
                None => return Ok(()),
            }
        }
    }

    async fn count_versions(&self, comparison: &mut Comparison) -> Result<(), AppError> {
        let parts = self.parts();
        let mut after: Option<KeyVersionRow> = None;
        loop {
            let from = after.as_ref().map(|row| (&row.name, row.version));
            let page = diamond_db::operator::list_key_versions(&parts.db, from, PAGE).await?;
            let live = |row: &&KeyVersionRow| row.state != VersionState::Revoked;
            for row in page.iter().filter(live) {
                comparison.live_versions += 1;
                if parts.secrets.get(&row.name, row.version).await.is_err() {
                    comparison.unreadable_versions += 1;
                }
                let subject = format!("{}/{}", row.name, row.version);
                comparison.note("key", row.name.tenant(), &subject, row.created_at);
            }
            match page.last() {
                Some(last) => after = Some(last.clone()),
                None => return Ok(()),
            }
        }
    }
}

impl Comparison {
    fn note(
        &mut self,
        kind: &'static str,
        tenant: Option<&TenantId>,
        subject: &impl ToString,
        at: Timestamp,
    ) {
        if self.taken_at.duration_since(at) <= RECENT {
            self.recent.push(RecentChange {
                kind,
                tenant: tenant.cloned(),
                subject: subject.to_string(),
                at,
            });
        }
    }
}

/// Changes with what an operator decides on, not with the traffic that goes on meanwhile.
fn digest_of(comparison: &Comparison) -> String {
    let decisive = (
        &comparison.archive,
        comparison.restored_at,
        comparison.tenants,
        comparison.suspended,
        comparison.live_tokens,
        comparison.live_versions,
        comparison.unreadable_versions,
        comparison.audit_entries.is_some(),
        &comparison.recent,
    );
    let text = format!("{decisive:?}");
    blake3::hash(text.as_bytes()).to_hex().as_str()[..16].to_owned()
}

async fn quarantining(db: &Db) -> Result<Option<RestoreRow>, AppError> {
    let newest = diamond_db::restores::newest(db).await?;
    Ok(newest.filter(|restore| restore.released_at.is_none()))
}
