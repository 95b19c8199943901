//! Where OpenAI's key stands, and how it is proved.

use diamond_domain::SecretValue;
use http::{HeaderMap, HeaderName, header::AUTHORIZATION};

use crate::{OutboundRequest, Placement, UnusableKey, credential};

/// These select whose account pays. The key alone decides that here, so a caller must not.
const BILLING_SCOPE: [HeaderName; 2] = [
    HeaderName::from_static("openai-organization"),
    HeaderName::from_static("openai-project"),
];

pub(super) fn place_key(
    placements: &[Placement],
    headers: &mut HeaderMap,
    key: &SecretValue,
) -> Result<(), UnusableKey> {
    for name in BILLING_SCOPE {
        headers.remove(name);
    }
    credential::place(placements, headers, key)
}

/// Listing models costs nothing and asks for no parameter.
pub(super) fn validation(key: &SecretValue) -> OutboundRequest {
    OutboundRequest::get("/v1/models").with_secret(AUTHORIZATION, bearer(key))
}

/// Normal and management keys stand in the same place.
pub(super) fn bearer(key: &SecretValue) -> SecretValue {
    SecretValue::new(format!("Bearer {}", key.expose()))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_callers_credential_and_billing_scope_give_way_to_the_key() {
        let placements = crate::openai::describe::descriptor().placements;
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_static("bearer dmd_caller"));
        headers.insert("openai-organization", HeaderValue::from_static("org-other"));
        headers.insert("openai-project", HeaderValue::from_static("proj-other"));
        let presented = credential::presented(&placements, &headers, None);
        assert_eq!(presented.as_deref(), Some("dmd_caller"));
        let key = SecretValue::new("sk-real".into());
        place_key(&placements, &mut headers, &key).unwrap();
        assert_eq!(headers.len(), 1);
        assert_eq!(headers[AUTHORIZATION], "Bearer sk-real");
        assert!(headers[AUTHORIZATION].is_sensitive());
    }

    #[test]
    fn validation_shows_its_key_to_nobody() {
        let request = validation(&SecretValue::new("sk-real".into()));
        assert!(!format!("{request:?}").contains("sk-real"));
    }
}
