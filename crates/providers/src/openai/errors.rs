//! What OpenAI's failures say about the key, and our own errors in its shape.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{Answer, ErrorAnswer, Fault, KeyVerdict, LimitScope, OwnError};

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

/// Codes that mean that money or quota is used up, whatever the status, and how far that reaches.
const EXHAUSTED: [(&str, LimitScope); 5] = [
    ("insufficient_quota", LimitScope::Organization),
    ("credit_balance_exhausted", LimitScope::Organization),
    (
        "organization_spend_limit_exceeded",
        LimitScope::Organization,
    ),
    (
        "organization_usage_limit_exceeded",
        LimitScope::Organization,
    ),
    ("project_spend_limit_exceeded", LimitScope::Project),
];

pub(super) fn classify_failure(answer: &Answer<'_>) -> KeyVerdict {
    let error = serde_json::from_slice::<ErrorBody>(answer.body)
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
        return KeyVerdict::MissingScope {
            reason: "Missing scopes".to_owned(),
        };
    }
    let exhausted = EXHAUSTED.iter().find(|(known, _)| *known == code);
    if let Some((_, scope)) = exhausted {
        return KeyVerdict::Exhausted {
            reason: code.to_owned(),
            until: None,
            scope: *scope,
        };
    }
    match (answer.status, code) {
        (401, "invalid_api_key" | "account_deactivated") => KeyVerdict::Invalid {
            reason: code.to_owned(),
        },
        // `type` says insufficient_quota for every kind of limit; alone it decides only when
        // there is no code.
        (429, "") if kind == "insufficient_quota" => KeyVerdict::Exhausted {
            reason: kind.to_owned(),
            until: None,
            scope: LimitScope::Organization,
        },
        // Rates are counted by project and model within the organisation.
        (429, _) => KeyVerdict::Limited {
            until: answer.retry_after(),
            scope: LimitScope::Project,
        },
        (500 | 502 | 503 | 504, _) => KeyVerdict::Overloaded {
            until: answer.retry_after(),
        },
        (200..=299, _) => KeyVerdict::Valid,
        // The key was recognised before these could be said.
        (400 | 404 | 409 | 413 | 415 | 422, _) => KeyVerdict::BadRequest {
            reason: format!("status {} {code}", answer.status)
                .trim_end()
                .to_owned(),
        },
        (401 | 403, code) if !code.is_empty() || !message.is_empty() => KeyVerdict::Blocked {
            // An address that is not allowed, a country, a member who left: not the key's end.
            reason: if code.is_empty() {
                format!("status {}", answer.status)
            } else {
                code.to_owned()
            },
        },
        _ => KeyVerdict::Unclear {
            reason: format!("status {}", answer.status),
        },
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
        headers: error.no_retry_header(),
        body: serde_json::to_vec(&body)
            .map(Bytes::from)
            .unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(status: u16, body: &str) -> KeyVerdict {
        classify_failure(&Answer {
            status,
            headers: &http::HeaderMap::new(),
            body: body.as_bytes(),
            now: jiff::Timestamp::UNIX_EPOCH,
        })
    }

    #[test]
    fn the_code_decides_never_the_status_alone() {
        let with_code = |code: &str| {
            format!(r#"{{"error":{{"message":"m","type":"insufficient_quota","code":"{code}"}}}}"#)
        };
        for (code, expected) in EXHAUSTED {
            let found = verdict(429, &with_code(code));
            assert!(
                matches!(found, KeyVerdict::Exhausted { scope, .. } if scope == expected),
                "{code}"
            );
        }
        for code in ["rate_limit_exceeded", "slow_down"] {
            assert!(matches!(
                verdict(429, &with_code(code)),
                KeyVerdict::Limited { .. }
            ));
        }
        let scopes = include_str!("../../fixtures/openai/error_missing_scopes.json");
        for status in [401, 403] {
            assert!(matches!(
                verdict(status, scopes),
                KeyVerdict::MissingScope { .. }
            ));
        }
        let invalid = include_str!("../../fixtures/openai/error_invalid_api_key.json");
        assert!(matches!(verdict(401, invalid), KeyVerdict::Invalid { .. }));
        for (status, body) in [
            (
                401,
                r#"{"error":{"message":"Your IP is not authorized","code":"ip_not_authorized"}}"#,
            ),
            (403, r#"{"error":{"message":"Country not supported"}}"#),
        ] {
            assert!(
                matches!(verdict(status, body), KeyVerdict::Blocked { .. }),
                "{body}"
            );
        }
        assert!(matches!(
            verdict(401, "a proxy's page"),
            KeyVerdict::Unclear { .. }
        ));
        let overloaded = r#"{"error":{"code":"server_is_overloaded"}}"#;
        assert!(matches!(
            verdict(503, overloaded),
            KeyVerdict::Overloaded { until: None }
        ));
        assert!(matches!(
            verdict(400, r#"{"error":{"code":"invalid_value"}}"#),
            KeyVerdict::BadRequest { .. }
        ));
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
