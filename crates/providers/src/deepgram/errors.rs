//! What Deepgram's failures say about the key, and our own errors in its shape.
//!
//! Facts are from its API description (July 2026) and its page on errors. There are three shapes:
//! an older one with `err_code`, a newer one with `category`, and plain text; of a refused
//! WebSocket only the header `dg-error` may speak.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{Answer, ErrorAnswer, KeyVerdict, LimitScope, OwnError};

#[derive(Deserialize, Default)]
#[serde(default)]
struct ErrorBody {
    err_code: Option<String>,
    category: Option<String>,
}

pub(super) fn classify_failure(answer: &Answer<'_>) -> KeyVerdict {
    let body = serde_json::from_slice::<ErrorBody>(answer.body).unwrap_or_default();
    let code = body.err_code.or(body.category);
    let code = code.as_deref().or_else(|| answer.header("dg-error"));
    let code = code.unwrap_or("").trim();
    let reason = || {
        if code.is_empty() {
            format!("status {}", answer.status)
        } else {
            code.chars().take(64).collect()
        }
    };
    // Balances and calls at one time are counted by project, whatever the key.
    let scope = LimitScope::Project;
    match (code, answer.status) {
        (_, 200..=299) => KeyVerdict::Valid,
        ("INVALID_AUTH", _) => KeyVerdict::Invalid { reason: reason() },
        ("INSUFFICIENT_PERMISSIONS", _) => KeyVerdict::MissingScope { reason: reason() },
        ("ASR_PAYMENT_REQUIRED", _) | (_, 402) => KeyVerdict::Exhausted {
            reason: reason(),
            until: None,
            scope,
        },
        ("TOO_MANY_REQUESTS", _) | (_, 429) => match answer.retry_after() {
            Some(until) => KeyVerdict::Limited {
                until: Some(until),
                scope,
            },
            None => KeyVerdict::Crowded { scope },
        },
        (_, 500..=599) => KeyVerdict::Overloaded {
            until: answer.retry_after(),
        },
        (_, 404 | 405 | 408 | 411 | 413 | 414 | 415 | 422) => {
            KeyVerdict::BadRequest { reason: reason() }
        }
        (_, 400) => KeyVerdict::BadRequest { reason: reason() },
        (code, 401 | 403) if !code.is_empty() => KeyVerdict::Blocked { reason: reason() },
        _ => KeyVerdict::Unclear { reason: reason() },
    }
}

#[derive(Serialize)]
struct OwnBody<'a> {
    err_code: &'static str,
    err_msg: &'a str,
    request_id: Option<&'static str>,
}

pub(super) fn own_error(error: &OwnError) -> ErrorAnswer {
    let body = OwnBody {
        err_code: error.code,
        err_msg: &error.message,
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
    fn every_row_of_the_table_in_every_shape() {
        for (status, body, expected) in [
            (
                401,
                include_str!("../../fixtures/deepgram/error_invalid_auth.json"),
                "invalid",
            ),
            (
                403,
                include_str!("../../fixtures/deepgram/error_insufficient_permissions.json"),
                "missing_scope",
            ),
            (
                401,
                include_str!("../../fixtures/deepgram/error_insufficient_permissions.json"),
                "missing_scope",
            ),
            (
                401,
                r#"{"err_code":"INSUFFICIENT_PERMISSIONS","err_msg":"m"}"#,
                "missing_scope",
            ),
            (
                402,
                include_str!("../../fixtures/deepgram/error_payment_required.json"),
                "exhausted",
            ),
            (
                429,
                r#"{"err_code":"TOO_MANY_REQUESTS","err_msg":"m"}"#,
                "crowded",
            ),
            (429, "slow down", "crowded"),
            (
                400,
                r#"{"err_code":"INVALID_JSON","err_msg":"m"}"#,
                "bad_request",
            ),
            (
                422,
                r#"{"err_code":"ASR_UNPROCESSABLE_ENTITY","err_msg":"m"}"#,
                "bad_request",
            ),
            (
                400,
                r#"{"category":"INVALID_PAYLOAD","message":"m","details":"d"}"#,
                "bad_request",
            ),
            (404, "Not Found", "bad_request"),
            (504, "upstream failed", "overloaded"),
            (503, "", "overloaded"),
            (
                403,
                r#"{"category":"PROJECT_SUSPENDED","message":"m"}"#,
                "blocked",
            ),
            (401, "a proxy's page", "unclear"),
        ] {
            assert_eq!(
                word(&verdict(status, &[], body)),
                expected,
                "{status} {body}"
            );
        }
    }

    #[test]
    fn a_pause_and_a_refused_handshake_speak_in_headers() {
        let paused = verdict(429, &[("retry-after", "7")], "");
        let until = "2026-11-28T10:00:07Z".parse().ok();
        let scope = LimitScope::Project;
        assert_eq!(paused, KeyVerdict::Limited { until, scope });
        let refused = verdict(401, &[("dg-error", "INVALID_AUTH")], "");
        assert_eq!(word(&refused), "invalid");
    }

    #[test]
    fn our_errors_have_deepgrams_shape() {
        let answer = own_error(&OwnError {
            fault: Fault::Forbidden,
            code: "scope_missing",
            message: "a \"quoted\" word".into(),
        });
        assert_eq!(answer.status, 403);
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        let expected = serde_json::json!({
            "err_code": "scope_missing", "err_msg": "a \"quoted\" word", "request_id": null});
        assert_eq!(body, expected);
    }
}
