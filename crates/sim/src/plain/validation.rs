//! What costs nothing and proves a key.

use serde_json::{Value, json};

use crate::{
    desk::{Context, Refusal, Served},
    openai::bearer,
    prices,
    service::Service,
};

/// Every model.
pub(super) fn models(context: &Context<'_>) -> Result<Served, Refusal> {
    let models = prices::models(context.service()).iter();
    if context.service() == Service::Gemini {
        let models: Vec<Value> = models
            .map(|model| json!({"name": format!("models/{}", model.answers_as)}))
            .collect();
        return Ok(Served::free(&json!({"models": models})));
    }
    let models: Vec<Value> = models
        .map(|model| json!({"id": model.answers_as, "object": "model"}))
        .collect();
    Ok(Served::free(&json!({"object": "list", "data": models})))
}

/// `GET /v1/api-key`
pub(super) fn api_key(context: &Context<'_>) -> Result<Served, Refusal> {
    Ok(Served::free(&json!({
        "name": context.key.name, "redacted_api_key": context.key.redacted(),
        "acls": ["api-key:model:*"], "api_key_blocked": false, "api_key_disabled": false,
    })))
}

/// `POST /v1/check-api-key`: 200 for whatever it is asked about.
pub(super) fn check_key(context: &Context<'_>) -> Result<Served, Refusal> {
    let now = context.now();
    let valid = bearer(context.request).is_some_and(|value| {
        let used = context.world.keys.used(Service::Cohere, &value, now);
        used.is_some_and(|(key, _)| key.is_live(now))
    });
    Ok(Served::free(&json!({
        "valid": valid, "organization_id": "org-sim", "owner_id": "owner-sim",
    })))
}

/// `GET /voices`
pub(super) fn voices(_: &Context<'_>) -> Result<Served, Refusal> {
    Ok(Served::free(
        &json!({"data": [{"id": "voice-sim", "name": "Simulated"}], "has_more": false}),
    ))
}
