//! Where a key stands, what every request needs, and the headers of every answer.

use super::error;
use crate::{
    desk::{Head, Refusal},
    instant,
    keys::DEFAULT_ORGANIZATION,
    openai::bearer,
    request::Request,
};

/// How many tokens go with one call a minute.
const TOKENS_PER_REQUEST: u64 = 1_000;

/// The value of the key: in its own header, or as a bearer token.
pub(super) fn credential(request: &Request) -> Option<String> {
    let own = request.header("x-api-key").map(str::to_owned);
    own.or_else(|| bearer(request))
}

/// Without a version nothing is answered.
pub(super) fn check(request: &Request) -> Result<(), Refusal> {
    match request.header("anthropic-version") {
        Some("2026-10-21" | "2023-06-01" | "2023-01-01") => Ok(()),
        Some(other) => {
            let message = format!("anthropic-version: \"{other}\" is not a valid version");
            Err(error::invalid(&message))
        }
        None => Err(error::invalid("anthropic-version: header is required")),
    }
}

/// The headers of every answer. What remains of tokens is rounded to thousands, as the real one
/// does.
pub(super) fn head(head: &Head<'_>) -> Vec<(&'static str, String)> {
    let organization = head
        .key
        .map_or(DEFAULT_ORGANIZATION, |key| key.organization_id.as_str());
    let mut headers = vec![
        ("request-id", head.request_id.to_owned()),
        ("anthropic-organization-id", organization.to_owned()),
    ];
    let Some(allowance) = head.allowance else {
        return headers;
    };
    let seconds = i64::try_from(allowance.reset_seconds).unwrap_or_default();
    let reset = instant::rfc3339(head.now + seconds);
    let tokens = allowance.limit.saturating_mul(TOKENS_PER_REQUEST);
    let left = allowance.remaining.saturating_mul(TOKENS_PER_REQUEST);
    for (limit, remaining, until, amounts) in [
        (
            "anthropic-ratelimit-requests-limit",
            "anthropic-ratelimit-requests-remaining",
            "anthropic-ratelimit-requests-reset",
            (allowance.limit, allowance.remaining),
        ),
        (
            "anthropic-ratelimit-tokens-limit",
            "anthropic-ratelimit-tokens-remaining",
            "anthropic-ratelimit-tokens-reset",
            (tokens, left),
        ),
        (
            "anthropic-ratelimit-input-tokens-limit",
            "anthropic-ratelimit-input-tokens-remaining",
            "anthropic-ratelimit-input-tokens-reset",
            (tokens, left),
        ),
        (
            "anthropic-ratelimit-output-tokens-limit",
            "anthropic-ratelimit-output-tokens-remaining",
            "anthropic-ratelimit-output-tokens-reset",
            (tokens, left),
        ),
    ] {
        headers.push((limit, amounts.0.to_string()));
        headers.push((remaining, amounts.1.to_string()));
        headers.push((until, reset.clone()));
    }
    headers
}
