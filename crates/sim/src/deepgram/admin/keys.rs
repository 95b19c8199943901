//! `/v1/projects/{}/keys`: made, listed, deleted; never changed.

use serde_json::{Value, json};

use super::projects::look;
use crate::{
    deepgram::error,
    desk::{Context, Refusal, Served},
    instant,
    keys::{Key, KeyKind, KeyState, Origin},
    service::Service,
};

/// The keys of a project; `status` is `active` or `expired`.
pub(in crate::deepgram) fn list(context: &Context<'_>) -> Result<Served, Refusal> {
    look(context)?;
    let now = context.now();
    let wanted = context.request.query("status");
    let shown = |key: &Key| {
        let status = if key.is_expired(now) {
            "expired"
        } else {
            "active"
        };
        key.state != KeyState::Revoked && wanted.is_none_or(|wanted| wanted == status)
    };
    let keys = context
        .world
        .keys
        .listed(|key| is_of(key, context.project()), shown);
    let views: Vec<Value> = keys
        .iter()
        .map(|key| json!({"member": member(), "api_key": view(key)}))
        .collect();
    Ok(Served::free(&json!({"api_keys": views})))
}

/// A new key, its value shown once.
pub(in crate::deepgram) fn create(context: &Context<'_>) -> Result<Served, Refusal> {
    look(context)?;
    let body = context.json()?;
    let comment = body["comment"].as_str().filter(|text| !text.is_empty());
    let comment = comment.ok_or_else(|| bad("comment is required."))?;
    let scopes = texts(&body["scopes"]);
    if scopes.is_empty() {
        return Err(bad("scopes is required."));
    }
    let most = context.world.limits.of(context.key, |limit| limit.keys);
    let project = context.project();
    let living = |key: &Key| is_of(key, project) && key.state != KeyState::Revoked;
    if most.is_some_and(|most| context.world.keys.count(living) >= most) {
        return Err(bad("The project has as many keys as it may have."));
    }
    // Whoever may manage keys is one of those who manage.
    let manages = |scope: &String| matches!(scope.as_str(), "owner" | "admin" | "keys:write");
    let key = Key {
        id: context.world.ids.uuid(),
        value: context.world.ids.fresh("sim"),
        service: Service::Deepgram,
        kind: if scopes.iter().any(manages) {
            KeyKind::Admin
        } else {
            KeyKind::Project
        },
        origin: Origin::Administration,
        name: comment.to_owned(),
        organization_id: context.organization().to_owned(),
        project_id: Some(project.to_owned()),
        scopes,
        tags: texts(&body["tags"]),
        created_at: context.now(),
        expires_at: expiry(context, &body)?,
        ..Key::default()
    };
    let mut answer = view(&key);
    answer["key"] = json!(key.value);
    context.mint(key);
    Ok(Served::free(&answer))
}

/// One key.
pub(in crate::deepgram) fn retrieve(context: &Context<'_>) -> Result<Served, Refusal> {
    look(context)?;
    let found = context.world.keys.get(Service::Deepgram, context.part(1));
    let key = found
        .filter(|key| is_of(key, context.project()) && key.state != KeyState::Revoked)
        .ok_or_else(|| error::not_found("Key"))?;
    let mut member = member();
    member["api_key"] = view(&key);
    Ok(Served::free(&json!({"item": {"member": member}})))
}

/// Deletes a key.
pub(in crate::deepgram) fn delete(context: &Context<'_>) -> Result<Served, Refusal> {
    look(context)?;
    let fits = |key: &Key| is_of(key, context.project()) && key.state != KeyState::Revoked;
    let now = context.now();
    context
        .change_key(context.part(1), fits, |key| {
            key.put(KeyState::Revoked, now);
        })
        .ok_or_else(|| error::not_found("Key"))?;
    Ok(Served::free(
        &json!({"message": "Successfully deleted the API key!"}),
    ))
}

fn bad(message: &str) -> Refusal {
    error::old(400, "Bad Request", message)
}

fn is_of(key: &Key, project: &str) -> bool {
    key.service == Service::Deepgram
        && key.kind != KeyKind::Ephemeral
        && key.project_id.as_deref() == Some(project)
}

fn member() -> Value {
    json!({"member_id": "member_sim", "email": "sim@example.com"})
}

fn view(key: &Key) -> Value {
    let mut view = json!({
        "api_key_id": key.id,
        "comment": key.name,
        "scopes": key.scopes,
        "created": instant::rfc3339(key.created_at),
    });
    if !key.tags.is_empty() {
        view["tags"] = json!(key.tags);
    }
    if let Some(end) = key.expires_at {
        view["expiration_date"] = json!(instant::rfc3339(end));
    }
    view
}

/// The end of a key's life: by its length or by its date, never by both.
fn expiry(context: &Context<'_>, body: &Value) -> Result<Option<i64>, Refusal> {
    let (length, date) = (&body["time_to_live_in_seconds"], &body["expiration_date"]);
    match (length, date) {
        (Value::Null, Value::Null) => Ok(None),
        (length, Value::Null) => length
            .as_i64()
            .filter(|seconds| *seconds > 0)
            .map(|seconds| Some(context.now() + seconds))
            .ok_or_else(|| bad("time_to_live_in_seconds must be a positive number.")),
        (Value::Null, date) => date
            .as_str()
            .and_then(instant::seconds)
            .filter(|end| *end > context.now())
            .map(Some)
            .ok_or_else(|| bad("expiration_date must be a date in the future.")),
        _ => Err(bad(
            "Only one of expiration_date and time_to_live_in_seconds may be given.",
        )),
    }
}

fn texts(list: &Value) -> Vec<String> {
    let items = list.as_array().into_iter().flatten();
    items
        .filter_map(|item| item.as_str().map(str::to_owned))
        .collect()
}
