//! The administration API: the organization, its keys and workspaces.

pub(super) mod keys;
pub(super) mod workspaces;

use serde_json::{Value, json};

pub(super) use workspaces::Workspace;

use crate::desk::{Context, Refusal, Served};

/// The organization of the key.
pub(super) fn me(context: &Context<'_>) -> Result<Served, Refusal> {
    let id = context.organization();
    let name = format!("Organization {id}");
    Ok(Served::free(
        &json!({"id": id, "type": "organization", "name": name}),
    ))
}

/// A page of a list: `limit`, `after_id` and `before_id` from the query.
pub(super) fn page(context: &Context<'_>, objects: Vec<Value>) -> Value {
    let request = context.request;
    let limit = request
        .query("limit")
        .and_then(|limit| limit.parse().ok())
        .unwrap_or(20);
    let place = |id: &str| objects.iter().position(|object| object["id"] == id);
    let start = request.query("after_id").and_then(place).map(|at| at + 1);
    let end = request.query("before_id").and_then(place);
    let (start, end) = (start.unwrap_or(0), end.unwrap_or(objects.len()));
    let mut rest: Vec<Value> = objects.into_iter().take(end).skip(start).collect();
    let has_more = rest.len() > limit;
    rest.truncate(limit);
    let id = |object: Option<&Value>| object.map_or(Value::Null, |object| object["id"].clone());
    json!({
        "first_id": id(rest.first()),
        "last_id": id(rest.last()),
        "data": rest,
        "has_more": has_more,
    })
}
