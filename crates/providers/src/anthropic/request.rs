//! What is read from a request to Anthropic. Nothing is changed in it: usage is always stated.

use std::ops::Range;

use diamond_domain::{Meter, Quantities};

use crate::{JsonScan, Metering, ModelLimits, Pattern, RequestFacts, Route};

const PATTERNS: &[Pattern] = &[
    Pattern::value(&["model"]),
    Pattern::value(&["stream"]),
    Pattern::value(&["max_tokens"]),
    Pattern::value(&["max_tokens_to_sample"]),
    Pattern::value(&["metadata", "user_id"]),
    Pattern::value(&["speed"]),
    Pattern::value(&["inference_geo"]),
    Pattern::length(&["system"]),
    Pattern::length(&["system", "*", "text"]),
    Pattern::length(&["messages", "*", "content"]),
    Pattern::length(&["messages", "*", "content", "*", "text"]),
    Pattern::length(&["messages", "*", "content", "*", "content"]),
    Pattern::length(&["messages", "*", "content", "*", "content", "*", "text"]),
    Pattern::length(&["prompt"]),
];
const MODEL: usize = 0;
const STREAM: usize = 1;
const LIMITS: [usize; 2] = [2, 3];
const USER: usize = 4;
const SPEED: usize = 5;
const GEO: usize = 6;
const TEXTS: Range<usize> = 7..14;

pub(super) fn read_json(head: RequestFacts, body: &[u8]) -> RequestFacts {
    let scan = JsonScan::of(PATTERNS, body);
    let is = |pattern, word: &str| scan.get::<String>(pattern).is_some_and(|said| said == word);
    let mut modifiers = Vec::new();
    if is(SPEED, "fast") {
        modifiers.push("speed:fast");
    }
    if is(GEO, "us") {
        modifiers.push("geo:us");
    }
    RequestFacts {
        model: scan.get(MODEL),
        // The tiers of a request (`auto`, `standard_only`) are none of the answer's.
        service_tier: None,
        streams: scan.get(STREAM).unwrap_or(false),
        max_output_tokens: LIMITS.iter().find_map(|&limit| scan.get(limit)),
        user: scan.get(USER),
        input_text_bytes: TEXTS.map(|place| scan.length(place)).sum(),
        body_bytes: body.len() as u64,
        modifiers,
        ..head
    }
}

/// The most that a call can use: no input has more tokens than bytes, no output more than the
/// request (which must say) or the model allows.
pub(super) fn ceiling(route: &Route, facts: &RequestFacts, limits: ModelLimits) -> Quantities {
    let quantities = Quantities::new().with(Meter::Requests, 1);
    if route.metering != Metering::Usage {
        return quantities;
    }
    let most_input = limits.max_input_tokens.unwrap_or(u64::MAX);
    let most_output = limits.max_output_tokens.unwrap_or(u64::MAX);
    let asked = facts.max_output_tokens.or(limits.max_output_tokens);
    quantities
        .with(Meter::InputTokens, facts.body_bytes.min(most_input))
        .with(Meter::OutputTokens, asked.unwrap_or(0).min(most_output))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_metering_is_read() {
        let body = br#"{"model":"claude-haiku-4-5","max_tokens":64,"stream":true,"speed":"fast",
            "inference_geo":"us","metadata":{"user_id":"u-1"},"system":[{"type":"text","text":"abcd"}],
            "messages":[{"role":"user","content":"efgh"},
                {"role":"user","content":[{"type":"text","text":"ij"},
                    {"type":"image","source":{"type":"base64","data":"AAAAAAAA"}},
                    {"type":"tool_result","content":[{"type":"text","text":"kl"}]}]}]}"#;
        let facts = read_json(RequestFacts::default(), body);
        assert_eq!(facts.model.as_deref(), Some("claude-haiku-4-5"));
        assert_eq!(facts.max_output_tokens, Some(64));
        assert!(facts.streams);
        assert_eq!(facts.user.as_deref(), Some("u-1"));
        assert_eq!(facts.input_text_bytes, 12);
        assert_eq!(facts.modifiers, ["speed:fast", "geo:us"]);
        let route = match crate::anthropic::routes::classify(&http::Method::POST, "/v1/messages") {
            crate::Classified::Forward(route) => route,
            crate::Classified::Refuse(refused) => panic!("{}", refused.code),
        };
        let limits = ModelLimits {
            max_input_tokens: Some(100),
            max_output_tokens: Some(32),
        };
        let most = ceiling(&route, &facts, limits);
        assert_eq!(most.get(Meter::InputTokens), 100);
        assert_eq!(most.get(Meter::OutputTokens), 32);
    }
}
