//! Recorded answers through the meter.

use super::*;
use crate::{Classified, deepgram::routes, testing::header_map};
use http::Method;

fn meter(path: &str, facts: &RequestFacts, kind: AnswerKind) -> DeepgramMeter {
    match routes::classify(&Method::POST, path) {
        Classified::Forward(route) => DeepgramMeter::new(&route, facts, kind),
        Classified::Refuse(refused) => panic!("{}", refused.code),
    }
}

fn facts(model: &str) -> RequestFacts {
    RequestFacts {
        model: Some(model.into()),
        modifiers: vec!["diarize:true"],
        ..RequestFacts::default()
    }
}

const LISTEN: &[u8] = include_bytes!("../../../fixtures/deepgram/listen.json");

#[test]
fn hearing_is_the_length_that_the_answer_states() {
    for (apart, milliseconds) in [(false, 25_933), (true, 51_866)] {
        let facts = RequestFacts {
            response_format: apart.then(|| MULTICHANNEL.to_owned()),
            ..facts("nova-3")
        };
        let mut meter = meter("/v1/listen", &facts, AnswerKind::Json);
        meter.headers(&header_map(&[("dg-model-name", "general-nova-3")]));
        for piece in LISTEN.chunks(9) {
            meter.bytes(piece);
        }
        let reading = meter.reading(true);
        assert_eq!(reading.basis, ReadingBasis::Reported);
        let heard = reading.quantities.get(Meter::AudioMilliseconds);
        assert_eq!(heard, milliseconds);
        assert_eq!(reading.model.as_deref(), Some("nova-3"));
        assert_eq!(reading.modifiers, ["diarize:true"]);
        assert!(reading.provider_usage.is_some());
    }
}

#[test]
fn what_is_not_stated_is_unknown() {
    let mut asked = facts("nova-3");
    asked.background = true;
    let mut meter = meter("/v1/listen", &asked, AnswerKind::Json);
    meter.bytes(br#"{"request_id":"r_1"}"#);
    let reading = meter.reading(true);
    assert_eq!(reading.basis, ReadingBasis::Unknown);
    assert!(!reading.partial);
    assert!(meter.reading(false).partial);
}

#[test]
fn speech_is_what_the_header_states_or_else_the_text() {
    let asked = RequestFacts {
        characters: Some(12),
        ..facts("aura-asteria-en")
    };
    let mut stated = meter("/v1/speak", &asked, AnswerKind::Other);
    let headers = [
        ("dg-char-count", "11"),
        ("dg-model-name", "aura-2-thalia-en"),
    ];
    stated.headers(&header_map(&headers));
    stated.bytes(b"sound");
    let reading = stated.reading(true);
    assert_eq!(reading.basis, ReadingBasis::Reported);
    assert_eq!(reading.quantities.get(Meter::Characters), 11);
    assert_eq!(reading.model.as_deref(), Some("aura-2-thalia-en"));
    assert_eq!(
        reading.provider_usage.as_deref(),
        Some(r#"{"dg-char-count":11}"#)
    );
    let reading = meter("/v1/speak", &asked, AnswerKind::Other).reading(false);
    assert_eq!(reading.basis, ReadingBasis::Measured);
    assert_eq!(reading.quantities.get(Meter::Characters), 12);
    assert!(!reading.partial);
}

#[test]
fn a_text_is_read_by_the_token() {
    let mut meter = meter("/v1/read", &facts("text-intelligence"), AnswerKind::Json);
    meter.bytes(include_bytes!("../../../fixtures/deepgram/read.json"));
    let reading = meter.reading(true);
    assert_eq!(reading.basis, ReadingBasis::Reported);
    assert_eq!(reading.quantities.get(Meter::InputTokens), 190);
}
