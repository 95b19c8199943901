//! What Anthropic's failures say about the key, and our own errors in its shape.
//!
//! Facts are from its page on errors, the error classes of the official Python package 2.12, and
//! answers that people have published. `error.details.error_code` names a cause that `type` does
//! not.

use bytes::Bytes;
use jiff::{Timestamp, ToSpan, civil::DateTime, tz::TimeZone};
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
    #[serde(rename = "type")]
    kind: String,
    message: String,
    details: Option<Details>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Details {
    error_code: Option<String>,
}

/// How each limit reports what is left and when it is full again.
const LIMITS: [(&str, &str); 4] = [
    (
        "anthropic-ratelimit-requests-remaining",
        "anthropic-ratelimit-requests-reset",
    ),
    (
        "anthropic-ratelimit-tokens-remaining",
        "anthropic-ratelimit-tokens-reset",
    ),
    (
        "anthropic-ratelimit-input-tokens-remaining",
        "anthropic-ratelimit-input-tokens-reset",
    ),
    (
        "anthropic-ratelimit-output-tokens-remaining",
        "anthropic-ratelimit-output-tokens-reset",
    ),
];

/// Reads a failed answer, or (with the status 200) an error that stood inside a stream.
pub(super) fn classify_failure(answer: &Answer<'_>) -> KeyVerdict {
    let error = serde_json::from_slice::<ErrorBody>(answer.body)
        .unwrap_or_default()
        .error;
    let code = error.details.and_then(|details| details.error_code);
    let code = code.as_deref().unwrap_or("");
    if let Some(verdict) = by_code(code, answer) {
        return verdict;
    }
    let message = error.message.as_str();
    if let Some(verdict) = by_message(message) {
        return verdict;
    }
    let reason = || {
        if error.kind.is_empty() {
            format!("status {}", answer.status)
        } else {
            error.kind.clone()
        }
    };
    let of_workspace = message.to_ascii_lowercase().contains("workspace");
    let scope = if of_workspace {
        LimitScope::Project
    } else {
        LimitScope::Organization
    };
    match (error.kind.as_str(), answer.status) {
        // Wrong, archived, inactive and expired alike.
        ("authentication_error", _) => KeyVerdict::Invalid { reason: reason() },
        ("permission_error", _) => KeyVerdict::MissingScope { reason: reason() },
        ("billing_error", _) | (_, 402) => KeyVerdict::Exhausted {
            reason: reason(),
            until: None,
            scope,
        },
        ("rate_limit_error", _) | (_, 429) => KeyVerdict::Limited {
            until: answer.retry_after().or_else(|| latest_reset(answer)),
            scope,
        },
        ("overloaded_error" | "api_error" | "timeout_error", _) | (_, 500..=599) => {
            KeyVerdict::Overloaded {
                until: answer.retry_after(),
            }
        }
        (
            "invalid_request_error" | "not_found_error" | "request_too_large" | "conflict_error",
            _,
        ) => KeyVerdict::BadRequest { reason: reason() },
        ("", 200..=299) => KeyVerdict::Valid,
        (kind, 400 | 404 | 409 | 413 | 415 | 422) if !kind.is_empty() => {
            KeyVerdict::BadRequest { reason: reason() }
        }
        _ => KeyVerdict::Unclear { reason: reason() },
    }
}

/// Causes that the provider names.
fn by_code(code: &str, answer: &Answer<'_>) -> Option<KeyVerdict> {
    let reason = || code.to_owned();
    let exhausted = |until| {
        Some(KeyVerdict::Exhausted {
            reason: reason(),
            until,
            scope: LimitScope::Organization,
        })
    };
    match code {
        // The tier's monthly threshold: counted by the calendar month, whatever is said on waiting.
        "enforced_spend_limit_reached" => exhausted(next_month(answer.now)),
        "contract_spend_limit_reached"
        | "linked_organization_spend_limit_reached"
        | "linked_organization_billing_unavailable" => exhausted(None),
        "ramp_limit_exceeded" => Some(KeyVerdict::Limited {
            until: answer.retry_after(),
            scope: LimitScope::Organization,
        }),
        "organization_on_hold"
        | "organization_type_not_supported"
        | "parent_organization_required"
        | "cmek_key_disabled"
        | "cmek_key_network_blocked" => Some(KeyVerdict::Blocked { reason: reason() }),
        "cmek_context_unavailable" | "cmek_key_unreachable" => Some(KeyVerdict::Overloaded {
            until: answer.retry_after(),
        }),
        _ => None,
    }
}

/// Two causes are told by their words only, as an invalid request.
fn by_message(message: &str) -> Option<KeyVerdict> {
    let set_by_customer =
        message.starts_with("You have reached your specified") && message.contains("usage limits");
    if set_by_customer {
        let of_workspace = message.contains("workspace");
        return Some(KeyVerdict::Exhausted {
            reason: "specified_usage_limit".to_owned(),
            until: date_in(message),
            scope: if of_workspace {
                LimitScope::Project
            } else {
                LimitScope::Organization
            },
        });
    }
    let empty = message.starts_with("Your credit balance is too low");
    empty.then(|| KeyVerdict::Exhausted {
        reason: "credit_balance_too_low".to_owned(),
        until: None,
        scope: LimitScope::Organization,
    })
}

/// "… on 2026-12-01 at 00:00 UTC."
fn date_in(message: &str) -> Option<Timestamp> {
    let words: Vec<&str> = message.split_whitespace().collect();
    let place = words
        .iter()
        .position(|word| word.parse::<jiff::civil::Date>().is_ok())?;
    let date: jiff::civil::Date = words.get(place)?.parse().ok()?;
    let time = words
        .get(place + 2)
        .filter(|_| words.get(place + 1) == Some(&"at"))
        .and_then(|word| word.parse::<jiff::civil::Time>().ok())
        .unwrap_or(jiff::civil::Time::midnight());
    let when: DateTime = date.to_datetime(time);
    Some(when.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

fn next_month(now: Timestamp) -> Option<Timestamp> {
    let today = now.to_zoned(TimeZone::UTC).date();
    let first = today.first_of_month().checked_add(1.month()).ok()?;
    Some(first.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// When the last of the limits that are used up is full again.
fn latest_reset(answer: &Answer<'_>) -> Option<Timestamp> {
    LIMITS
        .iter()
        .filter(|(remaining, _)| answer.header(remaining) == Some("0"))
        .filter_map(|(_, reset)| answer.header(reset)?.parse().ok())
        .max()
}

#[derive(Serialize)]
struct OwnBody<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    error: OwnObject<'a>,
    request_id: Option<&'a str>,
}

#[derive(Serialize)]
struct OwnObject<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    message: &'a str,
    details: OwnDetails,
}

#[derive(Serialize)]
struct OwnDetails {
    error_code: &'static str,
}

pub(super) fn own_error(error: &OwnError) -> ErrorAnswer {
    let kind = match error.fault {
        Fault::Unauthenticated => "authentication_error",
        Fault::Forbidden => "permission_error",
        Fault::PaymentRequired => "billing_error",
        Fault::Limited => "rate_limit_error",
        Fault::NotFound => "not_found_error",
        Fault::TooLarge => "request_too_large",
        Fault::GatewayTimeout => "timeout_error",
        Fault::BadGateway | Fault::Unavailable => "overloaded_error",
        Fault::Internal => "api_error",
        Fault::BadRequest | Fault::Conflict | Fault::UnsupportedMedia => "invalid_request_error",
    };
    let body = OwnBody {
        kind: "error",
        error: OwnObject {
            kind,
            message: &error.message,
            details: OwnDetails {
                error_code: error.code,
            },
        },
        request_id: None,
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
    use crate::testing::{answer, header_map, word};

    fn verdict(status: u16, headers: &[(&'static str, &str)], body: &str) -> KeyVerdict {
        classify_failure(&answer(status, &header_map(headers), body.as_bytes()))
    }

    fn body(kind: &str, message: &str, code: Option<&str>) -> String {
        serde_json::json!({
            "type": "error", "request_id": "req_1",
            "error": {"type": kind, "message": message,
                "details": code.map(|code| serde_json::json!({ "error_code": code }))},
        })
        .to_string()
    }

    fn time(text: &str) -> Option<Timestamp> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn a_limit_that_the_customer_set_ends_on_the_day_it_says() {
        for (fixture, scope) in [
            (
                include_str!("../../fixtures/anthropic/error_usage_limits.json"),
                LimitScope::Organization,
            ),
            (
                include_str!("../../fixtures/anthropic/error_workspace_usage_limits.json"),
                LimitScope::Project,
            ),
        ] {
            let expected = KeyVerdict::Exhausted {
                reason: "specified_usage_limit".into(),
                until: time("2026-12-01T00:00:00Z"),
                scope,
            };
            assert_eq!(verdict(400, &[], fixture), expected);
        }
        let vague = body(
            "invalid_request_error",
            "You have reached your specified API usage limits.",
            None,
        );
        assert!(matches!(
            verdict(400, &[], &vague),
            KeyVerdict::Exhausted { until: None, .. }
        ));
    }

    #[test]
    fn the_tiers_threshold_lasts_until_the_next_month() {
        let error = include_str!("../../fixtures/anthropic/error_enforced_spend_limit.json");
        let expected = KeyVerdict::Exhausted {
            reason: "enforced_spend_limit_reached".into(),
            until: time("2026-12-01T00:00:00Z"),
            scope: LimitScope::Organization,
        };
        assert_eq!(verdict(429, &[], error), expected);
    }

    #[test]
    fn a_pause_is_taken_from_what_the_answer_says() {
        let limited = body("rate_limit_error", "your organization's rate limit", None);
        let until = |headers: &[(&'static str, &str)]| match verdict(429, headers, &limited) {
            KeyVerdict::Limited { until, scope } => {
                assert_eq!(scope, LimitScope::Organization);
                until
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(
            until(&[("retry-after", "20")]),
            time("2026-11-28T10:00:20Z")
        );
        assert_eq!(
            until(&[
                ("anthropic-ratelimit-requests-remaining", "3"),
                ("anthropic-ratelimit-requests-reset", "2026-11-28T10:09:00Z"),
                ("anthropic-ratelimit-input-tokens-remaining", "0"),
                (
                    "anthropic-ratelimit-input-tokens-reset",
                    "2026-11-28T10:00:40Z"
                ),
            ]),
            time("2026-11-28T10:00:40Z")
        );
        assert_eq!(until(&[]), None);
        let ramp = body("rate_limit_error", "m", Some("ramp_limit_exceeded"));
        assert!(matches!(
            verdict(429, &[], &ramp),
            KeyVerdict::Limited { .. }
        ));
    }

    #[test]
    fn every_other_row_of_the_table() {
        for (status, kind, code, expected) in [
            (401, "authentication_error", None, "invalid"),
            (402, "billing_error", None, "exhausted"),
            (
                402,
                "billing_error",
                Some("linked_organization_spend_limit_reached"),
                "exhausted",
            ),
            (
                402,
                "billing_error",
                Some("linked_organization_billing_unavailable"),
                "exhausted",
            ),
            (
                429,
                "rate_limit_error",
                Some("contract_spend_limit_reached"),
                "exhausted",
            ),
            (403, "permission_error", None, "missing_scope"),
            (
                403,
                "permission_error",
                Some("organization_on_hold"),
                "blocked",
            ),
            (
                400,
                "invalid_request_error",
                Some("organization_on_hold"),
                "blocked",
            ),
            (
                400,
                "invalid_request_error",
                Some("cmek_key_disabled"),
                "blocked",
            ),
            (503, "api_error", Some("cmek_key_unreachable"), "overloaded"),
            (400, "invalid_request_error", None, "bad_request"),
            (404, "not_found_error", None, "bad_request"),
            (413, "request_too_large", None, "bad_request"),
            (500, "api_error", None, "overloaded"),
            (504, "timeout_error", None, "overloaded"),
            (529, "overloaded_error", None, "overloaded"),
            // The same inside a stream that began well.
            (200, "overloaded_error", None, "overloaded"),
        ] {
            let found = verdict(status, &[], &body(kind, "m", code));
            assert_eq!(word(&found), expected, "{status} {kind} {code:?}");
        }
        let empty = body(
            "invalid_request_error",
            "Your credit balance is too low to access the Anthropic API.",
            None,
        );
        assert!(matches!(
            verdict(400, &[], &empty),
            KeyVerdict::Exhausted { .. }
        ));
        assert!(matches!(
            verdict(401, &[], "a proxy's page"),
            KeyVerdict::Unclear { .. }
        ));
        assert!(matches!(
            verdict(529, &[("retry-after", "5")], ""),
            KeyVerdict::Overloaded { until: Some(_) }
        ));
    }

    #[test]
    fn our_errors_have_anthropics_shape() {
        let answer = own_error(&OwnError {
            fault: Fault::Limited,
            code: "budget_exhausted",
            message: "a \"quoted\" word".into(),
        });
        assert_eq!(answer.status, 429);
        assert_eq!(answer.headers, [("x-should-retry", "false")]);
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        let expected = serde_json::json!({"type": "error", "request_id": null, "error": {
            "type": "rate_limit_error", "message": "a \"quoted\" word",
            "details": {"error_code": "budget_exhausted"},
        }});
        assert_eq!(body, expected);
    }
}
