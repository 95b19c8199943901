//! Backups, and what follows when one was brought back.

use axum::{Json as Body, body::Body as Stream, response::Response};
use diamond_api_types::{
    ReleaseRestoreRequest, RestoreComparison, RestoreRecent, RestoreRelease, RestoreStatusResponse,
};
use diamond_app::RestoreStatus;
use futures_util::stream;
use http::{HeaderValue, header};

use crate::{
    ApiState,
    errors::ApiError,
    extract::{Context, Json},
};

type State = axum::extract::State<ApiState>;

/// Take a backup
///
/// Everything that this node keeps, at one moment, as a tar archive: control state, sealed values,
/// usage journal and audit log; never the master key. It is whole only with its last member,
/// `manifest.mac`. For operators.
#[utoipa::path(
    post, path = "/api/backup", tag = "backups",
    responses((status = 200, description = "The archive.", content_type = "application/x-tar", body = Vec<u8>))
)]
pub async fn take_backup(state: State, Context(context): Context) -> Result<Response, ApiError> {
    let pieces = state.app.take_backup(&context).await?;
    let pieces = stream::unfold(pieces, |mut pieces| async move {
        pieces.recv().await.map(|piece| (piece, pieces))
    });
    let mut response = Response::new(Stream::from_stream(pieces));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/x-tar"),
    );
    Ok(response)
}

/// Look at a restored installation
///
/// What was in the backup that it was brought back from, and what there is; nothing of that when it
/// never was. For operators.
#[utoipa::path(
    get, path = "/api/restore", tag = "backups",
    responses((status = 200, description = "The comparison.", body = RestoreStatusResponse))
)]
pub async fn get_restore(
    state: State,
    Context(context): Context,
) -> Result<Body<RestoreStatusResponse>, ApiError> {
    let status = state.app.restore_status(&context).await?;
    Ok(Body(status.map_or(NEVER, status_response)))
}

/// Release a restored installation
///
/// Ends its quarantine, for an operator who has seen the comparison as it is.
#[utoipa::path(
    post, path = "/api/restore/release", tag = "backups", request_body = ReleaseRestoreRequest,
    responses((status = 200, description = "It is released.", body = RestoreStatusResponse))
)]
pub async fn release_restore(
    state: State,
    Context(context): Context,
    Json(request): Json<ReleaseRestoreRequest>,
) -> Result<Body<RestoreStatusResponse>, ApiError> {
    let released = state
        .app
        .release_restore(&context, &request.digest, &request.reason)
        .await?;
    Ok(Body(status_response(released)))
}

/// The answer where there was no restore.
const NEVER: RestoreStatusResponse = RestoreStatusResponse {
    quarantined: false,
    released: None,
    digest: None,
    comparison: None,
};

fn status_response(status: RestoreStatus) -> RestoreStatusResponse {
    let found = status.comparison;
    RestoreStatusResponse {
        quarantined: status.quarantined,
        released: status
            .released
            .map(|(at, by, reason)| RestoreRelease { at, by, reason }),
        digest: Some(status.digest),
        comparison: Some(RestoreComparison {
            taken_at: found.taken_at,
            restored_at: found.restored_at,
            archive: found.archive,
            counted: found.counted,
            tenants: found.tenants,
            suspended: found.suspended,
            live_tokens: found.live_tokens,
            live_versions: found.live_versions,
            unreadable_versions: found.unreadable_versions,
            ledger_sequence: found.ledger_sequence,
            direct_cost_usd: found.direct_cost_usd,
            audit_entries: found.audit_entries,
            recent: found
                .recent
                .into_iter()
                .map(|change| RestoreRecent {
                    kind: change.kind.to_owned(),
                    tenant_id: change.tenant,
                    subject: change.subject,
                    at: change.at,
                })
                .collect(),
            more_recent: found.more_recent,
        }),
    }
}
