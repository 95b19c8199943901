//! `GET /v1/models`.

use serde_json::{Value, json};

use crate::{
    desk::{Context, Refusal, Served},
    prices::{self, Kind, Model},
};

/// Every model that speaks, with what a character costs in credits.
pub(super) fn list(context: &Context<'_>) -> Result<Served, Refusal> {
    let speaks = |model: &&Model| matches!(model.kind, Kind::Speech { .. });
    let models = prices::models(context.service()).iter().filter(speaks);
    let views: Vec<Value> = models.map(view).collect();
    Ok(Served::free(&json!(views)))
}

fn view(model: &Model) -> Value {
    let fast = model.name.contains("flash") || model.name.contains("turbo");
    json!({
        "model_id": model.name,
        "name": model.name,
        "can_do_text_to_speech": true,
        "can_do_voice_conversion": false,
        "can_be_finetuned": false,
        "token_cost_factor": 1.0,
        "max_characters_request_subscribed_user": 10_000,
        "languages": [{"language_id": "en", "name": "English"}],
        "model_rates": {"character_cost_multiplier": if fast { 0.5 } else { 1.0 }},
    })
}
