use super::*;
use crate::{Classified, SseScan};
use http::Method;
use proptest::prelude::*;

fn route(path: &str) -> Route {
    match crate::openai::routes::classify(&Method::POST, path) {
        Classified::Forward(route) => route,
        Classified::Refuse(refused) => panic!("{}", refused.code),
    }
}

fn facts(model: &str) -> RequestFacts {
    RequestFacts {
        model: Some(model.to_owned()),
        input_text_bytes: 400,
        ..RequestFacts::default()
    }
}

fn stream(
    path: &str,
    facts: &RequestFacts,
    injected: bool,
    chunks: &[&[u8]],
) -> (Vec<EventRole>, Reading) {
    let mut meter = OpenAiMeter::new(&route(path), facts, AnswerKind::EventStream, injected);
    let mut scan = SseScan::new();
    let mut roles = Vec::new();
    for chunk in chunks {
        scan.push(chunk, |event| {
            roles.push(meter.event(event.name, event.data))
        });
    }
    let complete = roles.contains(&EventRole::Terminal);
    (roles, meter.reading(complete))
}

fn plain(path: &str, facts: &RequestFacts, body: &[u8]) -> Reading {
    let mut meter = OpenAiMeter::new(&route(path), facts, AnswerKind::Json, false);
    for piece in body.chunks(13) {
        meter.bytes(piece);
    }
    meter.reading(true)
}

proptest! {
    #[test]
    fn a_beginning_seen_before_changes_no_scan(
        chunks in proptest::collection::vec(
            (
                prop_oneof![
                    Just(r#"{"model":"m","service_tier":"default","#),
                    Just(r#"{"model":"m","usage":{"total_tokens":1},"#),
                    Just(r#"{"model":"\"choices\":","error":{"a":"#),
                    Just("{"),
                    Just(""),
                ],
                prop_oneof![
                    Just(r#""choices":[{"delta":{"content":"abc"}}],"usage":null}"#),
                    Just(r#""choices":[],"usage":{"total_tokens":2}}"#),
                    Just(r#""choices":[{"delta":{"content":"a\"choices\":b"}}]}"#),
                    Just(r#""x":1}"#),
                ],
            ),
            0..12,
        ),
    ) {
        let mut opening = Opening::default();
        let mut scan = JsonScan::new(ANSWER);
        for (begin, end) in chunks {
            let data = [begin, end].concat();
            opening.scan(data.as_bytes(), &mut scan);
            let plain = JsonScan::of(ANSWER, data.as_bytes());
            for pattern in 0..ANSWER.len() {
                prop_assert_eq!(scan.last(pattern), plain.last(pattern), "{}", data);
                prop_assert_eq!(scan.length(pattern), plain.length(pattern), "{}", data);
            }
        }
    }
}

const CHAT: &[u8] = include_bytes!("../../../fixtures/openai/chat_stream.sse");
const RESPONSES: &[u8] = include_bytes!("../../../fixtures/openai/responses_stream.sse");

proptest! {
    #[test]
    fn any_split_of_a_stream_gives_the_same_reading(cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..20)) {
        for (path, body, injected) in [("/v1/chat/completions", CHAT, true), ("/v1/responses", RESPONSES, false)] {
            let whole = stream(path, &facts("m"), injected, &[body]);
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
            places.sort_unstable();
            let mut chunks = Vec::new();
            let mut from = 0;
            for place in places {
                chunks.push(&body[from..place]);
                from = place;
            }
            chunks.push(&body[from..]);
            prop_assert_eq!(stream(path, &facts("m"), injected, &chunks), whole);
        }
    }
}

#[test]
fn the_usage_chunk_is_read_and_hidden_only_when_we_asked_for_it() {
    use EventRole::{Hide, Pass, Terminal};
    let (roles, reading) = stream("/v1/chat/completions", &facts("gpt-4o-mini"), true, &[CHAT]);
    assert_eq!(roles, [Pass, Pass, Pass, Hide, Terminal]);
    assert_eq!(reading.model.as_deref(), Some("gpt-4o-mini-2024-07-18"));
    assert_eq!(reading.service_tier.as_deref(), Some("default"));
    assert_eq!(
        (reading.basis, reading.partial),
        (ReadingBasis::Reported, false)
    );
    assert_eq!(reading.quantities.get(Meter::InputTokens), 9);
    assert_eq!(reading.quantities.get(Meter::OutputTokens), 12);
    let verbatim = r#"{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21,"prompt_tokens_details":{"cached_tokens":0}}"#;
    assert_eq!(reading.provider_usage.as_deref(), Some(verbatim));
    let (roles, _) = stream("/v1/chat/completions", &facts("m"), false, &[CHAT]);
    assert_eq!(roles, [Pass, Pass, Pass, Pass, Terminal]);
}

#[test]
fn usage_beside_a_choice_is_read_and_shown() {
    let body = b"data: {\"choices\":[{\"index\":0,\"delta\":{}}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}\n\n";
    let (roles, reading) = stream("/v1/chat/completions", &facts("m"), true, &[body]);
    assert_eq!(roles, [EventRole::Pass]);
    assert_eq!(reading.quantities.get(Meter::OutputTokens), 4);
}

#[test]
fn a_stream_that_breaks_is_estimated() {
    let cut = &CHAT[..CHAT.len() / 2 + 60];
    let (_, reading) = stream("/v1/chat/completions", &facts("m"), true, &[cut]);
    assert_eq!(
        (reading.basis, reading.partial),
        (ReadingBasis::Estimated, true)
    );
    assert_eq!(reading.quantities.get(Meter::InputTokens), 100);
    assert_eq!(reading.quantities.get(Meter::OutputTokens), 3);
}

#[test]
fn an_error_inside_a_stream_is_noticed() {
    let body = include_bytes!("../../../fixtures/openai/chat_stream_error.sse");
    let (_, reading) = stream("/v1/chat/completions", &facts("m"), true, &[body]);
    assert!(reading.failed_inside && reading.partial);
}

#[test]
fn responses_say_everything_in_their_last_event() {
    let (roles, reading) = stream("/v1/responses", &facts("gpt-5-mini"), false, &[RESPONSES]);
    assert_eq!(roles.last(), Some(&EventRole::Terminal));
    assert_eq!(reading.service_tier.as_deref(), Some("priority"));
    assert_eq!(reading.quantities.get(Meter::CachedInputTokens), 100);
    assert_eq!(reading.quantities.get(Meter::CacheWriteLongTokens), 32);
    assert_eq!(reading.quantities.get(Meter::ReasoningTokens), 40);
    assert_eq!(reading.quantities.get(Meter::WebSearches), 1);
}

#[test]
fn tools_are_counted() {
    let body = br#"{"model":"gpt-5","output":[
        {"type":"file_search_call"},{"type":"file_search_call"},
        {"type":"code_interpreter_call","container_id":"c1"},
        {"type":"code_interpreter_call","container_id":"c1"},
        {"type":"code_interpreter_call","container_id":"c2"}],
        "usage":{"input_tokens":1,"output_tokens":1}}"#;
    let reading = plain("/v1/responses", &facts("gpt-5"), body);
    assert_eq!(reading.quantities.get(Meter::FileSearches), 2);
    assert_eq!(reading.quantities.get(Meter::CodeSessions), 2);
    let mut own = facts("gpt-5");
    own.own_sandbox = true;
    let reading = plain("/v1/responses", &own, body);
    assert_eq!(reading.quantities.get(Meter::CodeSessions), 0);
}

#[test]
fn plain_answers() {
    let chat = plain(
        "/v1/chat/completions",
        &facts("m"),
        include_bytes!("../../../fixtures/openai/chat_completion.json"),
    );
    assert_eq!(chat.quantities.get(Meter::CachedInputTokens), 1024);
    assert_eq!(chat.quantities.get(Meter::InputTokens), 1200);
    let embeddings = plain(
        "/v1/embeddings",
        &facts("m"),
        include_bytes!("../../../fixtures/openai/embeddings.json"),
    );
    assert_eq!(embeddings.quantities.get(Meter::InputTokens), 8);
    assert_eq!(embeddings.model.as_deref(), Some("text-embedding-3-small"));
    let tokens = plain(
        "/v1/audio/transcriptions",
        &facts("gpt-4o-transcribe"),
        include_bytes!("../../../fixtures/openai/transcription_tokens.json"),
    );
    assert_eq!(tokens.quantities.get(Meter::InputAudioTokens), 10);
    let duration = plain(
        "/v1/audio/transcriptions",
        &facts("whisper-1"),
        include_bytes!("../../../fixtures/openai/transcription_duration.json"),
    );
    assert_eq!(duration.quantities.get(Meter::AudioMilliseconds), 9_254);
    assert_eq!(duration.model.as_deref(), Some("whisper-1"));
    let images = plain(
        "/v1/images/generations",
        &facts("gpt-image-1"),
        include_bytes!("../../../fixtures/openai/images.json"),
    );
    assert_eq!(images.quantities.get(Meter::OutputImageTokens), 50);
    assert_eq!(images.quantities.get(Meter::InputImageTokens), 40);
}

#[test]
fn other_streams() {
    let body = include_bytes!("../../../fixtures/openai/transcription_stream.sse");
    let (roles, reading) = stream(
        "/v1/audio/transcriptions",
        &facts("gpt-4o-transcribe"),
        false,
        &[body],
    );
    assert_eq!(roles, [EventRole::Pass, EventRole::Terminal]);
    assert_eq!(reading.quantities.get(Meter::OutputTokens), 45);
    let body = include_bytes!("../../../fixtures/openai/speech_stream.sse");
    let (_, reading) = stream(
        "/v1/audio/speech",
        &facts("gpt-4o-mini-tts"),
        false,
        &[body],
    );
    assert_eq!(reading.quantities.get(Meter::OutputAudioTokens), 101);
}

#[test]
fn what_has_no_usage_is_measured_or_said_to_be_unknown() {
    let mut spoken = facts("tts-1");
    spoken.characters = Some(11);
    let mut meter = OpenAiMeter::new(
        &route("/v1/audio/speech"),
        &spoken,
        AnswerKind::Other,
        false,
    );
    meter.bytes(b"ID3 sound");
    let reading = meter.reading(true);
    assert_eq!(
        (reading.basis, reading.quantities.get(Meter::Characters)),
        (ReadingBasis::Measured, 11)
    );

    let mut heard = facts("whisper-1");
    heard.audio_milliseconds = Some(1_500);
    let mut meter = OpenAiMeter::new(
        &route("/v1/audio/transcriptions"),
        &heard,
        AnswerKind::Other,
        false,
    );
    let reading = meter.reading(true);
    assert_eq!(
        (
            reading.basis,
            reading.quantities.get(Meter::AudioMilliseconds)
        ),
        (ReadingBasis::Measured, 1_500)
    );
    heard.audio_milliseconds = None;
    let mut meter = OpenAiMeter::new(
        &route("/v1/audio/transcriptions"),
        &heard,
        AnswerKind::Other,
        false,
    );
    let reading = meter.reading(true);
    assert_eq!(
        (reading.basis, reading.partial),
        (ReadingBasis::Unknown, true)
    );

    let mut later = facts("gpt-5");
    later.background = true;
    let queued = plain(
        "/v1/responses",
        &later,
        br#"{"status":"queued","model":"gpt-5","usage":null}"#,
    );
    assert_eq!(
        (queued.basis, queued.partial),
        (ReadingBasis::Unknown, true)
    );
}
