//! `POST /v1/single-use-token/{type}`.

use serde_json::json;

use super::error;
use crate::{
    desk::{Context, Refusal, Served},
    keys::{Key, KeyKind, KeyState, Origin},
    service::Service,
};

/// How long a token waits for its one use.
const SECONDS: i64 = 900;

/// Makes a token for one call.
pub(super) fn create(context: &Context<'_>) -> Result<Served, Refusal> {
    let kind = context.part(0);
    if !["realtime_scribe", "batch_scribe", "tts_websocket"].contains(&kind) {
        let message = "Input should be 'realtime_scribe', 'batch_scribe' or 'tts_websocket'";
        return Err(error::invalid("token_type", "enum", message));
    }
    let now = context.now();
    let value = context.world.ids.fresh("sutkn_sim_");
    context.mint(Key {
        id: context.world.ids.fresh("sut_"),
        value: value.clone(),
        service: Service::Elevenlabs,
        kind: KeyKind::Ephemeral,
        origin: Origin::Token,
        name: kind.to_owned(),
        organization_id: context.organization().to_owned(),
        service_account_id: context.key.service_account_id.clone(),
        scopes: vec![kind.to_owned()],
        created_at: now,
        expires_at: Some(now + SECONDS),
        ..Key::default()
    });
    Ok(Served::free(&json!({"token": value})))
}

/// A token is good for one call.
pub(super) fn consume(context: &Context<'_>) {
    if context.key.kind != KeyKind::Ephemeral {
        return;
    }
    let now = context.now();
    context.world.keys.change_by_id(
        Service::Elevenlabs,
        &context.key.id,
        |_| true,
        |key| key.put(KeyState::Revoked, now),
        None,
        now,
    );
}
