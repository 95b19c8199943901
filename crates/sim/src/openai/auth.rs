//! Who may call what, and the headers of every answer.

use crate::{
    desk::{Access, Head, Route, Verb},
    keys::{DEFAULT_ORGANIZATION, Key, KeyKind},
    request::Request,
};

/// What stands before a key among the subprotocols.
const IN_SUBPROTOCOL: &str = "openai-insecure-api-key.";

/// The bearer token of a request.
pub(crate) fn bearer(request: &Request) -> Option<String> {
    let value = request.header("authorization")?;
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim().to_owned())
}

/// The key among the subprotocols of a WebSocket, where a browser puts it.
pub(super) fn subprotocol(request: &Request) -> Option<String> {
    words(request)
        .find_map(|word| word.strip_prefix(IN_SUBPROTOCOL))
        .map(str::to_owned)
}

/// The subprotocol that is spoken, where it is offered.
pub(super) fn spoken(request: &Request) -> Option<String> {
    let offered = words(request).any(|word| word == "realtime");
    offered.then(|| "realtime".to_owned())
}

fn words(request: &Request) -> impl Iterator<Item = &str> {
    let header = request.header("sec-websocket-protocol").unwrap_or_default();
    header.split(',').map(str::trim)
}

/// The permission that a restricted key needs.
pub(super) fn scope(route: &Route) -> &'static str {
    let reads = route.verb == Verb::Get;
    match route.access {
        Access::Admin => "api.management",
        Access::Paid => "api.model.request",
        Access::Free if route.path.starts_with("v1/models") => "api.model.read",
        Access::Free | Access::Open if reads => "api.all.read",
        Access::Free | Access::Open => "api.all.write",
    }
}

/// No scopes means all of them; `api.all.read` reads everything; else the route's own is needed.
pub(super) fn permits(key: &Key, route: &Route) -> bool {
    if key.kind == KeyKind::Ephemeral {
        return route.verb == Verb::Socket;
    }
    let kind_fits = match route.access {
        Access::Admin => key.kind == KeyKind::Admin,
        Access::Free | Access::Paid | Access::Open => key.kind == KeyKind::Project,
    };
    let held = |scope: &str| key.scopes.iter().any(|held| held == scope);
    kind_fits
        && (key.scopes.is_empty()
            || held("api.all")
            || held(scope(route))
            || (route.verb == Verb::Get && held("api.all.read")))
}

/// The headers of every answer.
pub(crate) fn head(head: &Head<'_>) -> Vec<(&'static str, String)> {
    let organization = head
        .key
        .map_or(DEFAULT_ORGANIZATION, |key| key.organization_id.as_str());
    let mut headers = vec![
        ("x-request-id", head.request_id.to_owned()),
        ("openai-organization", organization.to_owned()),
        ("openai-version", "2020-10-01".to_owned()),
        ("openai-processing-ms", head.elapsed_ms.to_string()),
    ];
    if let Some(client_id) = head.request.header("x-client-request-id") {
        headers.push(("x-client-request-id", client_id.to_owned()));
    }
    if let Some(allowance) = head.allowance {
        let tokens = allowance.limit.saturating_mul(1_000);
        let left = tokens.saturating_sub(head.request.body.len().div_ceil(4) as u64);
        let reset = format!("{}s", allowance.reset_seconds);
        headers.extend([
            ("x-ratelimit-limit-requests", allowance.limit.to_string()),
            (
                "x-ratelimit-remaining-requests",
                allowance.remaining.to_string(),
            ),
            ("x-ratelimit-reset-requests", reset.clone()),
            ("x-ratelimit-limit-tokens", tokens.to_string()),
            ("x-ratelimit-remaining-tokens", left.to_string()),
            ("x-ratelimit-reset-tokens", reset),
        ]);
    }
    headers
}
