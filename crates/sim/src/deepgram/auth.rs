//! Where a key stands and what it opens.

use crate::{
    desk::{Access, Route},
    keys::{Key, KeyKind},
    request::Request,
};

/// How every token begins: it is a JWT, and a key is none.
pub(super) const TOKEN_PREFIX: &str = "eyJ";

/// What a member of a project may do.
const MEMBER: &[&str] = &["usage:write", "usage:read", "project:read", "keys:read"];

/// The value of the key: `Token` and a key, or `Bearer` and a token. A browser says the same with
/// the subprotocols of its WebSocket.
pub(super) fn credential(request: &Request) -> Option<String> {
    let said = match request.header("authorization") {
        Some(said) => said.split_once(' '),
        None => subprotocols(request),
    };
    let (scheme, value) = said?;
    let value = value.trim();
    let fits = if scheme.eq_ignore_ascii_case("token") {
        !value.starts_with(TOKEN_PREFIX)
    } else {
        scheme.eq_ignore_ascii_case("bearer") && value.starts_with(TOKEN_PREFIX)
    };
    fits.then(|| value.to_owned())
}

/// The scheme and the credential among the subprotocols.
pub(super) fn subprotocols(request: &Request) -> Option<(&str, &str)> {
    let (scheme, value) = request.header("sec-websocket-protocol")?.split_once(',')?;
    Some((scheme.trim(), value.trim()))
}

/// A key without scopes is a member's, or an owner's if it manages others. A role among the
/// scopes is what the role may do.
pub(super) fn permits(key: &Key, route: &Route) -> bool {
    if key.kind == KeyKind::Ephemeral {
        return route.access == Access::Paid;
    }
    let held = |scope: &str| key.scopes.iter().any(|held| held == scope);
    let owner =
        held("owner") || held("admin") || (key.kind == KeyKind::Admin && key.scopes.is_empty());
    let member = held("member") || key.scopes.is_empty();
    match route.scope {
        "" => true,
        "member" => owner || member,
        scope => owner || held(scope) || (member && MEMBER.contains(&scope)),
    }
}
