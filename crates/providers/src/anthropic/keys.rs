//! Where Anthropic's key stands, and how it is proved.

use diamond_domain::SecretValue;
use http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};

use crate::{OutboundRequest, Placement, UnusableKey, credential};

pub(super) const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const VERSION: HeaderName = HeaderName::from_static("anthropic-version");
const BETA: HeaderName = HeaderName::from_static("anthropic-beta");
/// What a token in `authorization` must be announced by.
const OAUTH_BETA: &str = "oauth-2025-04-20";
/// A key that may work in several workspaces is told by this which one pays. The key alone decides
/// that here, so a caller must not.
const WORKSPACE: HeaderName = HeaderName::from_static("anthropic-workspace-id");

pub(super) fn place_key(
    placements: &[Placement],
    headers: &mut HeaderMap,
    key: &SecretValue,
) -> Result<(), UnusableKey> {
    headers.remove(WORKSPACE);
    if !is_access_token(key) {
        return credential::place(placements, headers, key);
    }
    credential::take_out(placements, headers);
    credential::set(headers, AUTHORIZATION, Some("Bearer"), key)?;
    let announced = headers
        .get_all(BETA)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|beta| beta.trim() == OAUTH_BETA);
    if !announced {
        headers.append(BETA, HeaderValue::from_static(OAUTH_BETA));
    }
    Ok(())
}

/// A federated identity's token: it is a bearer, not a key.
fn is_access_token(key: &SecretValue) -> bool {
    key.expose().starts_with("sk-ant-oat")
}

/// Listing models costs nothing.
pub(super) fn validation(key: &SecretValue) -> OutboundRequest {
    authorized(OutboundRequest::get("/v1/models?limit=1"), key)
}

/// Normal and management keys stand in the same place.
pub(super) fn authorized(request: OutboundRequest, key: &SecretValue) -> OutboundRequest {
    let request = request.with_header(VERSION, "2023-06-01");
    if is_access_token(key) {
        let bearer = SecretValue::new(format!("Bearer {}", key.expose()));
        request
            .with_header(BETA, OAUTH_BETA)
            .with_secret(AUTHORIZATION, bearer)
    } else {
        request.with_secret(API_KEY, key.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::header_map;

    fn placed(key: &str, pairs: &[(&'static str, &str)]) -> HeaderMap {
        let placements = crate::anthropic::describe::descriptor().placements;
        let mut headers = header_map(pairs);
        place_key(&placements, &mut headers, &SecretValue::new(key.into())).unwrap();
        headers
    }

    #[test]
    fn a_key_replaces_the_token_wherever_the_sdk_put_it() {
        for caller in [("x-api-key", "dmd_1"), ("authorization", "Bearer dmd_1")] {
            let headers = placed("sk-ant-api03-x", &[caller, ("anthropic-workspace-id", "w")]);
            assert_eq!(headers, header_map(&[("x-api-key", "sk-ant-api03-x")]));
            assert!(headers[API_KEY].is_sensitive());
        }
    }

    #[test]
    fn a_federated_token_is_a_bearer_and_announced_once() {
        let headers = placed("sk-ant-oat01-x", &[("x-api-key", "dmd_1")]);
        let expected = [
            ("authorization", "Bearer sk-ant-oat01-x"),
            ("anthropic-beta", OAUTH_BETA),
        ];
        assert_eq!(headers, header_map(&expected));
        let beta = ("anthropic-beta", "files-api-2025-04-14, oauth-2025-04-20");
        let headers = placed("sk-ant-oat01-x", &[("x-api-key", "dmd_1"), beta]);
        assert_eq!(headers.get_all(BETA).iter().count(), 1);
    }

    #[test]
    fn validation_shows_its_key_to_nobody() {
        for key in ["sk-ant-api03-x", "sk-ant-oat01-x"] {
            let request = validation(&SecretValue::new(key.into()));
            assert!(!format!("{request:?}").contains(key));
        }
    }
}
