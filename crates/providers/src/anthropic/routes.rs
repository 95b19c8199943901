//! Every path of Anthropic's API and what it is.

use http::Method;

use crate::{
    BodyKind::{Json, Multipart, Opaque},
    Classified,
    Metering::{Deferred, Free, Usage},
    RefusedRoute,
    table::{self, Row},
};

/// Paths behind `/v1/`.
#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("POST", "messages", "messages", Usage, Json, true),
    ("POST", "messages/count_tokens", "messages.count_tokens", Free, Json, false),
    ("GET", "models/**", "models", Free, Opaque, false),
    // Each line of a batch states its own usage, in a file that is fetched later.
    ("POST", "messages/batches", "messages.batches.create", Deferred, Json, false),
    ("*", "messages/batches/**", "messages.batches", Free, Opaque, false),
    // The first API; its answers state no usage.
    ("POST", "complete", "complete", Usage, Json, true),
    ("POST", "experimental/*", "prompt_tools", Usage, Json, false),
    ("POST", "files", "files", Free, Multipart, false),
    ("*", "files/**", "files", Free, Opaque, false),
    ("*", "skills/**", "skills", Free, Opaque, false),
    // Agents that run on Anthropic's side: what they use stands in their sessions.
    ("POST", "sessions", "sessions.create", Deferred, Json, false),
    ("POST", "sessions/*/events", "sessions.events", Deferred, Json, false),
    ("GET", "sessions/*/events/stream", "sessions.events.stream", Free, Opaque, true),
    ("*", "sessions/**", "sessions", Free, Opaque, false),
    ("POST", "deployments/*/run", "deployments.run", Deferred, Opaque, false),
    ("*", "deployments/**", "deployments", Free, Opaque, false),
    ("*", "deployment_runs/**", "deployment_runs", Free, Opaque, false),
    ("POST", "dreams", "dreams.create", Deferred, Json, false),
    ("*", "dreams/**", "dreams", Free, Opaque, false),
    ("*", "agents/**", "agents", Free, Opaque, false),
    ("*", "environments/**", "environments", Free, Opaque, false),
    ("*", "memory_stores/**", "memory_stores", Free, Opaque, false),
    ("*", "vaults/**", "vaults", Free, Opaque, false),
    ("*", "tunnels/**", "tunnels", Free, Opaque, false),
    ("*", "user_profiles/**", "user_profiles", Free, Opaque, false),
];

/// Management of the account: no tenant's token reaches it, whatever its key could do.
const MANAGEMENT: RefusedRoute = RefusedRoute {
    forbidden: true,
    code: "management_route_refused",
    message: "The provider's management API is not reachable through the gateway. Keys, \
              workspaces and costs are managed with the key manager's own API.",
};

const WITHOUT_VERSION: RefusedRoute = RefusedRoute {
    forbidden: false,
    code: "path_without_version",
    message: "Anthropic's paths begin with /v1, which its SDKs add themselves: set the SDK's base \
              URL to …/gateway/anthropic.",
};

pub(super) fn classify(method: &Method, path: &str) -> Classified {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    let behind = path.strip_prefix("v1/");
    if is_management(behind.unwrap_or(path)) || is_management(path) {
        return Classified::Refuse(MANAGEMENT);
    }
    match behind {
        Some(behind) => Classified::Forward(table::find(ROWS, method, behind)),
        // A base URL with `/v1` of its own leads to two of them.
        None if table::begins_as(ROWS, path) => Classified::Refuse(WITHOUT_VERSION),
        None => Classified::Forward(table::UNKNOWN),
    }
}

/// Any spelling that a lenient server might take for a management path. Tokens are exchanged under
/// `oauth`.
fn is_management(path: &str) -> bool {
    ["organization", "oauth", "compliance", "admin"]
        .iter()
        .any(|word| table::begins_with_word(path, word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(method: &str, path: &str) -> Result<&'static str, &'static str> {
        match classify(&method.parse().unwrap(), path) {
            Classified::Forward(route) => Ok(route.operation),
            Classified::Refuse(refused) => Err(refused.code),
        }
    }

    #[test]
    fn every_path_of_the_official_package_has_a_class() {
        for line in include_str!("../../fixtures/anthropic/paths.txt").lines() {
            let mut words = line.split(' ');
            let path = words.next().unwrap();
            for method in words {
                let class = operation(method, path);
                if path.starts_with("/v1/organizations") || path.starts_with("/v1/oauth") {
                    assert_eq!(class, Err("management_route_refused"), "{method} {path}");
                } else {
                    assert!(class.is_ok_and(|name| name != "unknown"), "{method} {path}");
                }
            }
        }
    }

    #[test]
    fn ways_around_are_closed() {
        for path in [
            "/v1/organizations/api_keys",
            "/v1/Organizations/me",
            "/v1/organizations;x=1/users",
            "/organizations/users",
            "/v1/oauth/token",
        ] {
            assert_eq!(
                operation("GET", path),
                Err("management_route_refused"),
                "{path}"
            );
        }
        assert_eq!(operation("POST", "/messages"), Err("path_without_version"));
        assert_eq!(operation("POST", "/v1/brand/new"), Ok("unknown"));
        assert_eq!(operation("POST", "/v1/messages/"), Ok("messages"));
    }
}
