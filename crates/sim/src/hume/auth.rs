//! Where a key stands and what it opens.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::error;
use crate::{
    desk::{Refusal, Route},
    keys::{Key, KeyKind},
    openai::bearer,
    request::Request,
    socket,
};

/// The header of a key, on both platforms.
const HEADER: &str = "x-hume-api-key";
/// What the secret of a key is: the key and this.
const SECRET: &str = "-secret";

/// The value of the key or of the token. The address carries one for the old platform's
/// conversation alone.
pub(super) fn credential(request: &Request) -> Option<String> {
    if request
        .segments
        .first()
        .is_some_and(|part| part == "oauth2-cc")
    {
        return of_pair(request);
    }
    if let Some(key) = request.header(HEADER) {
        return Some(key.to_owned());
    }
    if let Some(token) = bearer(request) {
        return Some(token);
    }
    let in_address = socket::is_asked_for(request) && !is_new(request);
    let value = request
        .query("api_key")
        .or_else(|| request.query("access_token"));
    value.filter(|_| in_address).map(str::to_owned)
}

/// The key of a pair of key and secret, if they belong together.
fn of_pair(request: &Request) -> Option<String> {
    let (scheme, pair) = request.header("authorization")?.split_once(' ')?;
    let pair = String::from_utf8(STANDARD.decode(pair.trim()).ok()?).ok()?;
    let (key, secret) = pair.split_once(':')?;
    let fits = scheme.eq_ignore_ascii_case("basic") && secret.strip_suffix(SECRET) == Some(key);
    fits.then(|| key.to_owned())
}

/// The new platform takes a key or a token, and refuses both at once.
pub(super) fn check(request: &Request) -> Result<(), Refusal> {
    let both = request.header(HEADER).is_some() && request.header("authorization").is_some();
    if is_new(request) && both {
        return Err(error::gateway(401, "Unauthorized"));
    }
    Ok(())
}

fn is_new(request: &Request) -> bool {
    let parts: Vec<&str> = request.segments.iter().map(String::as_str).collect();
    matches!(
        parts.as_slice(),
        ["v0", "decisions", ..] | ["v1", "expression", ..]
    )
}

/// No permissions means all of them. A token opens everything but decisions.
pub(super) fn permits(key: &Key, route: &Route) -> bool {
    let held = key.scopes.iter().any(|held| held == route.scope);
    match key.kind {
        KeyKind::Ephemeral => route.scope != "decisions" && !route.scope.is_empty(),
        KeyKind::Project | KeyKind::Admin => {
            key.scopes.is_empty() || route.scope.is_empty() || held
        }
    }
}
