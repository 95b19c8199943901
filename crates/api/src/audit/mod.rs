//! The chain of who touched which key.

use axum::Json as Body;
use diamond_api_types::{
    AuditEntryResponse, ListAuditParams, ListAuditResponse, VerifyAuditOutcome, VerifyAuditResponse,
};
use diamond_domain::SecretVersion;
use diamond_usage::{AuditAction, AuditEntry, AuditOutcome, AuditQuery, AuditVerdict};

use crate::{
    ApiState,
    errors::ApiError,
    extract::{Context, Query},
};

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
    Ok(Body(verdict_response(
        &state.app.verify_audit(&context).await?,
    )))
}

fn verdict_response(verdict: &AuditVerdict) -> VerifyAuditResponse {
    let none = VerifyAuditResponse {
        ok: false,
        outcome: VerifyAuditOutcome::Whole,
        entries: None,
        broken_at: None,
        ends_at: None,
        anchored_at: None,
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
    }
}

const fn action_text(action: AuditAction) -> &'static str {
    match action {
        AuditAction::KeyReveal => "key_reveal",
        AuditAction::KeyPut => "key_put",
        AuditAction::KeyRevoke => "key_revoke",
        AuditAction::TenantCreate => "tenant_create",
        AuditAction::TenantUpdate => "tenant_update",
        AuditAction::TokenCreate => "token_create",
        AuditAction::TokenRevoke => "token_revoke",
        AuditAction::Erase => "erase",
        AuditAction::SealRekeyBegin => "seal_rekey_begin",
        AuditAction::SealRekeyCancel => "seal_rekey_cancel",
        AuditAction::SealRekeyEnd => "seal_rekey_end",
        AuditAction::BackupTake => "backup_take",
        AuditAction::RestoreRelease => "restore_release",
    }
}
