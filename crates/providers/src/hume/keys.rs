//! Where Hume's key stands, how it is proved, and how the voice platform exchanges it for a token.
//!
//! The voice platform's credential was a pair. It is put as `KEY:SECRET`; the secret serves the
//! exchange alone and goes nowhere else. The present platform has keys only.

use base64::{Engine, engine::general_purpose::STANDARD};
use diamond_domain::SecretValue;
use http::{HeaderMap, HeaderName, Method, header::AUTHORIZATION, header::CONTENT_TYPE};
use jiff::SignedDuration;
use serde::Deserialize;

use crate::{
    Answer, Effect, KeyVerdict, ManagementError, OutboundRequest, Placement, ShortLived,
    ShortLivedSpec, Step, UnusableKey, credential, hume::errors,
};

const API_KEY: HeaderName = HeaderName::from_static("x-hume-api-key");

/// The key without its secret.
fn key_alone(key: &SecretValue) -> SecretValue {
    let text = key.expose();
    let alone = text.split_once(':').map_or(text, |(alone, _)| alone);
    SecretValue::new(alone.to_owned())
}

pub(super) fn place_key(
    placements: &[Placement],
    headers: &mut HeaderMap,
    key: &SecretValue,
) -> Result<(), UnusableKey> {
    // The platform refuses a request with more than one credential.
    credential::take_out(placements, headers);
    credential::set(headers, API_KEY, None, &key_alone(key))
}

/// Costs nothing. Decisions have a list of their own; a key that may not see this one is answered
/// so.
pub(super) fn validation(key: &SecretValue) -> OutboundRequest {
    OutboundRequest::get("/v1/expression/run").with_secret(API_KEY, key_alone(key))
}

/// A key without that permission is one all the same; a host that has no such list says nothing.
pub(super) fn read_validation(answer: &Answer<'_>) -> KeyVerdict {
    if answer.is_success() {
        return KeyVerdict::Valid;
    }
    match errors::classify_failure(answer) {
        KeyVerdict::MissingScope { .. } => KeyVerdict::Valid,
        KeyVerdict::BadRequest { reason } => KeyVerdict::Unclear { reason },
        verdict => verdict,
    }
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
    /// In seconds.
    expires_in: i64,
}

/// A token for half an hour, for a key and its secret (OAuth 2.0, client credentials). The present
/// platform has no such exchange.
pub(super) fn short_lived(
    key: &SecretValue,
    spec: &ShortLivedSpec,
) -> Result<Step<ShortLived>, ManagementError> {
    if !matches!(spec.kind.as_deref(), None | Some("voice")) {
        return Err(ManagementError::NotPossible {
            reason: "Hume's short-lived tokens are of the kind `voice`",
        });
    }
    if !key.expose().contains(':') {
        return Err(ManagementError::NotPossible {
            reason: "Hume exchanges a key for a token only with its secret: put it as KEY:SECRET",
        });
    }
    let basic = format!("Basic {}", STANDARD.encode(key.expose()));
    let mut request = OutboundRequest::new(Method::POST, "/oauth2-cc/token")
        .with_header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .with_secret(AUTHORIZATION, SecretValue::new(basic));
    request.body = "grant_type=client_credentials".into();
    Ok(Step::ask(request, Effect::Repeatable, |answer| {
        if !answer.is_success() {
            return Err(ManagementError::of(
                errors::classify_failure(answer),
                answer,
            ));
        }
        let token: Token = answer.json()?;
        let length = SignedDuration::from_secs(token.expires_in);
        let expires_at =
            answer
                .now
                .checked_add(length)
                .map_err(|_| ManagementError::Unreadable {
                    reason: "a time is out of range".to_owned(),
                })?;
        Ok(Step::Done(ShortLived {
            value: SecretValue::new(token.access_token),
            expires_at,
            single_use: false,
        }))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{answer, carry, header_map, word};

    #[test]
    fn a_key_replaces_the_token_and_its_secret_stays_here() {
        let placements = crate::hume::describe::descriptor().placements;
        let key = SecretValue::new("hk-1:hs-1".into());
        for caller in [
            ("x-hume-api-key", "dmd_1"),
            ("authorization", "Bearer dmd_1"),
        ] {
            let mut headers = header_map(&[caller]);
            let found = credential::presented(&placements, &headers, None);
            assert_eq!(found.as_deref(), Some("dmd_1"));
            place_key(&placements, &mut headers, &key).unwrap();
            assert_eq!(headers, header_map(&[("x-hume-api-key", "hk-1")]));
            assert!(headers[API_KEY].is_sensitive());
        }
        for name in ["api_key", "access_token"] {
            let query = format!("{name}=dmd_1&config_id=c");
            let nothing = HeaderMap::new();
            let found = credential::presented(&placements, &nothing, Some(&query));
            assert_eq!(found.as_deref(), Some("dmd_1"));
            assert_eq!(credential::without(&placements, &query), "config_id=c");
        }
        let request = validation(&key);
        assert!(!format!("{request:?}").contains("hk-1"));
    }

    #[test]
    fn a_key_is_proved_by_what_it_may_not_do_as_well() {
        for (status, body, expected) in [
            (200, "{}", "valid"),
            (
                403,
                r#"{"type":"error","code":"forbidden","message":"m","request_id":"r"}"#,
                "valid",
            ),
            (
                401,
                r#"{"message":"Unauthorized","request_id":"r"}"#,
                "invalid",
            ),
            // A host of the voice platform.
            (
                404,
                r#"{"message":"no Route matched with those values"}"#,
                "unclear",
            ),
        ] {
            let headers = HeaderMap::new();
            let verdict = read_validation(&answer(status, &headers, body.as_bytes()));
            assert_eq!(word(&verdict), expected, "{status} {body}");
        }
    }

    #[test]
    fn a_pair_is_exchanged_for_a_token() {
        let spec = ShortLivedSpec::default();
        let pair = SecretValue::new("hk-1:hs-1".into());
        let step = short_lived(&pair, &spec).unwrap();
        let Step::Ask(ask) = &step else {
            panic!("it asks")
        };
        let basic = ask.request.headers.iter().find_map(|(_, text)| match text {
            crate::HeaderText::Secret(secret) => Some(secret.expose().to_owned()),
            crate::HeaderText::Plain(_) => None,
        });
        // base64 of `hk-1:hs-1`
        assert_eq!(basic.as_deref(), Some("Basic aGstMTpocy0x"));
        let good = r#"{"access_token":"t_1","token_type":"Bearer","expires_in":1800}"#;
        let (asked, token) = carry(step, &[(200, good)]);
        assert_eq!(
            asked,
            ["POST /oauth2-cc/token grant_type=client_credentials"]
        );
        let token = token.unwrap();
        assert_eq!(token.value.expose(), "t_1");
        assert_eq!(token.expires_at, "2026-11-28T10:30:00Z".parse().unwrap());
        let alone = short_lived(&SecretValue::new("hk-1".into()), &spec);
        assert!(matches!(alone, Err(ManagementError::NotPossible { .. })));
        let wrong = carry(
            short_lived(&pair, &spec).unwrap(),
            &[(401, r#"{"message":"Unauthorized","request_id":"r"}"#)],
        );
        assert!(matches!(
            wrong.1,
            Err(ManagementError::Credential(KeyVerdict::Invalid { .. }))
        ));
    }
}
