//! Revocations that take effect at once.

use std::time::Duration;

use axum::Json as Body;
use diamond_api_types::{
    NodeStanding as Standing, RevocationNodeResponse, RevocationResponse, RevocationTargetKind,
    WAIT_SECONDS_DEFAULT, WAIT_SECONDS_MAX,
};
use diamond_app::{NodeStanding, NodeView, RevocationTarget, RevocationView};
use diamond_domain::RevocationId;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    ApiState,
    errors::ApiError,
    extract::{Context, Path},
};

/// Which revocation.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Path)]
pub struct RevocationPath {
    /// The revocation's name.
    #[param(value_type = String, pattern = "^rev_[0-7][0-9a-hjkmnp-tv-z]{25}$")]
    revocation_id: RevocationId,
}

type State = axum::extract::State<ApiState>;

/// Look at a revocation
///
/// Which nodes refuse what was revoked, since when, and how many calls they cut.
#[utoipa::path(
    get, path = "/api/revocations/{revocationId}", tag = "revocations", params(RevocationPath),
    responses((status = 200, description = "The revocation.", body = RevocationResponse))
)]
pub async fn get_revocation(
    state: State,
    Context(context): Context,
    Path(path): Path<RevocationPath>,
) -> Result<Body<RevocationResponse>, ApiError> {
    let view = state
        .app
        .get_revocation(&context, path.revocation_id)
        .await?;
    Ok(Body(revocation(view)))
}

/// How long an answer may wait for the nodes: never so long that the request is given up.
pub fn wait(state: &ApiState, seconds: Option<u32>) -> Result<Duration, ApiError> {
    let seconds = seconds.unwrap_or(WAIT_SECONDS_DEFAULT);
    if seconds > WAIT_SECONDS_MAX {
        return Err(ApiError::bad_request(
            "invalid_query",
            "`waitSeconds` is at most 20",
        ));
    }
    let wait = Duration::from_secs(u64::from(seconds));
    Ok(wait.min(state.settings.request_timeout / 2))
}

/// A revocation as the API shows it.
pub fn revocation(view: RevocationView) -> RevocationResponse {
    let (kind, subject, version) = match view.target {
        RevocationTarget::Tenant(tenant) => {
            (RevocationTargetKind::Tenant, tenant.to_string(), None)
        }
        RevocationTarget::Token(token) => (RevocationTargetKind::Token, token.to_string(), None),
        RevocationTarget::Key(name, version) => (
            RevocationTargetKind::Key,
            name.to_string(),
            Some(version.get()),
        ),
    };
    RevocationResponse {
        id: view.id,
        kind,
        subject,
        version,
        tenant_id: view.tenant,
        at: view.at,
        calls_cut: view.calls_cut,
        refused_everywhere_at: view.refused_everywhere_at,
        nodes: view.nodes.iter().map(node).collect(),
    }
}

fn node(view: &NodeView) -> RevocationNodeResponse {
    let (standing, refused_at, calls_cut) = match view.standing {
        NodeStanding::Refuses { at, calls_cut } => (Standing::Refuses, Some(at), calls_cut),
        NodeStanding::Waiting => (Standing::Waiting, None, None),
        NodeStanding::Silent => (Standing::Silent, None, None),
        NodeStanding::Stale => (Standing::Stale, None, None),
    };
    RevocationNodeResponse {
        node: view.node,
        standing,
        refused_at,
        calls_cut,
        last_seen_at: view.last_seen_at,
    }
}
