//! What OpenAI's handlers share.

use serde_json::Value;

use super::error::{self, Refusal};
pub(super) use crate::desk::{Charge, Content, Context, Failure, Served};
use crate::{
    prices::{self, Kind, Model},
    request::Request,
};

/// The model that a request names, if it is of the right kind.
pub(super) fn model_of(
    context: &Context<'_>,
    name: Option<&str>,
    fits: impl Fn(Kind) -> bool,
) -> Result<&'static Model, Refusal> {
    let name = name
        .filter(|name| !name.is_empty())
        .ok_or_else(|| error::missing("model"))?;
    let model = prices::find(context.service(), name).ok_or_else(|| error::no_model(name))?;
    if fits(model.kind) {
        return Ok(model);
    }
    let message = format!("The model '{name}' is not supported by this endpoint.");
    Err(error::invalid("model", "unsupported_model", message))
}

/// A page of a list in OpenAI's manner: `limit` and `after` from the query.
pub(super) fn page(request: &Request, objects: Vec<Value>, most: usize) -> Value {
    let limit = request
        .query("limit")
        .and_then(|limit| limit.parse().ok())
        .unwrap_or(most);
    let start = request.query("after").and_then(|after| {
        objects
            .iter()
            .position(|object| object["id"] == after)
            .map(|place| place + 1)
    });
    let mut rest: Vec<Value> = objects.into_iter().skip(start.unwrap_or(0)).collect();
    let has_more = rest.len() > limit;
    rest.truncate(limit);
    let id = |object: Option<&Value>| object.map_or(Value::Null, |object| object["id"].clone());
    serde_json::json!({
        "object": "list",
        "first_id": id(rest.first()),
        "last_id": id(rest.last()),
        "data": rest,
        "has_more": has_more,
    })
}
