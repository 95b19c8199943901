//! Every path of Hume's APIs and what it is: of the voice platform that ended on 2026-11-13, and
//! of the platform since. No path belongs to both.

use http::Method;

use crate::{
    BodyKind::{Json, Multipart, Opaque},
    Classified,
    Metering::{Deferred, Free, Measured, Usage},
    RefusedRoute,
    table::{self, Row},
};

/// Paths behind `/v0/`: speech, EVI and batches ended with the voice platform.
#[rustfmt::skip]
const ZEROTH: &[Row] = &[
    ("POST", "decisions/file", "decisions.file", Usage, Multipart, false),
    ("POST", "decisions/file/input_tokens", "decisions.input_tokens", Free, Multipart, false),
    ("GET", "decisions/run/**", "decisions.run", Free, Opaque, false),
    ("POST", "tts", "tts", Measured, Json, false),
    ("POST", "tts/file", "tts.file", Measured, Json, true),
    ("POST", "tts/stream/json", "tts.stream", Measured, Json, true),
    ("POST", "tts/stream/file", "tts.stream_file", Measured, Json, true),
    // How long the voice is says nothing but the file.
    ("POST", "tts/voice_conversion/**", "tts.voice_conversion", Deferred, Multipart, true),
    ("*", "tts/voices/**", "tts.voices", Free, Opaque, false),
    ("*", "evi/**", "evi", Free, Opaque, true),
    ("POST", "batch/jobs", "batch.jobs.create", Deferred, Opaque, false),
    ("GET", "batch/jobs/**", "batch.jobs", Free, Opaque, false),
    ("*", "registry/**", "registry", Free, Opaque, false),
];

/// Paths behind `/v1/`.
#[rustfmt::skip]
const FIRST: &[Row] = &[
    ("POST", "expression/audio/file", "expression.audio", Usage, Multipart, false),
    ("POST", "expression/video/file", "expression.video", Usage, Multipart, false),
    ("GET", "expression/run/**", "expression.run", Free, Opaque, false),
];

/// Conversations, with their version.
#[rustfmt::skip]
const SOCKETS: &[Row] = &[
    ("GET", "v1/expression/audio/realtime", "expression.audio.live", Usage, Opaque, true),
    ("GET", "v1/expression/video/realtime", "expression.video.live", Usage, Opaque, true),
    ("GET", "v0/evi/chat", "evi.chat", Measured, Opaque, true),
    ("GET", "v0/tts/stream/input", "tts.live", Measured, Opaque, true),
    ("GET", "v0/stream/models", "stream.models", Deferred, Opaque, true),
];

/// Exchanging keys for tokens is the key manager's own work.
const MANAGEMENT: RefusedRoute = RefusedRoute {
    forbidden: true,
    code: "management_route_refused",
    message: "The provider's token exchange and management API are not reachable through the \
              gateway: use an access token of the key manager in the place of a Hume token.",
};

const WITHOUT_VERSION: RefusedRoute = RefusedRoute {
    forbidden: false,
    code: "path_without_version",
    message: "Hume's paths begin with /v0 or /v1, which its SDKs add themselves: set the SDK's base \
              URL to …/gateway/hume.",
};

pub(super) fn classify_socket(path: &str) -> Classified {
    table::find_socket(SOCKETS, path)
}

pub(super) fn classify(method: &Method, path: &str) -> Classified {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    let zeroth = path.strip_prefix("v0/");
    let first = path.strip_prefix("v1/");
    if is_management(zeroth.or(first).unwrap_or(path)) || is_management(path) {
        return Classified::Refuse(MANAGEMENT);
    }
    match (zeroth, first) {
        (Some(behind), _) => Classified::Forward(table::find(ZEROTH, method, behind)),
        (_, Some(behind)) => Classified::Forward(table::find(FIRST, method, behind)),
        _ if table::begins_as(ZEROTH, path) || table::begins_as(FIRST, path) => {
            Classified::Refuse(WITHOUT_VERSION)
        }
        _ => Classified::Forward(table::UNKNOWN),
    }
}

/// Any spelling that a lenient server might take for such a path.
fn is_management(path: &str) -> bool {
    ["oauth", "organization", "settings", "admin"]
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
    fn every_path_of_the_official_packages_has_a_class() {
        for line in include_str!("../../fixtures/hume/paths.txt").lines() {
            let mut words = line.split(' ');
            let path = words.next().unwrap();
            for method in words {
                let class = operation(method, path);
                if path.starts_with("/oauth2-cc") {
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
            "/oauth2-cc/token",
            "/OAuth2-cc/token",
            "/v0/oauth2-cc/token",
        ] {
            assert_eq!(
                operation("POST", path),
                Err("management_route_refused"),
                "{path}"
            );
        }
        assert_eq!(operation("POST", "/tts"), Err("path_without_version"));
        let expression = operation("POST", "/expression/audio/file");
        assert_eq!(expression, Err("path_without_version"));
        assert_eq!(operation("POST", "/v1/brand/new"), Ok("unknown"));
        assert_eq!(operation("POST", "/v0/tts/"), Ok("tts"));
    }
}
