//! Where Deepgram's key stands, and how it is proved.

use diamond_domain::SecretValue;
use http::{HeaderMap, header::AUTHORIZATION};

use crate::{
    Answer, KeyVerdict, OutboundRequest, Placement, UnusableKey, credential, deepgram::errors,
};

/// What was granted for a short time is a JWT, and a key is none.
fn scheme(key: &SecretValue) -> &'static str {
    if key.expose().starts_with("eyJ") {
        "Bearer"
    } else {
        "Token"
    }
}

pub(super) fn place_key(
    placements: &[Placement],
    headers: &mut HeaderMap,
    key: &SecretValue,
) -> Result<(), UnusableKey> {
    credential::take_out(placements, headers);
    credential::set(headers, AUTHORIZATION, Some(scheme(key)), key)
}

/// Costs nothing; the documented way to prove a key.
pub(super) fn validation(key: &SecretValue) -> OutboundRequest {
    authorized(OutboundRequest::get("/v1/projects"), key)
}

/// A key that may use the voice interfaces alone may not look at its project, and is one all the
/// same.
pub(super) fn read_validation(answer: &Answer<'_>) -> KeyVerdict {
    if answer.is_success() {
        return KeyVerdict::Valid;
    }
    match errors::classify_failure(answer) {
        KeyVerdict::MissingScope { .. } => KeyVerdict::Valid,
        verdict => verdict,
    }
}

/// Normal and management keys stand in the same place.
pub(super) fn authorized(request: OutboundRequest, key: &SecretValue) -> OutboundRequest {
    let text = format!("{} {}", scheme(key), key.expose());
    request.with_secret(AUTHORIZATION, SecretValue::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{answer, header_map, word};

    #[test]
    fn a_key_replaces_the_token_wherever_the_sdk_put_it() {
        let placements = crate::deepgram::describe::descriptor().placements;
        for (name, value) in [
            ("authorization", "Token dmd_1"),
            ("authorization", "bearer dmd_1"),
            ("sec-websocket-protocol", "token, dmd_1"),
            ("sec-websocket-protocol", "bearer,dmd_1"),
        ] {
            let mut headers = header_map(&[(name, value)]);
            let found = credential::presented(&placements, &headers, None);
            assert_eq!(found.as_deref(), Some("dmd_1"), "{value}");
            for (key, expected) in [("0a1b", "Token 0a1b"), ("eyJ.x.y", "Bearer eyJ.x.y")] {
                let key = SecretValue::new(key.into());
                place_key(&placements, &mut headers, &key).unwrap();
                assert_eq!(headers[AUTHORIZATION], expected);
                assert!(headers[AUTHORIZATION].is_sensitive());
                assert!(!format!("{headers:?}").contains("dmd_1"));
            }
        }
    }

    #[test]
    fn a_key_is_proved_by_what_it_may_not_do_as_well() {
        let request = validation(&SecretValue::new("0a1b2c".into()));
        assert!(!format!("{request:?}").contains("0a1b2c"));
        for (status, body, expected) in [
            (200, "{}", "valid"),
            (
                403,
                include_str!("../../fixtures/deepgram/error_insufficient_permissions.json"),
                "valid",
            ),
            (
                401,
                include_str!("../../fixtures/deepgram/error_invalid_auth.json"),
                "invalid",
            ),
            (504, "upstream failed", "overloaded"),
        ] {
            let headers = HeaderMap::new();
            let verdict = read_validation(&answer(status, &headers, body.as_bytes()));
            assert_eq!(word(&verdict), expected, "{status} {body}");
        }
    }
}
