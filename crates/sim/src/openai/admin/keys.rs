//! Keys of service accounts, and admin keys.

use serde_json::{Value, json};

use super::{ServiceAccount, expiry, name, scopes};
use crate::{
    keys::{Key, KeyKind, KeyState, Origin},
    openai::{
        context::{Context, Served, page},
        error::{self, Refusal},
    },
    service::Service,
};

/// One more key for an account.
pub(in crate::openai) fn create(context: &Context<'_>) -> Result<Served, Refusal> {
    let body = context.json_or_empty()?;
    let scopes = scopes(&body)?.unwrap_or_default();
    let expires_at = expiry(context, &body)?;
    let account = {
        let mut organization = context.world.openai.organization.lock();
        organization.open_project(context, context.part(0))?;
        organization
            .service_account(context, context.part(0), context.part(1))?
            .clone()
    };
    let name = body["name"].as_str().unwrap_or("Secret Key").to_owned();
    Ok(Served::free(&make(
        context, &account, name, scopes, expires_at,
    )))
}

/// Makes a key; what is returned is the only sight of its value.
pub(super) fn make(
    context: &Context<'_>,
    account: &ServiceAccount,
    name: String,
    scopes: Vec<String>,
    expires_at: Option<i64>,
) -> Value {
    let key = Key {
        id: context.world.ids.fresh("key_"),
        value: context.world.ids.fresh("sk-svcacct-sim-"),
        service: Service::Openai,
        name,
        origin: Origin::Administration,
        organization_id: context.organization().to_owned(),
        project_id: Some(account.project.clone()),
        service_account_id: Some(account.id.clone()),
        scopes,
        created_at: context.now(),
        expires_at,
        ..Key::default()
    };
    context.mint(key.clone());
    json!({
        "id": key.id,
        "object": "organization.project.service_account.api_key",
        "name": key.name,
        "value": key.value,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
    })
}

/// The keys of a project.
pub(in crate::openai) fn list(context: &Context<'_>) -> Result<Served, Refusal> {
    let project = context.part(0);
    context
        .world
        .openai
        .organization
        .lock()
        .project(context, project)?;
    let keys = context
        .world
        .keys
        .listed(|key| is_of(key, project), |key| belongs(key, project));
    let views = keys.iter().map(|key| project_view(context, key)).collect();
    Ok(Served::free(&page(context.request, views, 20)))
}

/// One key of a project.
pub(in crate::openai) fn retrieve(context: &Context<'_>) -> Result<Served, Refusal> {
    look(context).map(|key| Served::free(&project_view(context, &key)))
}

/// Other permissions, another end.
pub(in crate::openai) fn update(context: &Context<'_>) -> Result<Served, Refusal> {
    let body = context.json()?;
    let scopes = scopes(&body)?;
    let expires_at = expiry(context, &body)?;
    let now = context.now();
    let before = look(context)?;
    if before.is_expired(now) {
        let message = "An expired key cannot be updated.";
        return Err(error::invalid("api_key_id", "api_key_expired", message));
    }
    let key = change(context, |key| {
        if let Some(scopes) = scopes {
            key.scopes = scopes;
        }
        key.expires_at = expires_at.or(key.expires_at);
    })?;
    Ok(Served::free(&project_view(context, &key)))
}

/// Revokes a key; its account and its other keys stay.
pub(in crate::openai) fn delete(context: &Context<'_>) -> Result<Served, Refusal> {
    let key = change(context, |key| {
        key.put(KeyState::Revoked, context.now());
    })?;
    let object = "organization.project.api_key.deleted";
    Ok(Served::free(
        &json!({"id": key.id, "object": object, "deleted": true}),
    ))
}

/// Admin keys.
pub(in crate::openai) fn list_admin(context: &Context<'_>) -> Result<Served, Refusal> {
    let own = |key: &Key| key.kind == KeyKind::Admin && is_own(context, key);
    let keys = context.world.keys.listed(own, is_alive);
    let views = keys.iter().map(admin_view).collect();
    Ok(Served::free(&page(context.request, views, 20)))
}

/// One admin key.
pub(in crate::openai) fn retrieve_admin(context: &Context<'_>) -> Result<Served, Refusal> {
    look_admin(context).map(|key| Served::free(&admin_view(&key)))
}

/// A new admin key, its value shown once.
pub(in crate::openai) fn create_admin(context: &Context<'_>) -> Result<Served, Refusal> {
    let body = context.json()?;
    let key = Key {
        id: context.world.ids.fresh("key_"),
        value: context.world.ids.fresh("sk-admin-sim-"),
        service: Service::Openai,
        kind: KeyKind::Admin,
        name: name(&body)?,
        origin: Origin::Administration,
        organization_id: context.organization().to_owned(),
        created_at: context.now(),
        expires_at: expiry(context, &body)?,
        ..Key::default()
    };
    let mut view = admin_view(&key);
    view["value"] = json!(key.value);
    context.mint(key);
    Ok(Served::free(&view))
}

/// Revokes an admin key.
pub(in crate::openai) fn delete_admin(context: &Context<'_>) -> Result<Served, Refusal> {
    let key = change_admin(context, |key| {
        key.put(KeyState::Revoked, context.now());
    })?;
    let object = "organization.admin_api_key.deleted";
    Ok(Served::free(
        &json!({"id": key.id, "object": object, "deleted": true}),
    ))
}

/// Whether a key is, or was, one of a project.
fn is_of(key: &Key, project: &str) -> bool {
    key.service == Service::Openai
        && key.kind == KeyKind::Project
        && key.project_id.as_deref() == Some(project)
}

fn is_alive(key: &Key) -> bool {
    key.state != KeyState::Revoked
}

fn belongs(key: &Key, project: &str) -> bool {
    is_alive(key) && is_of(key, project)
}

fn is_own(context: &Context<'_>, key: &Key) -> bool {
    key.service == Service::Openai && key.organization_id == context.organization()
}

/// The key of the path, as it is.
fn look(context: &Context<'_>) -> Result<Key, Refusal> {
    let (project, id) = (context.part(0), context.part(1));
    let found = context.world.keys.get(Service::Openai, id);
    found
        .filter(|key| belongs(key, project) && is_own(context, key))
        .ok_or_else(|| error::not_found("API key", id))
}

fn change(context: &Context<'_>, change: impl FnOnce(&mut Key)) -> Result<Key, Refusal> {
    let (project, id) = (context.part(0), context.part(1));
    let fits = |key: &Key| belongs(key, project) && is_own(context, key);
    let found = context.change_key(id, fits, change);
    found.ok_or_else(|| error::not_found("API key", id))
}

/// The admin key of the path, as it is.
fn look_admin(context: &Context<'_>) -> Result<Key, Refusal> {
    let id = context.part(0);
    let found = context.world.keys.get(Service::Openai, id);
    found
        .filter(|key| is_admin(context, key))
        .ok_or_else(|| error::not_found("admin API key", id))
}

fn change_admin(context: &Context<'_>, change: impl FnOnce(&mut Key)) -> Result<Key, Refusal> {
    let id = context.part(0);
    let found = context.change_key(id, |key| is_admin(context, key), change);
    found.ok_or_else(|| error::not_found("admin API key", id))
}

fn is_admin(context: &Context<'_>, key: &Key) -> bool {
    key.kind == KeyKind::Admin && is_alive(key) && is_own(context, key)
}

fn project_view(context: &Context<'_>, key: &Key) -> Value {
    let organization = context.world.openai.organization.lock();
    let account = key.service_account_id.as_deref().and_then(|id| {
        organization
            .service_accounts
            .iter()
            .find(|account| account.id == id)
    });
    let owner = match account {
        Some(account) => json!({"type": "service_account", "service_account": account.view()}),
        None => json!({"type": "user", "user": {
            "id": "user-sim", "object": "organization.project.user", "name": "Sim",
            "email": "sim@example.com", "role": "owner", "created_at": key.created_at,
        }}),
    };
    json!({
        "id": key.id,
        "object": "organization.project.api_key",
        "name": key.name,
        "redacted_value": key.redacted(),
        "created_at": key.created_at,
        "last_used_at": key.last_used_at,
        "expires_at": key.expires_at,
        "owner": owner,
        "owner_project_access": "active",
    })
}

fn admin_view(key: &Key) -> Value {
    json!({
        "id": key.id,
        "object": "organization.admin_api_key",
        "name": key.name,
        "redacted_value": key.redacted(),
        "created_at": key.created_at,
        "last_used_at": key.last_used_at,
        "expires_at": key.expires_at,
        "owner": {
            "type": "user", "object": "organization.user", "id": "user-sim", "name": "Sim",
            "created_at": key.created_at, "role": "owner",
        },
    })
}
