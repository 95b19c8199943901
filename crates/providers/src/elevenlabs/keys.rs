//! Where ElevenLabs' key stands, and how it is proved.

use diamond_domain::SecretValue;
use http::HeaderName;

use crate::{Answer, KeyVerdict, OutboundRequest, elevenlabs::errors};

pub(super) const API_KEY: HeaderName = HeaderName::from_static("xi-api-key");

/// Costs nothing. A key that is not permitted to list models is answered so, which proves it too.
pub(super) fn validation(key: &SecretValue) -> OutboundRequest {
    authorized(OutboundRequest::get("/v1/models"), key)
}

/// A key without that permission is one all the same.
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
    request.with_secret(API_KEY, key.clone())
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;
    use crate::{
        credential,
        testing::{answer, header_map, word},
    };

    #[test]
    fn a_key_replaces_the_token_wherever_the_sdk_put_it() {
        let placements = crate::elevenlabs::describe::descriptor().placements;
        let headers = header_map(&[("xi-api-key", "dmd_1")]);
        let found = credential::presented(&placements, &headers, None);
        assert_eq!(found.as_deref(), Some("dmd_1"));
        for name in ["single_use_token", "authorization", "token"] {
            let query = format!("model_id=m&{name}=dmd_1");
            let nothing = HeaderMap::new();
            let found = credential::presented(&placements, &nothing, Some(&query));
            assert_eq!(found.as_deref(), Some("dmd_1"), "{name}");
            assert_eq!(credential::without(&placements, &query), "model_id=m");
        }
        let mut headers = header_map(&[("xi-api-key", "dmd_1"), ("accept", "audio/mpeg")]);
        let key = SecretValue::new("sk_real".into());
        credential::place(&placements, &mut headers, &key).unwrap();
        assert_eq!(headers["xi-api-key"], "sk_real");
        assert!(headers["xi-api-key"].is_sensitive());
    }

    #[test]
    fn a_key_is_proved_by_what_it_may_not_do_as_well() {
        let request = validation(&SecretValue::new("sk_real".into()));
        assert_eq!(request.path_and_query, "/v1/models");
        assert!(!format!("{request:?}").contains("sk_real"));
        for (status, body, expected) in [
            (200, "[]", "valid"),
            (
                401,
                include_str!("../../fixtures/elevenlabs/error_missing_permissions.json"),
                "valid",
            ),
            (
                401,
                include_str!("../../fixtures/elevenlabs/error_invalid_api_key.json"),
                "invalid",
            ),
            (503, "", "overloaded"),
        ] {
            let headers = HeaderMap::new();
            let verdict = read_validation(&answer(status, &headers, body.as_bytes()));
            assert_eq!(word(&verdict), expected, "{status} {body}");
        }
    }
}
