//! `POST /realtime/client_secrets`: short-lived keys for browsers.

use serde_json::{Value, json};

use super::{
    context::{Context, Served},
    error::{self, Refusal},
};
use crate::{
    keys::{Key, KeyKind, Origin},
    service::Service,
};

/// How long a secret lives unless the request says.
const DEFAULT_SECONDS: i64 = 600;

/// Makes a secret.
pub(super) fn create_secret(context: &Context<'_>) -> Result<Served, Refusal> {
    let body = context.json_or_empty()?;
    let asked = &body["expires_after"]["seconds"];
    let seconds = asked.as_i64().unwrap_or(DEFAULT_SECONDS);
    if !(10..=7_200).contains(&seconds) {
        let message = "Invalid 'expires_after.seconds': expected 10 to 7200.";
        return Err(error::invalid(
            "expires_after.seconds",
            "invalid_value",
            message,
        ));
    }
    let now = context.now();
    let value = context.world.ids.fresh("ek_");
    context.mint(Key {
        id: context.world.ids.fresh("key_"),
        value: value.clone(),
        service: Service::Openai,
        kind: KeyKind::Ephemeral,
        origin: Origin::Token,
        organization_id: context.organization().to_owned(),
        project_id: Some(context.project().to_owned()),
        created_at: now,
        expires_at: Some(now + seconds),
        ..Key::default()
    });
    let mut session = body["session"].clone();
    if !session.is_object() {
        session = json!({"type": "realtime", "model": "gpt-realtime-2"});
    }
    session["id"] = Value::from(context.world.ids.fresh("sess_"));
    session["object"] = json!("realtime.session");
    session["expires_at"] = json!(now + seconds);
    Ok(Served::free(
        &json!({"value": value, "expires_at": now + seconds, "session": session}),
    ))
}
