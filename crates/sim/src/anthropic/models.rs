//! `GET /v1/models`.

use serde_json::{Value, json};

use super::{admin, error};
use crate::{
    desk::{Context, Refusal, Served},
    prices,
};

/// Every model.
pub(super) fn list(context: &Context<'_>) -> Result<Served, Refusal> {
    let models = prices::models(context.service()).iter();
    let views = models.map(|model| view(model.answers_as)).collect();
    Ok(Served::free(&admin::page(context, views)))
}

/// One model, by alias or by dated name.
pub(super) fn retrieve(context: &Context<'_>) -> Result<Served, Refusal> {
    let name = context.part(0);
    let model = prices::find(context.service(), name);
    let model = model.ok_or_else(|| error::not_found(&format!("model: {name}")))?;
    Ok(Served::free(&view(model.answers_as)))
}

fn view(name: &str) -> Value {
    json!({
        "type": "model",
        "id": name,
        "display_name": name,
        "created_at": "2026-10-01T00:00:00Z",
    })
}
