//! OpenRouter's keys: made, listed, changed and deleted by one that manages them.

use serde_json::{Value, json};

use super::error;
use crate::{
    desk::{Context, Refusal, Served},
    instant,
    keys::{Key, KeyKind, KeyState, Origin},
    service::Service,
};

/// How many stand on a page.
const PAGE: usize = 100;

/// `GET /api/v1/key`: what the key of the call is.
pub(super) fn own(context: &Context<'_>) -> Result<Served, Refusal> {
    let mut data = view(context.key);
    data["is_management_key"] = json!(context.key.kind == KeyKind::Admin);
    Ok(Served::free(&json!({"data": data})))
}

/// `GET /api/v1/keys`
pub(super) fn list(context: &Context<'_>) -> Result<Served, Refusal> {
    let query = |name: &str| context.request.query(name);
    let offset = query("offset").and_then(|text| text.parse().ok());
    let disabled = query("include_disabled") == Some("true");
    let keys = context.world.keys.listed(
        |key| belongs(context, key),
        |key| key.state != KeyState::Revoked && (disabled || key.state != KeyState::Disabled),
    );
    let page = keys.iter().skip(offset.unwrap_or(0)).take(PAGE);
    let page: Vec<Value> = page.map(view).collect();
    Ok(Served::free(&json!({"data": page})))
}

/// `POST /api/v1/keys`
pub(super) fn create(context: &Context<'_>) -> Result<Served, Refusal> {
    let body = context.json()?;
    let name = body["name"].as_str().filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| error::missing(Service::Openrouter, "name"))?;
    let expires_at = match &body["expires_at"] {
        Value::Null => None,
        end => {
            let end = end.as_str().and_then(instant::seconds);
            Some(end.ok_or_else(|| error::missing(Service::Openrouter, "expires_at"))?)
        }
    };
    let now = context.now();
    let most = context.world.limits.of(context.key, |limit| limit.keys);
    let live = |key: &Key| belongs(context, key) && key.is_live(now);
    if most.is_some_and(|most| context.world.keys.count(live) >= most) {
        let message = "The most keys are there already.";
        return Err(error::make(
            Service::Openrouter,
            400,
            "limit_reached",
            message,
        ));
    }
    let key = Key {
        id: context.world.ids.fresh(""),
        value: context.world.ids.fresh("sk-or-v1-sim-"),
        service: Service::Openrouter,
        kind: KeyKind::Project,
        origin: Origin::Administration,
        name: name.to_owned(),
        organization_id: context.organization().to_owned(),
        spending_limit: body["limit"].as_u64(),
        created_at: now,
        expires_at,
        ..Key::default()
    };
    context.mint(key.clone());
    let mut served = Served::free(&json!({"data": view(&key), "key": key.value}));
    served.status = http::StatusCode::CREATED;
    Ok(served)
}

/// `GET /api/v1/keys/{hash}`
pub(super) fn retrieve(context: &Context<'_>) -> Result<Served, Refusal> {
    let keys = context.world.keys.list(|key| meant(context, key));
    let key = keys.first().ok_or_else(not_found)?;
    Ok(Served::free(&json!({"data": view(key)})))
}

/// `PATCH /api/v1/keys/{hash}`
pub(super) fn update(context: &Context<'_>) -> Result<Served, Refusal> {
    let body = context.json()?;
    let now = context.now();
    let changed = context.change_key(
        context.part(0),
        |key| meant(context, key),
        |key| {
            match body["disabled"].as_bool() {
                Some(true) => key.put(KeyState::Disabled, now),
                Some(false) => key.put(KeyState::Active, now),
                None => {}
            }
            if let Some(name) = body["name"].as_str() {
                key.name = name.to_owned();
            }
            key.spending_limit = body["limit"].as_u64().or(key.spending_limit);
        },
    );
    let key = changed.ok_or_else(not_found)?;
    Ok(Served::free(&json!({"data": view(&key)})))
}

/// `DELETE /api/v1/keys/{hash}`
pub(super) fn delete(context: &Context<'_>) -> Result<Served, Refusal> {
    let now = context.now();
    let deleted = context.change_key(
        context.part(0),
        |key| meant(context, key),
        |key| key.put(KeyState::Revoked, now),
    );
    deleted.ok_or_else(not_found)?;
    Ok(Served::free(&json!({"deleted": true})))
}

fn belongs(context: &Context<'_>, key: &Key) -> bool {
    key.service == Service::Openrouter
        && key.kind == KeyKind::Project
        && key.organization_id == context.organization()
}

fn meant(context: &Context<'_>, key: &Key) -> bool {
    belongs(context, key) && key.id == context.part(0) && key.state != KeyState::Revoked
}

fn not_found() -> Refusal {
    error::make(Service::Openrouter, 404, "not_found", "API key not found")
}

fn view(key: &Key) -> Value {
    json!({
        "hash": key.id,
        "name": key.name,
        "label": key.redacted(),
        "disabled": key.state == KeyState::Disabled,
        "limit": key.spending_limit,
        "usage": 0,
        "created_at": instant::rfc3339(key.created_at),
        "expires_at": key.expires_at.map(instant::rfc3339),
    })
}
