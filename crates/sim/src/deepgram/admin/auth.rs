//! `/v1/auth/token` and `/v1/auth/grant`.

use serde_json::{Value, json};

use crate::{
    deepgram::{auth::TOKEN_PREFIX, error},
    desk::{Context, Refusal, Served},
    keys::{Key, KeyKind, Origin},
    service::Service,
};

/// How long a token lives unless the request says, and at most.
const DEFAULT_SECONDS: i64 = 30;
const MOST_SECONDS: i64 = 3_600;

/// What the key of the call is.
pub(in crate::deepgram) fn token(context: &Context<'_>) -> Result<Served, Refusal> {
    Ok(Served::free(&json!({
        "api_key_id": context.key.id,
        "comment": context.key.name,
        "scopes": context.key.scopes,
        "tags": context.key.tags,
        "project_id": context.project(),
    })))
}

/// A token that opens the voice interfaces for a short time.
pub(in crate::deepgram) fn grant(context: &Context<'_>) -> Result<Served, Refusal> {
    let body = context.json_or_empty()?;
    let seconds = match &body["ttl_seconds"] {
        Value::Null => DEFAULT_SECONDS,
        asked => {
            let seconds = asked.as_f64().filter(|seconds| *seconds >= 1.0);
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a fraction of a second is dropped, and what is too long is refused"
            )]
            let seconds = seconds.map(|seconds| seconds as i64);
            seconds
                .filter(|seconds| *seconds <= MOST_SECONDS)
                .ok_or_else(|| error::old(400, "Bad Request", "ttl_seconds must be 1 to 3600."))?
        }
    };
    let now = context.now();
    let value = context.world.ids.fresh(&format!("{TOKEN_PREFIX}sim."));
    context.mint(Key {
        id: context.world.ids.uuid(),
        value: value.clone(),
        service: Service::Deepgram,
        kind: KeyKind::Ephemeral,
        origin: Origin::Token,
        organization_id: context.organization().to_owned(),
        project_id: context.key.project_id.clone(),
        scopes: vec!["usage:write".to_owned()],
        created_at: now,
        expires_at: Some(now + seconds),
        ..Key::default()
    });
    Ok(Served::free(
        &json!({"access_token": value, "expires_in": seconds}),
    ))
}
