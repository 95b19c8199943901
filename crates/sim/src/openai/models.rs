//! `GET /models`.

use serde_json::{Value, json};

use super::{
    context::{Context, Served},
    error::{self, Refusal},
};
use crate::prices;

/// When all of them came into the world.
const CREATED: i64 = 1_760_000_000;

/// Every model, by alias and by dated name.
pub(super) fn list(context: &Context<'_>) -> Result<Served, Refusal> {
    let mut data = Vec::new();
    for model in prices::models(context.service()) {
        data.push(object(model.name));
        if model.answers_as != model.name {
            data.push(object(model.answers_as));
        }
    }
    Ok(Served::free(&json!({"object": "list", "data": data})))
}

/// One model.
pub(super) fn retrieve(context: &Context<'_>) -> Result<Served, Refusal> {
    let name = context.part(0);
    prices::find(context.service(), name).ok_or_else(|| error::no_model(name))?;
    Ok(Served::free(&object(name)))
}

fn object(name: &str) -> Value {
    json!({"id": name, "object": "model", "created": CREATED, "owned_by": "system"})
}
