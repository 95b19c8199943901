//! What OpenAI's failures say about the key, and our own errors in its shape.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, header::RETRY_AFTER};
use serde::{Deserialize, Serialize};

use crate::{ErrorAnswer, Fault, KeyVerdict, OwnError};

#[derive(Deserialize, Default)]
struct ErrorBody {
    #[serde(default)]
    error: ErrorObject,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ErrorObject {
    code: Option<serde_json::Value>,
    #[serde(rename = "type")]
    kind: Option<String>,
    message: Option<String>,
}

/// Codes that mean that an account has no money or quota left, whatever the status.
const EXHAUSTED: [&str; 5] = [
    "insufficient_quota",
    "credit_balance_exhausted",
    "organization_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
    "project_spend_limit_exceeded",
];

pub(super) fn classify_failure(status: u16, headers: &HeaderMap, body: &[u8]) -> KeyVerdict {
    let error = serde_json::from_slice::<ErrorBody>(body)
        .unwrap_or_default()
        .error;
    let code = error
        .code
        .as_ref()
        .and_then(|code| code.as_str())
        .unwrap_or("");
    let kind = error.kind.as_deref().unwrap_or("");
    let message = error.message.as_deref().unwrap_or("");
    // Seen with 401 and with 403; the key is known and may do other things.
    if message.contains("Missing scopes") {
        return KeyVerdict::ValidWithoutScope;
    }
    if EXHAUSTED.contains(&code) {
        return KeyVerdict::Exhausted {
            reason: code.to_owned(),
        };
    }
    match (status, code) {
        (401, "invalid_api_key" | "account_deactivated") => KeyVerdict::Invalid {
            reason: code.to_owned(),
        },
        (429, "rate_limit_exceeded" | "slow_down") => limited(headers),
        // `type` says insufficient_quota for every kind of limit; alone it decides only when
        // there is no code.
        (429, "") if kind == "insufficient_quota" => KeyVerdict::Exhausted {
            reason: kind.to_owned(),
        },
        (429, _) => limited(headers),
        (503, _) => limited(headers),
        (200..=299, _) => KeyVerdict::Valid,
        // The key was recognised before these could be said.
        (400 | 404 | 409 | 413 | 422, _) => KeyVerdict::Unclear {
            reason: format!("status {status} speaks of the request, not of the key"),
        },
        (401 | 403, _) => KeyVerdict::Unclear {
            // An address that is not allowed, a country, a member who left: not the key's end.
            reason: format!("status {status}, code `{code}`"),
        },
        _ => KeyVerdict::Unclear {
            reason: format!("status {status}"),
        },
    }
}

fn limited(headers: &HeaderMap) -> KeyVerdict {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let milliseconds = text("retry-after-ms")
        .and_then(|value| value.trim().parse().ok())
        .map(Duration::from_millis);
    let seconds = || {
        text(RETRY_AFTER.as_str())
            .and_then(|value| value.trim().parse().ok())
            .map(Duration::from_secs)
    };
    KeyVerdict::Limited {
        retry_after: milliseconds.or_else(seconds),
    }
}

#[derive(Serialize)]
struct OwnBody<'a> {
    error: OwnObject<'a>,
}

#[derive(Serialize)]
struct OwnObject<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    param: Option<&'static str>,
    code: &'static str,
}

pub(super) fn own_error(error: &OwnError) -> ErrorAnswer {
    let kind = match error.fault {
        Fault::Unauthenticated => "authentication_error",
        Fault::Forbidden => "permission_error",
        Fault::PaymentRequired | Fault::Limited => "insufficient_quota",
        Fault::BadGateway | Fault::Unavailable | Fault::GatewayTimeout => {
            "service_unavailable_error"
        }
        Fault::Internal => "server_error",
        Fault::BadRequest
        | Fault::NotFound
        | Fault::Conflict
        | Fault::TooLarge
        | Fault::UnsupportedMedia => "invalid_request_error",
    };
    // OpenAI's SDKs repeat 408, 409, 429 and 5xx; these of ours do not pass by waiting.
    let no_retry = matches!(
        error.fault,
        Fault::Limited | Fault::Conflict | Fault::Internal
    );
    let body = OwnBody {
        error: OwnObject {
            message: &error.message,
            kind,
            param: None,
            code: error.code,
        },
    };
    ErrorAnswer {
        status: error.fault.status(),
        content_type: "application/json",
        headers: if no_retry {
            vec![("x-should-retry", "false")]
        } else {
            Vec::new()
        },
        body: serde_json::to_vec(&body)
            .map(Bytes::from)
            .unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_decides_never_the_status_alone() {
        let headers = HeaderMap::new();
        let verdict = |status, body: &str| classify_failure(status, &headers, body.as_bytes());
        let with_code = |code: &str| {
            format!(r#"{{"error":{{"message":"m","type":"insufficient_quota","code":"{code}"}}}}"#)
        };
        for code in EXHAUSTED {
            assert!(matches!(
                verdict(429, &with_code(code)),
                KeyVerdict::Exhausted { .. }
            ));
        }
        for code in ["rate_limit_exceeded", "slow_down"] {
            assert!(matches!(
                verdict(429, &with_code(code)),
                KeyVerdict::Limited { .. }
            ));
        }
        let scopes = include_str!("../../fixtures/openai/error_missing_scopes.json");
        for status in [401, 403] {
            assert_eq!(verdict(status, scopes), KeyVerdict::ValidWithoutScope);
        }
        let invalid = include_str!("../../fixtures/openai/error_invalid_api_key.json");
        assert!(matches!(verdict(401, invalid), KeyVerdict::Invalid { .. }));
        for (status, body) in [
            (
                401,
                r#"{"error":{"message":"Your IP is not authorized","code":"ip_not_authorized"}}"#,
            ),
            (403, r#"{"error":{"message":"Country not supported"}}"#),
            (401, "a proxy's page"),
            (500, "{}"),
        ] {
            assert!(
                matches!(verdict(status, body), KeyVerdict::Unclear { .. }),
                "{body}"
            );
        }
    }

    #[test]
    fn the_pause_is_read_from_the_headers() {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", "20".parse().unwrap());
        let body = br#"{"error":{"code":"rate_limit_exceeded"}}"#;
        let pause = |headers: &HeaderMap| classify_failure(429, headers, body);
        let after = |retry_after| KeyVerdict::Limited { retry_after };
        assert_eq!(pause(&headers), after(Some(Duration::from_secs(20))));
        headers.insert("retry-after-ms", "150".parse().unwrap());
        assert_eq!(pause(&headers), after(Some(Duration::from_millis(150))));
        assert_eq!(pause(&HeaderMap::new()), after(None));
    }

    #[test]
    fn our_errors_have_openais_shape() {
        let answer = own_error(&OwnError {
            fault: Fault::Unauthenticated,
            code: "unknown_token",
            message: "a \"quoted\" word".into(),
        });
        assert_eq!(answer.status, 401);
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        let expected = serde_json::json!({"error": {
            "message": "a \"quoted\" word", "type": "authentication_error",
            "param": null, "code": "unknown_token",
        }});
        assert_eq!(body, expected);
    }
}
