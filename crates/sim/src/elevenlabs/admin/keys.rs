//! `/v1/service-accounts/{}/api-keys`, and a key that switches itself off.

use serde_json::{Value, json};

use super::accounts::{look, name};
use crate::{
    desk::{Context, Refusal, Served},
    elevenlabs::error,
    ids::scatter,
    keys::{Key, KeyKind, KeyState, Origin},
    service::Service,
};

/// The shortest and the longest life of a key that ends.
const LIFE_SECONDS: std::ops::RangeInclusive<i64> = 900..=90 * 86_400;

/// The keys of an account.
pub(in crate::elevenlabs) fn list(context: &Context<'_>) -> Result<Served, Refusal> {
    let account = look(context)?;
    Ok(Served::free(&json!({"api-keys": views(context, &account)})))
}

/// One more key, its value shown once.
pub(in crate::elevenlabs) fn create(context: &Context<'_>) -> Result<Served, Refusal> {
    let account = look(context)?;
    let body = context.json()?;
    let name = name(&body)?;
    let scopes = permissions(&body)?.ok_or_else(|| error::missing("permissions"))?;
    let expires_at = match &body["expires_at_unix"] {
        Value::Null => None,
        asked => Some(expiry(context, asked)?),
    };
    let most = context.world.limits.of(context.key, |limit| limit.keys);
    let there = context
        .world
        .keys
        .count(|key| is_of(key, &account) && !matches!(key.state, KeyState::Revoked));
    if most.is_some_and(|most| there >= most) {
        let message = "The service account has as many API keys as it may have.";
        return Err(error::make(400, "api_key_limit_reached", message));
    }
    let key = Key {
        id: context.world.ids.fresh(""),
        value: context.world.ids.fresh("sk_sim_"),
        service: Service::Elevenlabs,
        origin: Origin::Administration,
        name,
        organization_id: context.organization().to_owned(),
        service_account_id: Some(account),
        scopes,
        spending_limit: body["character_limit"].as_u64(),
        allowed_ips: texts(&body["allowed_ips"]),
        created_at: context.now(),
        expires_at,
        ..Key::default()
    };
    let view = json!({"xi-api-key": key.value, "key_id": key.id});
    context.mint(key);
    Ok(Served::free(&view))
}

/// Other permissions, another limit, on or off. `no_update` leaves a field, `clear` empties it.
pub(in crate::elevenlabs) fn update(context: &Context<'_>) -> Result<Served, Refusal> {
    let account = look(context)?;
    let body = context.json()?;
    let meant = |field: &str| !body[field].is_null() && body[field] != "no_update";
    let scopes = if meant("permissions") {
        permissions(&body)?
    } else {
        None
    };
    let expires_at = match &body["expires_at_unix"] {
        asked @ Value::Number(_) => Some(expiry(context, asked)?),
        _ => None,
    };
    let now = context.now();
    change(context, &account, |key| {
        if let Some(enabled) = body["is_enabled"].as_bool() {
            let state = if enabled {
                KeyState::Active
            } else {
                KeyState::Disabled
            };
            key.put(state, now);
        }
        if meant("name")
            && let Some(name) = body["name"].as_str()
        {
            name.clone_into(&mut key.name);
        }
        if let Some(scopes) = scopes {
            key.scopes = scopes;
        }
        if meant("character_limit") {
            key.spending_limit = body["character_limit"].as_u64();
        }
        if meant("allowed_ips") {
            key.allowed_ips = texts(&body["allowed_ips"]);
        }
        if body["expires_at_unix"] == "clear" {
            key.expires_at = None;
        }
        key.expires_at = expires_at.or(key.expires_at);
    })?;
    Ok(Served::free(&json!({"status": "ok"})))
}

/// Switches a key off.
pub(in crate::elevenlabs) fn disable(context: &Context<'_>) -> Result<Served, Refusal> {
    let account = look(context)?;
    let now = context.now();
    change(context, &account, |key| key.put(KeyState::Disabled, now))?;
    Ok(Served::free(&json!({"status": "ok"})))
}

/// Deletes a key.
pub(in crate::elevenlabs) fn delete(context: &Context<'_>) -> Result<Served, Refusal> {
    let account = look(context)?;
    let now = context.now();
    change(context, &account, |key| key.put(KeyState::Revoked, now))?;
    Ok(Served::free(&json!({"status": "ok"})))
}

/// Switches off the key of the call, as whoever finds a leaked one may.
pub(in crate::elevenlabs) fn disable_self(context: &Context<'_>) -> Result<Served, Refusal> {
    if context.request.query("api_key_name") != Some("self") {
        let message = "Only a key itself can be disabled here: api_key_name=self.";
        return Err(error::make(400, "invalid_api_key_name", message));
    }
    let now = context.now();
    let itself = |key: &Key| key.state != KeyState::Revoked;
    context.change_key(&context.key.id, itself, |key| {
        key.put(KeyState::Disabled, now);
    });
    Ok(Served::free(&json!({"status": "ok"})))
}

/// The keys of an account as a list shows them.
pub(super) fn views(context: &Context<'_>, account: &str) -> Vec<Value> {
    let keys = context.world.keys.listed(
        |key| is_of(key, account),
        |key| key.state != KeyState::Revoked,
    );
    keys.iter().map(view).collect()
}

fn is_of(key: &Key, account: &str) -> bool {
    key.service == Service::Elevenlabs
        && key.kind == KeyKind::Project
        && key.service_account_id.as_deref() == Some(account)
}

fn change(
    context: &Context<'_>,
    account: &str,
    change: impl FnOnce(&mut Key),
) -> Result<Key, Refusal> {
    let fits = |key: &Key| is_of(key, account) && key.state != KeyState::Revoked;
    let found = context.change_key(context.part(1), fits, change);
    found.ok_or_else(|| error::make(404, "api_key_not_found", "The API key was not found."))
}

fn view(key: &Key) -> Value {
    let disabled = key.state == KeyState::Disabled;
    let last: String = key.value.chars().rev().take(4).collect();
    let permissions = if key.scopes.is_empty() {
        json!("all")
    } else {
        json!(key.scopes)
    };
    json!({
        "name": key.name,
        "hint": last.chars().rev().collect::<String>(),
        "key_id": key.id,
        "service_account_user_id": key.service_account_id,
        "created_at_unix": key.created_at,
        "is_disabled": disabled,
        "disable_reason": disabled.then_some("disabled_by_user"),
        "permissions": permissions,
        "character_limit": key.spending_limit,
        "character_count": key.spent,
        "hashed_xi_api_key": hashed(&key.value),
        "allowed_ips": (!key.allowed_ips.is_empty()).then_some(&key.allowed_ips),
        "third_party_disable_allowed": true,
        "expires_at_unix": key.expires_at,
        "platform_limits": null,
    })
}

/// Sixty-four digits that say nothing of the value and are the same wherever it is meant.
fn hashed(value: &str) -> String {
    (0..4)
        .map(|part: u64| {
            let hash = value
                .bytes()
                .fold(scatter(part), |hash, byte| scatter(hash ^ u64::from(byte)));
            format!("{hash:016x}")
        })
        .collect()
}

/// The permissions of a request: `all`, or their names.
fn permissions(body: &Value) -> Result<Option<Vec<String>>, Refusal> {
    match &body["permissions"] {
        Value::Null => Ok(None),
        Value::String(all) if all == "all" => Ok(Some(Vec::new())),
        Value::Array(names) if !names.is_empty() && names.iter().all(Value::is_string) => {
            Ok(Some(texts(&body["permissions"])))
        }
        _ => {
            let message = "Input should be a list of permissions or 'all'";
            Err(error::invalid("permissions", "list_type", message))
        }
    }
}

fn expiry(context: &Context<'_>, asked: &Value) -> Result<i64, Refusal> {
    let end = asked.as_i64();
    end.filter(|end| LIFE_SECONDS.contains(&(end - context.now())))
        .ok_or_else(|| {
            let message = "A key lives at least 15 minutes and at most 90 days.";
            error::invalid("expires_at_unix", "value_error", message)
        })
}

fn texts(list: &Value) -> Vec<String> {
    let items = list.as_array().into_iter().flatten();
    items
        .filter_map(|item| item.as_str().map(str::to_owned))
        .collect()
}
