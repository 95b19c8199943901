//! Recorded answers through the meter.

use super::*;
use crate::{Classified, elevenlabs::routes, testing::header_map};
use http::Method;

fn route(path: &str) -> Route {
    match routes::classify(&Method::POST, path) {
        Classified::Forward(route) => route,
        Classified::Refuse(refused) => panic!("{}", refused.code),
    }
}

fn read(
    path: &str,
    facts: &RequestFacts,
    kind: AnswerKind,
    headers: &[(&'static str, &str)],
    body: &[u8],
) -> Reading {
    let mut meter = ElevenLabsMeter::new(&route(path), facts, kind);
    meter.headers(&header_map(headers));
    for piece in body.chunks(7) {
        meter.bytes(piece);
    }
    meter.reading(true)
}

fn spoken(characters: u64) -> RequestFacts {
    RequestFacts {
        model: Some("eleven_flash_v2_5".into()),
        characters: Some(characters),
        ..RequestFacts::default()
    }
}

#[test]
fn speech_is_what_its_headers_state() {
    let headers = [("character-cost", "6"), ("x-character-count", "11")];
    for (path, kind, body) in [
        (
            "/v1/text-to-speech/v",
            AnswerKind::Other,
            b"\xff\xfb\x90\x64sound".as_slice(),
        ),
        ("/v1/text-to-speech/v/stream", AnswerKind::Other, b"sound"),
        (
            "/v1/text-to-speech/v/with-timestamps",
            AnswerKind::Json,
            b"{}",
        ),
        (
            "/v1/text-to-speech/v/stream/with-timestamps",
            AnswerKind::Other,
            include_bytes!("../../../fixtures/elevenlabs/speech_lines.ndjson"),
        ),
        ("/v1/text-to-dialogue/stream", AnswerKind::Other, b"sound"),
    ] {
        let reading = read(path, &spoken(12), kind, &headers, body);
        assert_eq!(reading.basis, ReadingBasis::Reported, "{path}");
        assert_eq!(reading.quantities.get(Meter::Characters), 11);
        assert_eq!(reading.quantities.get(Meter::Credits), 6);
        assert!(!reading.partial);
        assert_eq!(reading.model.as_deref(), Some("eleven_flash_v2_5"));
    }
}

#[test]
fn without_headers_the_text_counts() {
    let path = "/v1/text-to-speech/v";
    let reading = read(path, &spoken(12), AnswerKind::Other, &[], b"sound");
    assert_eq!(reading.basis, ReadingBasis::Measured);
    assert_eq!(reading.quantities.get(Meter::Characters), 12);
    // And so it does when the answer was not seen to its end.
    let mut meter = ElevenLabsMeter::new(&route(path), &spoken(12), AnswerKind::Other);
    let reading = meter.reading(false);
    assert_eq!(reading.quantities.get(Meter::Characters), 12);
    assert!(!reading.partial);
}

#[test]
fn credits_alone_are_counted_and_nothing_is_not_guessed() {
    let facts = RequestFacts::default();
    let cost = [("character-cost", "40")];
    for path in ["/v1/sound-generation", "/v1/voice-changer/v"] {
        let reading = read(path, &facts, AnswerKind::Other, &cost, b"sound");
        assert_eq!(reading.basis, ReadingBasis::Reported);
        assert_eq!(reading.quantities.get(Meter::Credits), 40);
        let reading = read(path, &facts, AnswerKind::Other, &[], b"sound");
        assert_eq!(reading.basis, ReadingBasis::Unknown);
    }
    let reading = read("/v1/music/stream", &facts, AnswerKind::Other, &[], b"sound");
    assert_eq!(reading.basis, ReadingBasis::Unknown);
}

#[test]
fn hearing_is_the_length_that_the_answer_states_over_all_channels() {
    let facts = RequestFacts {
        model: Some("scribe_v2".into()),
        audio_milliseconds: Some(9_999),
        ..RequestFacts::default()
    };
    for (body, milliseconds) in [
        (
            include_bytes!("../../../fixtures/elevenlabs/transcription.json").as_slice(),
            2_345,
        ),
        (
            include_bytes!("../../../fixtures/elevenlabs/transcription_channels.json"),
            4_690,
        ),
    ] {
        let reading = read("/v1/speech-to-text", &facts, AnswerKind::Json, &[], body);
        assert_eq!(reading.basis, ReadingBasis::Reported);
        let heard = reading.quantities.get(Meter::AudioMilliseconds);
        assert_eq!(heard, milliseconds);
    }
    // To a webhook goes the transcript; here only the file tells its length.
    let accepted = br#"{"message":"Request processed successfully","request_id":"r"}"#;
    let reading = read(
        "/v1/speech-to-text",
        &facts,
        AnswerKind::Json,
        &[],
        accepted,
    );
    assert_eq!(reading.basis, ReadingBasis::Measured);
    assert_eq!(reading.quantities.get(Meter::AudioMilliseconds), 9_999);
    let unknown = RequestFacts::default();
    let reading = read(
        "/v1/speech-to-text",
        &unknown,
        AnswerKind::Json,
        &[],
        accepted,
    );
    assert_eq!(reading.basis, ReadingBasis::Unknown);
}

#[test]
fn an_answer_that_breaks_off_is_partial_where_its_end_counts() {
    let facts = RequestFacts::default();
    let mut meter = ElevenLabsMeter::new(&route("/v1/speech-to-text"), &facts, AnswerKind::Json);
    meter.bytes(br#"{"text":"a","#);
    let reading = meter.reading(false);
    assert_eq!(
        (reading.basis, reading.partial),
        (ReadingBasis::Unknown, true)
    );
}

#[test]
fn what_is_free_is_free() {
    let mut meter = ElevenLabsMeter::new(
        &match routes::classify(&Method::GET, "/v1/models") {
            Classified::Forward(route) => route,
            Classified::Refuse(refused) => panic!("{}", refused.code),
        },
        &RequestFacts::default(),
        AnswerKind::Json,
    );
    assert_eq!(meter.reading(true).basis, ReadingBasis::Free);
}
