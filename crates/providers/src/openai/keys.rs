//! Where OpenAI's key stands, and how it is proved.

use bytes::Bytes;
use diamond_domain::SecretValue;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{AUTHORIZATION, COOKIE},
};

use crate::{OutboundRequest, UnusableKey};

/// These select whose account pays. The key alone decides that here, so a caller must not.
const BILLING_SCOPE: [HeaderName; 2] = [
    HeaderName::from_static("openai-organization"),
    HeaderName::from_static("openai-project"),
];

pub(super) fn presented_token(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

pub(super) fn place_key(headers: &mut HeaderMap, key: &SecretValue) -> Result<(), UnusableKey> {
    for name in BILLING_SCOPE {
        headers.remove(name);
    }
    headers.remove(COOKIE);
    let mut text = Vec::with_capacity("Bearer ".len() + key.expose().len());
    text.extend_from_slice(b"Bearer ");
    text.extend_from_slice(key.expose().as_bytes());
    let mut value = HeaderValue::from_maybe_shared(Bytes::from(text)).map_err(|_| UnusableKey)?;
    value.set_sensitive(true);
    headers.insert(AUTHORIZATION, value);
    Ok(())
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
    use super::*;

    #[test]
    fn the_callers_credential_and_billing_scope_give_way_to_the_key() {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_static("bearer dmd_caller"));
        headers.insert("openai-organization", HeaderValue::from_static("org-other"));
        headers.insert("openai-project", HeaderValue::from_static("proj-other"));
        assert_eq!(presented_token(&headers), Some("dmd_caller"));
        place_key(&mut headers, &SecretValue::new("sk-real".into())).unwrap();
        assert_eq!(headers.len(), 1);
        assert_eq!(headers[AUTHORIZATION], "Bearer sk-real");
        assert!(headers[AUTHORIZATION].is_sensitive());
    }

    #[test]
    fn a_key_with_a_line_end_is_refused() {
        let key = SecretValue::new("sk\r\nx: y".into());
        assert_eq!(place_key(&mut HeaderMap::new(), &key), Err(UnusableKey));
    }

    #[test]
    fn validation_shows_its_key_to_nobody() {
        let request = validation(&SecretValue::new("sk-real".into()));
        assert!(!format!("{request:?}").contains("sk-real"));
    }
}
