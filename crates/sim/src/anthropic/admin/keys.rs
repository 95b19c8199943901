//! `/v1/organizations/api_keys`: looked at, switched off and on, archived; never made.

use serde_json::{Value, json};

use super::page;
use crate::{
    anthropic::error,
    desk::{Context, Refusal, Served},
    instant,
    keys::{Key, KeyKind, KeyState},
    service::Service,
};

/// The keys of the organization, archived ones too, filtered by the query.
pub(in crate::anthropic) fn list(context: &Context<'_>) -> Result<Served, Refusal> {
    let request = context.request;
    let now = context.now();
    let status_wanted = request.query("status");
    let workspace = request.query("workspace_id");
    let creator = request.query("created_by_user_id");
    let shown = |key: &Key| {
        status_wanted.is_none_or(|wanted| status(key, now) == wanted)
            && workspace.is_none_or(|wanted| key.project_id.as_deref() == Some(wanted))
            && creator.is_none_or(|wanted| wanted == CREATOR)
    };
    let keys = context.world.keys.listed(|key| is_own(context, key), shown);
    let views = keys.iter().map(|key| view(key, now)).collect();
    Ok(Served::free(&page(context, views)))
}

/// One key.
pub(in crate::anthropic) fn retrieve(context: &Context<'_>) -> Result<Served, Refusal> {
    Ok(Served::free(&view(&look(context)?, context.now())))
}

/// Another name, another status.
pub(in crate::anthropic) fn update(context: &Context<'_>) -> Result<Served, Refusal> {
    let body = context.json()?;
    let now = context.now();
    let state = match body["status"].as_str() {
        None => None,
        Some("active") => Some(KeyState::Active),
        Some("inactive") => Some(KeyState::Disabled),
        Some("archived") => Some(KeyState::Revoked),
        Some(_) => {
            let message = "status: Input should be 'active', 'inactive' or 'archived'";
            return Err(error::invalid(message));
        }
    };
    let before = look(context)?;
    if before.state == KeyState::Revoked && state.is_some_and(|state| state != KeyState::Revoked) {
        return Err(error::invalid("An archived API key cannot be changed."));
    }
    if before.is_expired(now) && state == Some(KeyState::Active) {
        return Err(error::invalid("An expired API key cannot be activated."));
    }
    let id = context.part(0);
    let key = context.change_key(
        id,
        |key| is_own(context, key),
        |key| {
            if let Some(state) = state {
                key.put(state, now);
            }
            if let Some(name) = body["name"].as_str() {
                name.clone_into(&mut key.name);
            }
        },
    );
    let key = key.ok_or_else(|| error::not_found("API key not found"))?;
    Ok(Served::free(&view(&key, now)))
}

/// The only user there is.
const CREATOR: &str = "user_sim";

fn is_own(context: &Context<'_>, key: &Key) -> bool {
    key.service == Service::Anthropic
        && key.kind == KeyKind::Project
        && key.organization_id == context.organization()
}

fn look(context: &Context<'_>) -> Result<Key, Refusal> {
    let found = context.world.keys.get(Service::Anthropic, context.part(0));
    found
        .filter(|key| is_own(context, key))
        .ok_or_else(|| error::not_found("API key not found"))
}

fn status(key: &Key, now: i64) -> &'static str {
    match key.state {
        KeyState::Revoked => "archived",
        KeyState::Disabled => "inactive",
        _ if key.is_expired(now) => "expired",
        _ => "active",
    }
}

fn view(key: &Key, now: i64) -> Value {
    let scope = match &key.project_id {
        Some(workspace) => json!({"type": "workspace", "workspace_id": workspace}),
        None => json!({"type": "organization", "workspace_id": null}),
    };
    json!({
        "id": key.id,
        "type": "api_key",
        "name": key.name,
        "status": status(key, now),
        "workspace_id": key.project_id,
        "partial_key_hint": key.redacted().replace("****", "..."),
        "created_at": instant::rfc3339(key.created_at),
        "expires_at": key.expires_at.map(instant::rfc3339),
        "created_by": {"id": CREATOR, "type": "user"},
        "principal": null,
        "scope": scope,
    })
}
