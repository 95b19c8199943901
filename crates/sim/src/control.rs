//! The judge's own counter: `/_sim/…`.

use http::{Method, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    body::SimBody,
    faults::Fault,
    keys::{DEFAULT_ORGANIZATION, Key, KeyKind, KeyState, Origin},
    limits::LimitChange,
    request::Request,
    router::json_response,
    service::Service,
    world::World,
};

/// What went wrong with a request to the judge.
struct Mistake(StatusCode, String);

fn bad(message: impl ToString) -> Mistake {
    Mistake(StatusCode::BAD_REQUEST, message.to_string())
}

/// Answers one request.
pub(crate) fn answer(world: &World, request: &Request) -> Response<SimBody> {
    let path: Vec<&str> = request.segments.iter().map(String::as_str).collect();
    let answer = match (&request.method, path.as_slice()) {
        (&Method::GET, ["bill"]) => {
            service_of(request).map(|service| world.bill.view(service, request.query("keyId")))
        }
        (&Method::GET, ["keys"]) => service_of(request)
            .map(|service| json!({"keys": world.keys.list(|key| key.service == service)})),
        (&Method::POST, ["keys"]) => read(request).and_then(|change| put_key(world, change)),
        (&Method::GET, ["minted"]) => minted(world, request),
        (&Method::GET, ["limits"]) => service_of(request).map(|service| world.limits.view(service)),
        (&Method::POST, ["limits"]) => {
            read::<LimitChange>(request).map(|change| world.limits.change(change))
        }
        (&Method::GET, ["faults"]) => Ok(json!({"faults": world.faults.list()})),
        (&Method::POST, ["faults"]) => read::<Fault>(request).map(|fault| {
            world.faults.set(fault);
            json!({"faults": world.faults.list()})
        }),
        (&Method::DELETE, ["faults"]) => {
            world.faults.clear();
            Ok(json!({"faults": []}))
        }
        (&Method::GET, ["last"]) => last(world, request),
        (&Method::POST, ["clock"]) => read(request).map(|step: ClockStep| {
            world.clock.advance(step.advance_seconds);
            json!({"now": world.clock.now()})
        }),
        (&Method::POST, ["reset"]) => {
            world.reset();
            Ok(json!({"reset": true}))
        }
        _ => {
            let asked = format!("{} {}", request.method, request.path_and_query);
            Err(Mistake(
                StatusCode::NOT_FOUND,
                format!("the judge does not answer {asked}"),
            ))
        }
    };
    match answer {
        Ok(body) => json_response(StatusCode::OK, &body),
        Err(Mistake(status, message)) => {
            json_response(status, &json!({"error": {"message": message}}))
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ClockStep {
    advance_seconds: i64,
}

/// A key to add, or what to change in one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct KeyChange {
    service: Service,
    id: Option<String>,
    value: Option<String>,
    state: Option<KeyState>,
    code: Option<String>,
    kind: Option<KeyKind>,
    name: Option<String>,
    organization_id: Option<String>,
    project_id: Option<String>,
    scopes: Option<Vec<String>>,
    expires_at: Option<i64>,
    requests_per_minute: Option<u64>,
}

fn put_key(world: &World, change: KeyChange) -> Result<Value, Mistake> {
    let KeyChange {
        service, id, value, ..
    } = &change;
    let now = world.clock.now();
    let fits = |key: &Key| {
        key.service == *service
            && id.as_ref().is_none_or(|id| key.id == *id)
            && value.as_ref().is_none_or(|value| key.value == *value)
    };
    let named = id.is_some() || value.is_some();
    let changed = named.then(|| {
        world.keys.change(fits, |key| {
            if let Some(state) = change.state {
                key.put(state, now);
            }
            key.kind = change.kind.unwrap_or(key.kind);
            if change.state.is_some() || change.code.is_some() {
                key.code.clone_from(&change.code);
            }
            if let Some(name) = &change.name {
                key.name.clone_from(name);
            }
            if let Some(scopes) = &change.scopes {
                key.scopes.clone_from(scopes);
            }
            key.expires_at = change.expires_at.or(key.expires_at);
            key.requests_per_minute = change.requests_per_minute.or(key.requests_per_minute);
        })
    });
    if let Some(key) = changed.flatten() {
        return Ok(json!({"key": key}));
    }
    add_key(world, change, now)
}

/// A key that nobody has yet. Without a value it gets one in the company's manner; an
/// organization that is new begins with it.
fn add_key(world: &World, change: KeyChange, now: i64) -> Result<Value, Mistake> {
    let service = change.service;
    let kind = change.kind.unwrap_or_default();
    if change.value.is_none() && change.id.is_some() {
        let message = "no key has this id";
        return Err(Mistake(StatusCode::NOT_FOUND, message.to_owned()));
    }
    let prefix = match kind {
        KeyKind::Admin => service
            .admin_key_prefix()
            .ok_or_else(|| bad("this company has no key that manages others"))?,
        KeyKind::Project | KeyKind::Ephemeral => service.key_prefix(),
    };
    let organization_id = change
        .organization_id
        .unwrap_or_else(|| DEFAULT_ORGANIZATION.to_owned());
    world.begin_organization(service, &organization_id);
    let first_project = service.first_project(&organization_id);
    let key = Key {
        id: change.id.unwrap_or_else(|| world.ids.fresh("key_")),
        value: change.value.unwrap_or_else(|| world.ids.fresh(prefix)),
        service,
        kind,
        origin: Origin::Judge,
        state: change.state.unwrap_or_default(),
        code: change.code,
        name: change.name.unwrap_or_default(),
        project_id: change.project_id.or(first_project),
        organization_id,
        scopes: change.scopes.unwrap_or_default(),
        created_at: now,
        expires_at: change.expires_at,
        requests_per_minute: change.requests_per_minute,
        ..Key::default()
    };
    if world.keys.add(key.clone()) {
        Ok(json!({"key": key}))
    } else {
        Err(Mistake(
            StatusCode::CONFLICT,
            "another key has this id or this value".to_owned(),
        ))
    }
}

/// Every key that there ever was, of one company or of all, without the values.
fn minted(world: &World, request: &Request) -> Result<Value, Mistake> {
    let service = match request.query("service") {
        Some(_) => Some(service_of(request)?),
        None => None,
    };
    let now = world.clock.now();
    let live = request.query("live").map(|text| text == "true");
    let beginning = request.query("namePrefix").unwrap_or_default();
    let keys = world.keys.list(|key| {
        service.is_none_or(|service| key.service == service)
            && live.is_none_or(|live| key.is_live(now) == live)
            && key.name.starts_with(beginning)
    });
    let told: Vec<Value> = keys.iter().map(|key| key.told(now)).collect();
    Ok(json!({"now": now, "keys": told}))
}

fn last(world: &World, request: &Request) -> Result<Value, Mistake> {
    let service = request.query("service").unwrap_or("openai");
    let service = Service::named(service).ok_or_else(|| bad("no such service"))?;
    let operation = request
        .query("operation")
        .ok_or_else(|| bad("which operation?"))?;
    let exchange = world.recorder.last(service, operation);
    let exchange = exchange.ok_or_else(|| {
        Mistake(
            StatusCode::NOT_FOUND,
            format!("nothing was received for `{operation}`"),
        )
    })?;
    Ok(exchange.view())
}

fn service_of(request: &Request) -> Result<Service, Mistake> {
    let name = request
        .query("service")
        .ok_or_else(|| bad("which service?"))?;
    Service::named(name).ok_or_else(|| bad(format!("no service is named `{name}`")))
}

fn read<T: for<'a> Deserialize<'a>>(request: &Request) -> Result<T, Mistake> {
    serde_json::from_slice(&request.body).map_err(bad)
}
