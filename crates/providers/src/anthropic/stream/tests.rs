use super::*;
use crate::{Classified, testing::feed};

fn route(path: &str) -> Route {
    match crate::anthropic::routes::classify(&http::Method::POST, path) {
        Classified::Forward(route) => route,
        Classified::Refuse(refused) => panic!("{}", refused.code),
    }
}

fn facts() -> RequestFacts {
    RequestFacts {
        model: Some("claude-sonnet-5-5".into()),
        input_text_bytes: 400,
        ..RequestFacts::default()
    }
}

fn plain(path: &str, body: &[u8]) -> Reading {
    let mut meter = AnthropicMeter::new(&route(path), &facts(), AnswerKind::Json);
    for piece in body.chunks(13) {
        meter.bytes(piece);
    }
    meter.reading(true)
}

fn streamed(stream: &[u8], piece: usize) -> (Vec<EventRole>, Reading) {
    let kind = AnswerKind::EventStream;
    let mut meter = AnthropicMeter::new(&route("/v1/messages"), &facts(), kind);
    let roles = feed(&mut meter, stream, piece);
    let complete = roles.contains(&EventRole::Terminal);
    (roles, meter.reading(complete))
}

const STREAM: &[u8] = include_bytes!("../../../fixtures/anthropic/message_stream.sse");

#[test]
fn a_plain_answer_states_model_tier_place_and_speed() {
    let reading = plain(
        "/v1/messages",
        include_bytes!("../../../fixtures/anthropic/message.json"),
    );
    assert_eq!(reading.model.as_deref(), Some("claude-opus-5-5"));
    assert_eq!(reading.service_tier.as_deref(), Some("standard"));
    assert_eq!(reading.modifiers, ["geo:us", "speed:fast"]);
    assert_eq!(reading.basis, ReadingBasis::Reported);
    assert!(!reading.partial);
    assert_eq!(reading.quantities.get(Meter::InputTokens), 2_120);
    assert_eq!(reading.quantities.get(Meter::CachedInputTokens), 2_000);
    assert_eq!(reading.quantities.get(Meter::CacheWriteLongTokens), 100);
    assert_eq!(reading.quantities.get(Meter::OutputTokens), 12);
    assert_eq!(reading.quantities.get(Meter::WebSearches), 1);
    let said = reading.provider_usage.unwrap();
    assert!(said.starts_with(r#"{"input_tokens":20,"#), "{said}");
}

#[test]
fn the_last_cumulative_count_of_a_stream_counts_in_any_chunking() {
    let (roles, whole) = streamed(STREAM, STREAM.len());
    assert_eq!(roles.last(), Some(&EventRole::Terminal));
    assert_eq!(whole.basis, ReadingBasis::Reported);
    assert!(!whole.partial && !whole.failed_inside);
    assert_eq!(whole.model.as_deref(), Some("claude-sonnet-5-5"));
    // 25 + 1000 read at the beginning; the count at the end replaces 2 of output with 29.
    assert_eq!(whole.quantities.get(Meter::InputTokens), 1_025);
    assert_eq!(whole.quantities.get(Meter::CachedInputTokens), 1_000);
    assert_eq!(whole.quantities.get(Meter::OutputTokens), 29);
    let said: serde_json::Value =
        serde_json::from_str(whole.provider_usage.as_deref().unwrap()).unwrap();
    assert_eq!(said["message_start"]["output_tokens"], 2);
    assert_eq!(said["message_delta"]["output_tokens"], 29);
    for piece in [1, 7, 100] {
        assert_eq!(streamed(STREAM, piece).1, whole);
    }
}

#[test]
fn of_a_stream_that_broke_off_the_output_is_estimated() {
    let at = STREAM
        .windows(13)
        .position(|part| part == b"message_delta")
        .unwrap();
    let (_, reading) = streamed(&STREAM[..at - 7], 50);
    assert_eq!(reading.basis, ReadingBasis::Estimated);
    assert!(reading.partial);
    assert_eq!(reading.quantities.get(Meter::InputTokens), 1_025);
    // "Hello there, how are you?" and a tool's arguments of 16 bytes.
    assert_eq!(reading.quantities.get(Meter::OutputTokens), 11);
}

#[test]
fn an_error_inside_a_stream_fails_it_and_what_was_counted_stays() {
    let stream = include_bytes!("../../../fixtures/anthropic/stream_error.sse");
    let (roles, reading) = streamed(stream, stream.len());
    assert_eq!(roles.last(), Some(&EventRole::Terminal));
    assert!(reading.failed_inside);
    assert_eq!(reading.basis, ReadingBasis::Estimated);
    assert_eq!(reading.quantities.get(Meter::InputTokens), 25);
}

#[test]
fn free_and_deferred_calls_are_what_they_are() {
    let counted = plain("/v1/messages/count_tokens", br#"{"input_tokens":14}"#);
    assert_eq!(counted.basis, ReadingBasis::Free);
    assert_eq!(counted.provider_usage, None);
    let batch = plain(
        "/v1/messages/batches",
        br#"{"id":"msgbatch_1","type":"message_batch"}"#,
    );
    assert_eq!(batch.basis, ReadingBasis::Unknown);
    assert!(!batch.partial);
}

#[test]
fn an_answer_without_usage_is_estimated() {
    let reading = plain(
        "/v1/complete",
        br#"{"completion":"abcdefgh","model":"claude-2.1"}"#,
    );
    assert_eq!(reading.basis, ReadingBasis::Estimated);
    assert_eq!(reading.quantities.get(Meter::InputTokens), 100);
    assert_eq!(reading.quantities.get(Meter::OutputTokens), 2);
}
