//! The chain of who touched which key.

use axum::Json as Body;
use diamond_api_types::{
    AuditCoverageResponse, AuditEntryResponse, AuditStatusResponse, AuditWitnessResponse,
    BeginAuditAnewRequest, EarlierAuditChainResponse, ListAuditParams, ListAuditResponse,
    UncoveredNodeResponse, VerifyAuditOutcome, VerifyAuditResponse, VerifyCheckpointsRequest,
    VerifyCheckpointsResponse,
};
use diamond_app::{AuditCoverage, WitnessView};
use diamond_domain::SecretVersion;
use diamond_usage::{AuditAction, AuditEntry, AuditOutcome, AuditQuery, AuditVerdict};
use http::StatusCode;

use crate::{
    ApiState,
    errors::ApiError,
    extract::{Context, Json, Query},
};

/// How many checkpoints are looked at at a time.
const CHECKPOINTS_MAX: usize = 100;

type State = axum::extract::State<ApiState>;

/// List entries of the audit chain
///
/// A tenant's, or everybody's for an operator who names none; oldest first.
#[utoipa::path(
    get, path = "/api/audit", tag = "audit", params(ListAuditParams),
    responses((status = 200, description = "A page of entries.", body = ListAuditResponse))
)]
pub async fn list_audit(
    state: State,
    Context(context): Context,
    Query(params): Query<ListAuditParams>,
) -> Result<Body<ListAuditResponse>, ApiError> {
    let limit = usize::try_from(params.limit.unwrap_or_default().get()).unwrap_or(usize::MAX);
    let entries = state
        .app
        .list_audit(&context, query(params, limit)?)
        .await?;
    let next_cursor = entries
        .last()
        .filter(|_| entries.len() == limit)
        .map(|last| last.sequence.to_string());
    let items = entries.into_iter().map(entry_response).collect();
    Ok(Body(ListAuditResponse { items, next_cursor }))
}

fn query(params: ListAuditParams, limit: usize) -> Result<AuditQuery, ApiError> {
    let invalid = |message| ApiError::bad_request("invalid_query", message);
    let version = match (params.service, params.version) {
        (None, None) => None,
        (Some(service), Some(number)) => {
            let version =
                SecretVersion::new(number).ok_or_else(|| invalid("`version` is at least 1"))?;
            Some((service, version))
        }
        _ => return Err(invalid("`service` and `version` go together")),
    };
    let after = params
        .cursor
        .as_deref()
        .unwrap_or("0")
        .parse()
        .map_err(|_| {
            ApiError::bad_request("invalid_cursor", "the cursor is not one of this list's")
        })?;
    Ok(AuditQuery {
        tenant: params.tenant_id,
        token: params.token_id,
        version,
        address: params.address,
        range: None,
        after,
        limit,
    })
}

/// Verify the audit chain
///
/// Checks every hash, and the end against its anchor. An answer that the chain does not hold is
/// still a success of this request: read `ok`.
#[utoipa::path(
    get, path = "/api/audit/verify", tag = "audit",
    responses((status = 200, description = "The verdict.", body = VerifyAuditResponse))
)]
pub async fn verify_audit(
    state: State,
    Context(context): Context,
) -> Result<Body<VerifyAuditResponse>, ApiError> {
    let verdict = state.app.verify_audit(&context).await?;
    let coverage = state.app.audit_coverage().await?;
    Ok(Body(verdict_response(&verdict, coverage)))
}

pub(crate) fn coverage_response(coverage: AuditCoverage) -> AuditCoverageResponse {
    let uncovered = coverage.not_covered.into_iter();
    AuditCoverageResponse {
        node: coverage.node,
        not_covered: uncovered
            .map(|node| UncoveredNodeResponse {
                node: node.id,
                last_seen_at: node.last_seen_at,
                stopped_at: node.stopped_at,
            })
            .collect(),
    }
}

fn verdict_response(verdict: &AuditVerdict, coverage: AuditCoverage) -> VerifyAuditResponse {
    let none = VerifyAuditResponse {
        ok: false,
        outcome: VerifyAuditOutcome::Whole,
        entries: None,
        broken_at: None,
        ends_at: None,
        anchored_at: None,
        coverage: coverage_response(coverage),
    };
    match *verdict {
        AuditVerdict::Whole { entries } => VerifyAuditResponse {
            ok: true,
            entries: Some(entries),
            ..none
        },
        AuditVerdict::Broken { sequence } => VerifyAuditResponse {
            outcome: VerifyAuditOutcome::Broken,
            broken_at: Some(sequence),
            ..none
        },
        AuditVerdict::Truncated {
            ends_at,
            anchored_at,
        } => VerifyAuditResponse {
            outcome: VerifyAuditOutcome::Truncated,
            ends_at: Some(ends_at),
            anchored_at: Some(anchored_at),
            ..none
        },
        AuditVerdict::Rewritten { anchored_at } => VerifyAuditResponse {
            outcome: VerifyAuditOutcome::Rewritten,
            anchored_at: Some(anchored_at),
            ..none
        },
    }
}

fn entry_response(entry: AuditEntry) -> AuditEntryResponse {
    let draft = entry.draft;
    AuditEntryResponse {
        id: entry.id,
        sequence: entry.sequence,
        at: draft.at,
        action: action_text(draft.action).to_owned(),
        outcome: match draft.outcome {
            AuditOutcome::Granted => "granted",
            AuditOutcome::Refused => "refused",
        }
        .to_owned(),
        request_id: draft.request_id,
        token_id: draft.token_id,
        address: draft.address,
        tenant_id: draft.tenant_id,
        user_id: draft.user_id,
        service: draft.service,
        version: draft.version,
        purpose: draft.purpose,
        detail: draft.detail,
        count: draft.count,
    }
}

pub(crate) const fn action_text(action: AuditAction) -> &'static str {
    match action {
        AuditAction::KeyReveal => "key_reveal",
        AuditAction::KeyPut => "key_put",
        AuditAction::KeyCheck => "key_check",
        AuditAction::KeyRevoke => "key_revoke",
        AuditAction::KeyRotate => "key_rotate",
        AuditAction::KeyProvision => "key_provision",
        AuditAction::ProviderKeyRevoke => "provider_key_revoke",
        AuditAction::CredentialPut => "credential_put",
        AuditAction::ProviderSweep => "provider_sweep",
        AuditAction::TenantCreate => "tenant_create",
        AuditAction::TenantUpdate => "tenant_update",
        AuditAction::BudgetPut => "budget_put",
        AuditAction::BudgetDelete => "budget_delete",
        AuditAction::TokenCreate => "token_create",
        AuditAction::TokenRevoke => "token_revoke",
        AuditAction::Erase => "erase",
        AuditAction::SealRekeyBegin => "seal_rekey_begin",
        AuditAction::SealRekeyCancel => "seal_rekey_cancel",
        AuditAction::SealRekeyEnd => "seal_rekey_end",
        AuditAction::BackupTake => "backup_take",
        AuditAction::RestoreRelease => "restore_release",
        AuditAction::Authenticate => "authenticate",
        AuditAction::GatewayCall => "gateway_call",
        AuditAction::Read => "read",
        AuditAction::UsageReport => "usage_report",
        AuditAction::AlarmUpdate => "alarm_update",
        AuditAction::ChainBegin => "chain_begin",
    }
}

/// Verify the audit chain against checkpoints that were kept elsewhere
///
/// As `GET /api/audit/verify`, with the signed checkpoints of a witness beside the anchor: also a
/// chain that was cut or written anew together with its anchor, and a folder or database that was
/// put in the place of a later one, are found.
#[utoipa::path(
    post, path = "/api/audit/verify", tag = "audit", request_body = VerifyCheckpointsRequest,
    responses((status = 200, description = "The verdict.", body = VerifyCheckpointsResponse))
)]
pub async fn verify_audit_checkpoints(
    state: State,
    Context(context): Context,
    Json(request): Json<VerifyCheckpointsRequest>,
) -> Result<Body<VerifyCheckpointsResponse>, ApiError> {
    if request.checkpoints.len() > CHECKPOINTS_MAX {
        return Err(ApiError::unprocessable(
            "too_many_checkpoints",
            "at most 100 checkpoints; the furthest of a chain is enough",
        ));
    }
    let (verdict, checkpoints) = state
        .app
        .verify_checkpoints(&context, request.checkpoints)
        .await?;
    let coverage = state.app.audit_coverage().await?;
    let mut verdict = verdict_response(&verdict, coverage);
    verdict.ok &= checkpoints.own > 0 && checkpoints.foreign == 0;
    Ok(Body(VerifyCheckpointsResponse {
        verdict,
        own_checkpoints: checkpoints.own,
        foreign_checkpoints: checkpoints.foreign,
    }))
}

/// Begin a new audit chain after a broken one
///
/// The broken one stays as evidence; the first entry of the new one covers all that is stored of
/// it. Only a chain that does not hold can be followed by another.
#[utoipa::path(
    post, path = "/api/audit/begin-anew", tag = "audit", request_body = BeginAuditAnewRequest,
    responses((status = 201, description = "The first entry.", body = AuditEntryResponse))
)]
pub async fn begin_audit_anew(
    state: State,
    Context(context): Context,
    Json(request): Json<BeginAuditAnewRequest>,
) -> Result<(StatusCode, Body<AuditEntryResponse>), ApiError> {
    let reason = request.reason.into();
    let entry = state.app.begin_audit_anew(&context, reason).await?;
    Ok((StatusCode::CREATED, Body(entry_response(entry))))
}

/// Look at the audit chain and its witnesses
#[utoipa::path(
    get, path = "/api/audit/status", tag = "audit",
    responses((status = 200, description = "How they stand.", body = AuditStatusResponse))
)]
pub async fn get_audit_status(
    state: State,
    Context(context): Context,
) -> Result<Body<AuditStatusResponse>, ApiError> {
    let status = state.app.audit_status(&context).await?;
    Ok(Body(AuditStatusResponse {
        installation: status.installation,
        node: status.node,
        public_key: status.public_key,
        chain: status.chain,
        sequence: status.sequence,
        anchored_sequence: status.anchored_sequence,
        holds: status.holds,
        closed: status.closed,
        witnesses: status.witnesses.into_iter().map(witness_response).collect(),
        earlier: status
            .earlier
            .into_iter()
            .map(|earlier| EarlierAuditChainResponse {
                chain: earlier.chain,
                ends_at: earlier.ends_at,
                intact: earlier.intact,
            })
            .collect(),
    }))
}

fn witness_response(view: WitnessView) -> AuditWitnessResponse {
    AuditWitnessResponse {
        name: view.name.to_owned(),
        sequence: view.sequence,
        delivered_at: view.delivered_at,
        behind_seconds: view.behind.map(|behind| behind.as_secs()),
        trouble: view.trouble,
    }
}
