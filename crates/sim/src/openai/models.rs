//! `GET /models`.

use serde_json::{Value, json};

use super::{
    context::{Context, Served},
    error::ApiError,
};
use crate::prices::{MODELS, find};

/// When all of them came into the world.
const CREATED: i64 = 1_760_000_000;

/// Every model, by alias and by dated name.
pub(super) fn list(_: &Context<'_>) -> Result<Served, ApiError> {
    let mut data = Vec::new();
    for model in MODELS {
        data.push(object(model.name));
        if model.answers_as != model.name {
            data.push(object(model.answers_as));
        }
    }
    Ok(Served::free(&json!({"object": "list", "data": data})))
}

/// One model.
pub(super) fn retrieve(context: &Context<'_>) -> Result<Served, ApiError> {
    let name = context.part(0);
    find(name).ok_or_else(|| ApiError::no_model(name))?;
    Ok(Served::free(&object(name)))
}

fn object(name: &str) -> Value {
    json!({"id": name, "object": "model", "created": CREATED, "owned_by": "system"})
}
