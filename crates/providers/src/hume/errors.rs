//! What Hume's failures say about the key, and our own errors in its shape.
//!
//! Facts are from its pages on authentication and errors (dev.hume.ai). What its gateway refuses
//! has a message alone, what its services refuse has a code. Only a request that brought a key is
//! given a name when it is refused: a 401 without one was refused for having none.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{Answer, ErrorAnswer, KeyVerdict, LimitScope, OwnError};

#[derive(Deserialize, Default)]
#[serde(default)]
struct ErrorBody {
    code: Option<String>,
    message: Option<String>,
    request_id: Option<String>,
}

pub(super) fn classify_failure(answer: &Answer<'_>) -> KeyVerdict {
    let body = serde_json::from_slice::<ErrorBody>(answer.body).unwrap_or_default();
    let code = body.code.as_deref().unwrap_or("");
    let understood = body.code.is_some() || body.message.is_some();
    let reason = || {
        if code.is_empty() {
            format!("status {}", answer.status)
        } else {
            code.to_owned()
        }
    };
    let scope = LimitScope::Organization;
    match (code, answer.status) {
        // A run that goes on is told to wait by this, whatever the status.
        ("server_busy" | "internal_error", _) | (_, 500..=599) => KeyVerdict::Overloaded {
            until: answer.retry_after(),
        },
        ("rate_limited", _) | (_, 429) => KeyVerdict::Limited {
            until: answer.retry_after(),
            scope,
        },
        ("forbidden", _) => KeyVerdict::MissingScope { reason: reason() },
        ("", 200..=299) => KeyVerdict::Valid,
        (_, 401) if body.request_id.is_some() => KeyVerdict::Invalid { reason: reason() },
        // How an empty account is refused is said nowhere; by its meaning it is this.
        (_, 402) => KeyVerdict::Exhausted {
            reason: reason(),
            until: None,
            scope,
        },
        (_, 403) if understood => KeyVerdict::Blocked { reason: reason() },
        (_, 400 | 404 | 405 | 409 | 413 | 415 | 422) => KeyVerdict::BadRequest { reason: reason() },
        _ => KeyVerdict::Unclear { reason: reason() },
    }
}

#[derive(Serialize)]
struct OwnBody<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    code: &'static str,
    message: &'a str,
    request_id: Option<&'static str>,
}

pub(super) fn own_error(error: &OwnError) -> ErrorAnswer {
    let body = OwnBody {
        kind: "error",
        code: error.code,
        message: &error.message,
        request_id: None,
    };
    ErrorAnswer {
        status: error.fault.status(),
        content_type: "application/json",
        // Its SDKs look at no header before they try again.
        headers: Vec::new(),
        body: serde_json::to_vec(&body)
            .map(Bytes::from)
            .unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Fault,
        testing::{answer, header_map, word},
    };

    fn verdict(status: u16, headers: &[(&'static str, &str)], body: &str) -> KeyVerdict {
        classify_failure(&answer(status, &header_map(headers), body.as_bytes()))
    }

    #[test]
    fn every_row_of_the_table() {
        let coded = |code: &str| {
            format!(r#"{{"type":"error","code":"{code}","message":"m","request_id":"r"}}"#)
        };
        for (status, body, expected) in [
            (
                401,
                r#"{"message":"Unauthorized","request_id":"r"}"#.to_owned(),
                "invalid",
            ),
            // No key was sent.
            (401, r#"{"message":"Unauthorized"}"#.to_owned(), "unclear"),
            (403, coded("forbidden"), "missing_scope"),
            (403, r#"{"message":"blocked"}"#.to_owned(), "blocked"),
            (403, "a proxy's page".to_owned(), "unclear"),
            (402, coded("payment_required"), "exhausted"),
            (
                429,
                r#"{"message":"API rate limit exceeded"}"#.to_owned(),
                "limited",
            ),
            (429, coded("rate_limited"), "limited"),
            (429, coded("server_busy"), "overloaded"),
            (503, coded("server_busy"), "overloaded"),
            (200, coded("server_busy"), "overloaded"),
            (400, coded("config_invalid"), "bad_request"),
            (
                404,
                r#"{"message":"no Route matched with those values"}"#.to_owned(),
                "bad_request",
            ),
            (415, coded("unsupported_media_type"), "bad_request"),
            (500, String::new(), "overloaded"),
        ] {
            assert_eq!(
                word(&verdict(status, &[], &body)),
                expected,
                "{status} {body}"
            );
        }
        let paused = verdict(429, &[("retry-after", "7")], "");
        let until = "2026-11-28T10:00:07Z".parse().ok();
        let scope = LimitScope::Organization;
        assert_eq!(paused, KeyVerdict::Limited { until, scope });
    }

    #[test]
    fn our_errors_have_humes_shape() {
        let answer = own_error(&OwnError {
            fault: Fault::Forbidden,
            code: "scope_missing",
            message: "a \"quoted\" word".into(),
        });
        assert_eq!(answer.status, 403);
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        let expected = serde_json::json!({"type": "error", "code": "scope_missing",
            "message": "a \"quoted\" word", "request_id": null});
        assert_eq!(body, expected);
    }
}
