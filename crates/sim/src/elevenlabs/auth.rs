//! Where a key stands, what it opens, and the headers of every answer.

use crate::{
    desk::{Access, Head, Route},
    keys::{Key, KeyKind},
    request::Request,
    socket,
};

/// The value of the key. A token in the query wins: whoever sends one means it.
pub(super) fn credential(request: &Request) -> Option<String> {
    let token = request
        .query("token")
        .or_else(|| request.query("single_use_token"));
    let value = token.or_else(|| request.header("xi-api-key"));
    // A WebSocket takes it in its address too.
    let value = value.or_else(|| {
        let socket = socket::is_asked_for(request);
        request.query("authorization").filter(|_| socket)
    });
    value.map(str::to_owned)
}

/// No permissions means all of them; a token opens the one thing that it was made for.
pub(super) fn permits(key: &Key, route: &Route) -> bool {
    let held = |scope: &str| key.scopes.iter().any(|held| held == scope);
    let allowed = route.scope.is_empty() || key.scopes.is_empty() || held(route.scope);
    match (key.kind, route.access) {
        (KeyKind::Ephemeral, _) => match route.operation {
            "speech_to_text" => held("batch_scribe"),
            "text_to_speech.live" => held("tts_websocket"),
            _ => false,
        },
        (KeyKind::Project, Access::Admin) => false,
        (KeyKind::Project | KeyKind::Admin, _) => allowed,
    }
}

/// The headers of every answer.
pub(super) fn head(head: &Head<'_>) -> Vec<(&'static str, String)> {
    let mut headers = vec![("request-id", head.request_id.to_owned())];
    if let Some((running, most)) = head.crowd {
        headers.push(("current-concurrent-requests", running.to_string()));
        headers.push(("maximum-concurrent-requests", most.to_string()));
    }
    headers
}
