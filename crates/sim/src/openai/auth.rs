//! Who may call what.

use super::{
    error::ApiError,
    routes::{Access, Route, Verb},
};
use crate::{
    keys::{Allowance, Key, KeyKind, KeyState, redact},
    request::Request,
    service::Service,
    world::World,
};

/// The bearer token of a request.
pub(super) fn bearer(request: &Request) -> Option<&str> {
    let value = request.header("authorization")?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The key of a request, if it is one; whether it may do what it asks is [`permit`]'s question.
pub(super) fn key_of(world: &World, request: &Request) -> Result<(Key, Allowance), ApiError> {
    let value = bearer(request).ok_or_else(ApiError::no_key)?;
    let found = world.keys.used(Service::Openai, value, world.clock.now());
    found.ok_or_else(|| ApiError::bad_key(&redact(value)))
}

/// Whether a key may take a route.
pub(super) fn permit(key: &Key, allowance: Allowance, route: &Route) -> Result<(), ApiError> {
    match key.state {
        KeyState::Revoked | KeyState::Expired => {
            return Err(ApiError::bad_key(&key.redacted()));
        }
        KeyState::Restricted => return Err(ApiError::missing_scope(route.scope())),
        KeyState::RateLimited => return Err(rate_limited(key, allowance)),
        // An empty account shows only where something is to be paid.
        KeyState::Exhausted if route.access == Access::Paid => {
            let code = key.code.as_deref().unwrap_or("credit_balance_exhausted");
            return Err(ApiError::of_code(429, Some(code), None));
        }
        KeyState::Exhausted | KeyState::Active => {}
    }
    let kind_fits = match route.access {
        Access::Admin => key.kind == KeyKind::Admin,
        Access::Free | Access::Paid => key.kind == KeyKind::Project,
    };
    if !kind_fits || !scopes_allow(&key.scopes, route) {
        return Err(ApiError::missing_scope(route.scope()));
    }
    if allowance.exceeded {
        return Err(rate_limited(key, allowance));
    }
    Ok(())
}

fn rate_limited(key: &Key, allowance: Allowance) -> ApiError {
    let code = key.code.as_deref().unwrap_or("rate_limit_exceeded");
    let seconds = u64::try_from(allowance.reset_seconds).unwrap_or(1);
    let wait = if allowance.exceeded { seconds } else { 1 };
    ApiError::of_code(429, Some(code), Some(wait))
}

/// No scopes means all of them; `api.all.read` reads everything; else the route's own is needed.
fn scopes_allow(scopes: &[String], route: &Route) -> bool {
    let held = |scope: &str| scopes.iter().any(|held| held == scope);
    scopes.is_empty()
        || held("api.all")
        || held(route.scope())
        || (route.verb == Verb::Get && held("api.all.read"))
}
