//! The master key.

use axum::Json as Body;
use diamond_api_types::{DataKeysResponse, RekeyPhase, RekeyResponse, SealStatusResponse};
use diamond_app::SealStatus;

use crate::{ApiState, errors::ApiError, extract::Context};

type State = axum::extract::State<ApiState>;

/// Look at the master key
///
/// Where it is, what it wraps, how far a change of it is; never the key. For operators.
#[utoipa::path(
    get, path = "/api/seal", tag = "seal",
    responses((status = 200, description = "How it stands.", body = SealStatusResponse))
)]
pub async fn get_seal(
    state: State,
    Context(context): Context,
) -> Result<Body<SealStatusResponse>, ApiError> {
    Ok(Body(response(state.app.seal_status(&context).await?)))
}

/// Change the master key
///
/// Begins, or gives the change that is under way. The data keys go over in the background while
/// everything goes on.
#[utoipa::path(
    post, path = "/api/seal/rekey", tag = "seal",
    responses((status = 200, description = "How it stands.", body = SealStatusResponse))
)]
pub async fn begin_rekey(
    state: State,
    Context(context): Context,
) -> Result<Body<SealStatusResponse>, ApiError> {
    Ok(Body(response(state.app.begin_rekey(&context).await?)))
}

/// Give up a change of the master key
///
/// Works until the first data key goes over; changes nothing when none is under way.
#[utoipa::path(
    delete, path = "/api/seal/rekey", tag = "seal",
    responses((status = 200, description = "How it stands.", body = SealStatusResponse))
)]
pub async fn cancel_rekey(
    state: State,
    Context(context): Context,
) -> Result<Body<SealStatusResponse>, ApiError> {
    Ok(Body(response(state.app.cancel_rekey(&context).await?)))
}

fn response(status: SealStatus) -> SealStatusResponse {
    let SealStatus { custody, facts } = status;
    SealStatusResponse {
        source: custody.source.to_owned(),
        path: custody.path.map(|path| path.display().to_string()),
        master_key_id: custody.master,
        held_key_ids: custody.held,
        made_at: custody.made_at,
        rotated_at: custody.rotated_at,
        data_keys: custody
            .data_keys
            .into_iter()
            .map(|keys| DataKeysResponse {
                master_key_id: keys.master,
                unreadable: keys.unreadable,
                count: keys.count,
            })
            .collect(),
        rekey: custody.rekey.map(|rekey| RekeyResponse {
            from: rekey.from,
            to: rekey.to,
            phase: match rekey.phase {
                diamond_app::RekeyPhase::Preparing => RekeyPhase::Preparing,
                diamond_app::RekeyPhase::Rewrapping => RekeyPhase::Rewrapping,
            },
            started_at: rekey.started_at,
            done: rekey.done,
            total: rekey.total,
            waiting_for: rekey.waiting_for,
        }),
        profile: facts.profile,
        on_data_volume: facts.on_data_volume,
        memory_locked: facts.memory_locked,
        warnings: facts.warnings,
    }
}
