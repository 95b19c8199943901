//! What ElevenLabs' failures say about the key, and our own errors in its shape.
//!
//! Facts are from its page on errors and its help pages. `detail` is an object, a list of what is
//! invalid, or a text; `status` is the older name of `code`. One status, 401, says three things:
//! only the code tells them apart.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{Answer, ErrorAnswer, Fault, KeyVerdict, LimitScope, OwnError};

#[derive(Deserialize, Default)]
struct ErrorBody {
    #[serde(default)]
    detail: Detail,
}

#[derive(Deserialize, Default)]
#[serde(untagged)]
enum Detail {
    Object(Object),
    List(Vec<serde::de::IgnoredAny>),
    Text(String),
    #[default]
    Nothing,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Object {
    code: Option<String>,
    status: Option<String>,
    message: Option<String>,
}

pub(super) fn classify_failure(answer: &Answer<'_>) -> KeyVerdict {
    let detail = serde_json::from_slice::<ErrorBody>(answer.body)
        .unwrap_or_default()
        .detail;
    let is_list = matches!(&detail, Detail::List(invalid) if !invalid.is_empty());
    let (codes, message) = match detail {
        Detail::Object(object) => (
            [object.code, object.status].map(Option::unwrap_or_default),
            object.message.unwrap_or_default(),
        ),
        Detail::Text(text) => ([String::new(), String::new()], text),
        Detail::List(_) | Detail::Nothing => Default::default(),
    };
    let by_code = codes
        .iter()
        .find_map(|code| by_code(code, &message, answer));
    if let Some(verdict) = by_code {
        return verdict;
    }
    let code = codes.iter().find(|code| !code.is_empty());
    let reason = code.map_or_else(|| format!("status {}", answer.status), Clone::clone);
    match answer.status {
        200..=299 => KeyVerdict::Valid,
        402 => KeyVerdict::Exhausted {
            reason,
            until: None,
            scope: LimitScope::Organization,
        },
        429 => KeyVerdict::Limited {
            until: answer.retry_after(),
            scope: LimitScope::Organization,
        },
        500..=599 => KeyVerdict::Overloaded {
            until: answer.retry_after(),
        },
        400 | 404 | 405 | 409 | 413 | 415 | 422 | 425 if code.is_some() || is_list => {
            KeyVerdict::BadRequest { reason }
        }
        404 | 405 | 413 | 415 | 422 => KeyVerdict::BadRequest { reason },
        // A plan or a place that may not do this.
        403 if code.is_some() => KeyVerdict::MissingScope { reason },
        // An account that was flagged, an address that is not allowed: not the key's end.
        401 if code.is_some() => KeyVerdict::Blocked { reason },
        _ => KeyVerdict::Unclear { reason },
    }
}

/// Causes that have a name, whatever the status.
fn by_code(code: &str, message: &str, answer: &Answer<'_>) -> Option<KeyVerdict> {
    let reason = || code.to_owned();
    Some(match code {
        "invalid_api_key" | "api_key_disabled" | "api_key_expired" => {
            KeyVerdict::Invalid { reason: reason() }
        }
        "missing_permissions" | "insufficient_permissions" => {
            KeyVerdict::MissingScope { reason: reason() }
        }
        "quota_exceeded" | "character_limit_exceeded" | "insufficient_credits" => {
            // A key can have a limit of its own within the workspace's.
            let of_key = message.to_ascii_lowercase().contains("api key");
            KeyVerdict::Exhausted {
                reason: reason(),
                until: None,
                scope: if of_key {
                    LimitScope::Key
                } else {
                    LimitScope::Organization
                },
            }
        }
        "concurrent_limit_exceeded" | "too_many_concurrent_requests" => KeyVerdict::Crowded {
            scope: LimitScope::Organization,
        },
        "rate_limit_exceeded" => KeyVerdict::Limited {
            until: answer.retry_after(),
            scope: LimitScope::Organization,
        },
        "system_busy" => KeyVerdict::Overloaded {
            until: answer.retry_after(),
        },
        // No key was read: it speaks of our request.
        "needs_authorization" => KeyVerdict::Unclear { reason: reason() },
        _ => return None,
    })
}

#[derive(Serialize)]
struct OwnBody<'a> {
    detail: OwnDetail<'a>,
}

#[derive(Serialize)]
struct OwnDetail<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    code: &'static str,
    message: &'a str,
    status: &'static str,
    request_id: Option<&'static str>,
    param: Option<&'static str>,
}

pub(super) fn own_error(error: &OwnError) -> ErrorAnswer {
    let kind = match error.fault {
        Fault::Unauthenticated => "authentication_error",
        Fault::Forbidden => "authorization_error",
        Fault::PaymentRequired => "payment_required",
        Fault::NotFound => "not_found",
        Fault::Conflict => "conflict",
        Fault::Limited => "rate_limit_error",
        Fault::Internal => "internal_error",
        Fault::BadGateway | Fault::Unavailable | Fault::GatewayTimeout => "service_unavailable",
        Fault::BadRequest | Fault::TooLarge | Fault::UnsupportedMedia => "validation_error",
    };
    let body = OwnBody {
        detail: OwnDetail {
            kind,
            code: error.code,
            message: &error.message,
            status: error.code,
            request_id: None,
            param: None,
        },
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
    use crate::testing::{answer, header_map, word};

    fn verdict(status: u16, headers: &[(&'static str, &str)], body: &str) -> KeyVerdict {
        classify_failure(&answer(status, &header_map(headers), body.as_bytes()))
    }

    fn body(code: &str, status: &str, message: &str) -> String {
        serde_json::json!({"detail": {
            "type": "x", "code": code, "message": message, "status": status,
            "request_id": "req_1", "param": null,
        }})
        .to_string()
    }

    #[test]
    fn one_status_says_three_things() {
        for (fixture, expected) in [
            (
                include_str!("../../fixtures/elevenlabs/error_invalid_api_key.json"),
                "invalid",
            ),
            (
                include_str!("../../fixtures/elevenlabs/error_missing_permissions.json"),
                "missing_scope",
            ),
            (
                include_str!("../../fixtures/elevenlabs/error_quota_exceeded.json"),
                "exhausted",
            ),
        ] {
            assert_eq!(word(&verdict(401, &[], fixture)), expected, "{fixture}");
        }
        // The same before `code` was introduced.
        let old = r#"{"detail":{"status":"invalid_api_key","message":"Invalid API key"}}"#;
        assert_eq!(word(&verdict(401, &[], old)), "invalid");
    }

    #[test]
    fn a_limit_of_the_key_is_not_one_of_the_workspace() {
        let of = |message: &str| match verdict(
            402,
            &[],
            &body("quota_exceeded", "quota_exceeded", message),
        ) {
            KeyVerdict::Exhausted { scope, .. } => scope,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            of("This request exceeds your quota of 10000."),
            LimitScope::Organization
        );
        assert_eq!(
            of("This request exceeds the character limit of the API key."),
            LimitScope::Key
        );
    }

    #[test]
    fn every_other_row_of_the_table() {
        for (status, code, older, expected) in [
            (402, "quota_exceeded", "quota_exceeded", "exhausted"),
            (402, "payment_required", "payment_required", "exhausted"),
            (429, "rate_limit_exceeded", "rate_limit_exceeded", "limited"),
            (
                429,
                "concurrent_limit_exceeded",
                "too_many_concurrent_requests",
                "crowded",
            ),
            (429, "", "too_many_concurrent_requests", "crowded"),
            (429, "system_busy", "system_busy", "overloaded"),
            (401, "detected_unusual_activity", "", "blocked"),
            (401, "needs_authorization", "", "unclear"),
            (403, "only_for_creator+", "", "missing_scope"),
            (400, "voice_not_found", "", "bad_request"),
            (404, "model_not_found", "", "bad_request"),
            (409, "already_running", "", "bad_request"),
            (500, "internal_server_error", "", "overloaded"),
        ] {
            let found = verdict(status, &[], &body(code, older, "m"));
            assert_eq!(word(&found), expected, "{status} {code} {older}");
        }
        let invalid =
            r#"{"detail":[{"loc":["body","text"],"msg":"Field required","type":"missing"}]}"#;
        assert_eq!(word(&verdict(422, &[], invalid)), "bad_request");
        let text = r#"{"detail":"Not Found"}"#;
        assert_eq!(word(&verdict(404, &[], text)), "bad_request");
        assert_eq!(word(&verdict(503, &[], "")), "overloaded");
        assert_eq!(word(&verdict(401, &[], "a proxy's page")), "unclear");
        assert_eq!(word(&verdict(403, &[], "")), "unclear");
        let paused = verdict(
            429,
            &[("retry-after", "7")],
            &body("rate_limit_exceeded", "", "m"),
        );
        let until = "2026-11-28T10:00:07Z".parse().ok();
        let scope = LimitScope::Organization;
        assert_eq!(paused, KeyVerdict::Limited { until, scope });
    }

    #[test]
    fn our_errors_have_elevenlabs_shape() {
        let answer = own_error(&OwnError {
            fault: Fault::Forbidden,
            code: "scope_missing",
            message: "a \"quoted\" word".into(),
        });
        assert_eq!(answer.status, 403);
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        let expected = serde_json::json!({"detail": {
            "type": "authorization_error", "code": "scope_missing", "status": "scope_missing",
            "message": "a \"quoted\" word", "request_id": null, "param": null}});
        assert_eq!(body, expected);
    }
}
