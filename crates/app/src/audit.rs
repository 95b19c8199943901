//! Reading and proving the chain of who touched which key.

use std::net::IpAddr;

use diamond_db::KnownNode;
use diamond_domain::{
    Checkpoint, InstallationId, NodeId, RequestId, Scope, SecretVersion, ServiceId, TenantId,
    UserId,
};
use diamond_usage::{
    AuditAction, AuditDraft, AuditEntry, AuditOutcome, AuditQuery, AuditVerdict, EarlierChain,
    RefusalSink as _,
};

use crate::{App, AppError, RequestContext, WitnessView, refusals::raise_unwritable};

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

/// How the audit chain and its witnesses stand.
#[derive(Debug, Clone)]
pub struct AuditStatus {
    /// Whose.
    pub installation: InstallationId,
    /// Which node's.
    pub node: NodeId,
    /// What checkpoints are checked with, hexadecimal.
    pub public_key: String,
    /// Which of the node's chains.
    pub chain: u32,
    /// Its last entry.
    pub sequence: u64,
    /// How far its anchor reaches.
    pub anchored_sequence: Option<u64>,
    /// Whether it was found to hold when it was last looked at.
    pub holds: bool,
    /// Whether keys stay because no witness keeps up.
    pub closed: bool,
    /// The witnesses.
    pub witnesses: Vec<WitnessView>,
    /// The chains that are kept as evidence.
    pub earlier: Vec<EarlierChain>,
}

/// Whose chain an answer speaks of: each node has its own, which only the node itself can read.
#[derive(Debug, Clone)]
pub struct AuditCoverage {
    /// The node that answers.
    pub node: NodeId,
    /// The others that have served at some time.
    pub not_covered: Vec<KnownNode>,
}

/// Which checkpoints could be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckpointVerdict {
    /// How many this node signed about its own chain.
    pub own: usize,
    /// How many are another node's, or signed by nobody we know.
    pub foreign: usize,
}

/// A request that was refused, as far as its route tells.
#[derive(Debug, Clone)]
pub struct RefusedRequest {
    /// What was tried.
    pub action: AuditAction,
    /// Why it was refused.
    pub code: &'static str,
    /// The tenant that the path names.
    pub tenant: Option<TenantId>,
    /// The service that the path names.
    pub service: Option<ServiceId>,
}

impl App {
    /// Writes a refusal down. It is refused all the same when that fails; an alarm says so.
    pub async fn refuse(&self, ctx: &RequestContext, refused: RefusedRequest) {
        let own = ctx.caller.is_operator() || ctx.caller.token().tenant == refused.tenant;
        let (tenant, detail) = match refused.tenant {
            Some(tenant) if !own => (
                // What a stranger tries stands in no other tenant's audit.
                ctx.caller.token().tenant.clone(),
                format!("{}: {tenant}", refused.code),
            ),
            Some(tenant) => (Some(tenant), refused.code.to_owned()),
            None => (ctx.caller.token().tenant.clone(), refused.code.to_owned()),
        };
        let subject = AuditSubject {
            tenant,
            service: refused.service,
            detail: Some(detail),
            ..AuditSubject::default()
        };
        let draft = self.draft(ctx, refused.action, AuditOutcome::Refused, subject);
        if let Err(error) = self.parts().refusals.record(draft).await {
            tracing::error!(%error, "a refusal is not in the audit chain");
        }
    }

    /// Notes that somebody was not recognised, without making anybody wait.
    pub fn refuse_stranger(
        &self,
        request_id: RequestId,
        presented: Option<&str>,
        address: IpAddr,
        code: &'static str,
    ) {
        let parts = self.parts();
        parts.refusals.refused(AuditDraft {
            at: parts.clock.now(),
            action: AuditAction::Authenticate,
            outcome: AuditOutcome::Refused,
            request_id,
            token_id: parts.admission.token_of(presented),
            address: Some(address),
            tenant_id: None,
            user_id: None,
            service: None,
            version: None,
            purpose: None,
            detail: Some(code.to_owned()),
            count: None,
        });
    }

    /// An entry that is about to be written.
    pub(crate) fn draft(
        &self,
        ctx: &RequestContext,
        action: AuditAction,
        outcome: AuditOutcome,
        subject: AuditSubject,
    ) -> AuditDraft {
        AuditDraft {
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
            count: None,
        }
    }

    /// Writes an entry and waits until it is durable; what it permits must not happen before.
    pub(crate) async fn record(
        &self,
        ctx: &RequestContext,
        action: AuditAction,
        outcome: AuditOutcome,
        subject: AuditSubject,
    ) -> Result<AuditEntry, AppError> {
        let draft = self.draft(ctx, action, outcome, subject);
        match self.parts().audit.record(draft).await {
            Ok(entry) => Ok(entry),
            Err(error) => {
                raise_unwritable(&self.parts().alarms);
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

    /// Whose chain this node's answers speak of, and whose not.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn audit_coverage(&self) -> Result<AuditCoverage, AppError> {
        let parts = self.parts();
        Ok(AuditCoverage {
            node: parts.node,
            not_covered: diamond_db::system::other_nodes(&parts.db, parts.node).await?,
        })
    }

    /// How the chain and its witnesses stand.
    ///
    /// # Errors
    /// Refused without `audit:read` as an operator.
    pub async fn audit_status(&self, ctx: &RequestContext) -> Result<AuditStatus, AppError> {
        let parts = self.parts();
        parts
            .admission
            .operator_access(&ctx.caller, Scope::AuditRead)?;
        let chain = parts.audit.chain();
        let anchor = self.anchor(chain).await?;
        let now = parts.clock.monotonic_nanos();
        Ok(AuditStatus {
            installation: parts.witnesses.installation(),
            node: parts.node,
            public_key: parts.witnesses.public_key(),
            chain,
            sequence: parts.audit.head().sequence,
            anchored_sequence: anchor.map(|anchor| anchor.sequence),
            holds: self.chain_holds(),
            closed: parts.witnesses.check(now).is_err(),
            witnesses: parts.witnesses.views(now),
            earlier: parts.audit.earlier().await?,
        })
    }

    /// Checks the whole chain against its anchor and against checkpoints that somebody kept.
    ///
    /// # Errors
    /// Refused without `audit:read` as an operator; unreadable.
    pub async fn verify_checkpoints(
        &self,
        ctx: &RequestContext,
        checkpoints: Vec<Checkpoint>,
    ) -> Result<(AuditVerdict, CheckpointVerdict), AppError> {
        let parts = self.parts();
        parts
            .admission
            .operator_access(&ctx.caller, Scope::AuditRead)?;
        let told = checkpoints.len();
        let own: Vec<Checkpoint> = checkpoints
            .into_iter()
            .filter(|checkpoint| parts.witnesses.is_own(checkpoint))
            .collect();
        let verdict = CheckpointVerdict {
            own: own.len(),
            foreign: told - own.len(),
        };
        Ok((self.verdict(own).await?, verdict))
    }

    /// Keeps a chain that does not hold as evidence and begins another, which says so.
    ///
    /// # Errors
    /// Refused without `audit:read` as an operator; `chain_holds`; `audit_unwritable`.
    pub async fn begin_audit_anew(
        &self,
        ctx: &RequestContext,
        reason: String,
    ) -> Result<AuditEntry, AppError> {
        let parts = self.parts();
        parts
            .admission
            .operator_access(&ctx.caller, Scope::AuditRead)?;
        let verdict = self.check_chain().await?;
        if matches!(verdict, AuditVerdict::Whole { .. }) {
            return Err(AppError::conflict(
                "chain_holds",
                "the audit chain holds: there is no reason to begin another",
            ));
        }
        let anchor = self.anchor(parts.audit.chain()).await?;
        let anchored = anchor.map_or(0, |anchor| anchor.sequence);
        let subject = AuditSubject {
            purpose: Some(reason),
            detail: Some(format!(
                "the chain {} did not hold ({verdict:?}, anchored at {anchored}) and is kept",
                parts.audit.chain()
            )),
            ..AuditSubject::default()
        };
        let draft = self.draft(ctx, AuditAction::ChainBegin, AuditOutcome::Granted, subject);
        let entry = parts.audit.begin_anew(draft).await?;
        self.check_chain().await?;
        Ok(entry)
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
