//! `POST /oauth2-cc/token`: a key and its secret for a token.

use serde_json::json;

use super::error;
use crate::{
    desk::{Context, Refusal, Served},
    keys::{Key, KeyKind, Origin},
    service::Service,
};

/// How long a token lives.
const SECONDS: i64 = 1_800;

/// Makes a token.
pub(super) fn create(context: &Context<'_>) -> Result<Served, Refusal> {
    let form = String::from_utf8_lossy(&context.request.body);
    let asked = form
        .split('&')
        .any(|pair| pair == "grant_type=client_credentials");
    if !asked {
        let message = "grant_type must be client_credentials";
        return Err(error::invalid(Some("grant_type"), message));
    }
    let now = context.now();
    let value = context.world.ids.fresh("hume_sim_token_");
    context.mint(Key {
        id: context.world.ids.uuid(),
        value: value.clone(),
        service: Service::Hume,
        kind: KeyKind::Ephemeral,
        origin: Origin::Token,
        organization_id: context.organization().to_owned(),
        created_at: now,
        expires_at: Some(now + SECONDS),
        ..Key::default()
    });
    Ok(Served::free(&json!({
        "access_token": value, "token_type": "Bearer", "expires_in": SECONDS,
    })))
}
