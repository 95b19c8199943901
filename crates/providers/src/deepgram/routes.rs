//! Every path of Deepgram's API and what it is.

use http::Method;

use crate::{
    BodyKind::{Json, Opaque},
    Classified,
    Metering::{Deferred, Free, Measured, Usage},
    RefusedRoute,
    table::{self, Row},
};

/// Paths behind `/v1/`.
#[rustfmt::skip]
const FIRST: &[Row] = &[
    // The sound itself, or JSON that says where it is: the answer states its length either way.
    ("POST", "listen", "listen", Usage, Opaque, false),
    ("POST", "speak", "speak", Usage, Json, true),
    ("POST", "read", "read", Usage, Json, false),
    ("GET", "models/**", "models", Free, Opaque, false),
    ("GET", "auth/token", "auth.token", Free, Opaque, false),
    // A short-lived token: what its holder does passes us by.
    ("POST", "auth/grant", "auth.grant", Deferred, Json, false),
    ("GET", "agent/settings/**", "agent.settings", Free, Opaque, false),
];

/// Paths behind `/v2/`.
#[rustfmt::skip]
const SECOND: &[Row] = &[
    ("POST", "speak", "speak", Usage, Json, true),
];

/// Conversations, with their version.
#[rustfmt::skip]
const SOCKETS: &[Row] = &[
    ("GET", "v1/listen", "listen.live", Usage, Opaque, true),
    ("GET", "v2/listen", "listen.live", Usage, Opaque, true),
    ("GET", "v1/speak", "speak.live", Usage, Opaque, true),
    ("GET", "v2/speak", "speak.live", Usage, Opaque, true),
    // Billed by the time that the connection is open.
    ("GET", "v1/agent/converse", "agent.converse", Measured, Opaque, true),
];

/// Management of the account: no tenant's token reaches it, whatever its key could do.
const MANAGEMENT: RefusedRoute = RefusedRoute {
    forbidden: true,
    code: "management_route_refused",
    message: "The provider's management API is not reachable through the gateway. Keys, projects \
              and costs are managed with the key manager's own API.",
};

const WITHOUT_VERSION: RefusedRoute = RefusedRoute {
    forbidden: false,
    code: "path_without_version",
    message: "Deepgram's paths begin with /v1 or /v2, which its SDKs add themselves: set the SDK's \
              base URL to …/gateway/deepgram.",
};

pub(super) fn classify_socket(path: &str) -> Classified {
    table::find_socket(SOCKETS, path)
}

pub(super) fn classify(method: &Method, path: &str) -> Classified {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    let first = path.strip_prefix("v1/");
    let second = path.strip_prefix("v2/");
    let behind = first.or(second);
    if is_management(behind.unwrap_or(path)) || is_management(path) {
        return Classified::Refuse(MANAGEMENT);
    }
    match (first, second) {
        (Some(behind), _) => Classified::Forward(table::find(FIRST, method, behind)),
        (_, Some(behind)) => Classified::Forward(table::find(SECOND, method, behind)),
        // A base URL with `/v1` of its own leads to two of them.
        _ if table::begins_as(FIRST, path) => Classified::Refuse(WITHOUT_VERSION),
        _ => Classified::Forward(table::UNKNOWN),
    }
}

/// Any spelling that a lenient server might take for a management path.
fn is_management(path: &str) -> bool {
    ["project", "invite", "admin", "oauth"]
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
        for line in include_str!("../../fixtures/deepgram/paths.txt").lines() {
            let mut words = line.split(' ');
            let path = words.next().unwrap();
            for method in words {
                let class = operation(method, path);
                if path.starts_with("/v1/projects") {
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
            "/v1/projects",
            "/v1/Projects/p/keys",
            "/projects/p",
            "/v2/projects",
        ] {
            assert_eq!(
                operation("GET", path),
                Err("management_route_refused"),
                "{path}"
            );
        }
        assert_eq!(operation("POST", "/listen"), Err("path_without_version"));
        assert_eq!(operation("POST", "/v1/brand/new"), Ok("unknown"));
        assert_eq!(operation("POST", "/v1/listen/"), Ok("listen"));
    }
}
