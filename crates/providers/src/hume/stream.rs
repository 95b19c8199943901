//! The meter of Hume's answers: runs, decisions, and sound whole and line by line.

use diamond_domain::{Meter, Quantities};

use crate::{
    AnswerKind, EventRole, JsonScan, Metering, Reading, ReadingBasis, RequestFacts, ResponseMeter,
    Route,
    hume::usage::{ANSWER, Stated},
};

pub(super) struct HumeMeter {
    route: Route,
    facts: RequestFacts,
    kind: AnswerKind,
    scan: JsonScan,
    failed_inside: bool,
}

impl HumeMeter {
    pub(super) fn new(route: &Route, facts: &RequestFacts, kind: AnswerKind) -> Self {
        Self {
            route: *route,
            facts: facts.clone(),
            kind,
            scan: JsonScan::new(ANSWER),
            failed_inside: false,
        }
    }

    fn count(&self) -> (Quantities, ReadingBasis, Option<String>) {
        let one = Quantities::new().with(Meter::Requests, 1);
        match self.route.metering {
            Metering::Free => (one, ReadingBasis::Free, None),
            Metering::Deferred | Metering::Unknown => (one, ReadingBasis::Unknown, None),
            // No answer tells how much was spoken: the text is what was bought.
            Metering::Measured => match self.facts.characters {
                Some(count) => (
                    one.with(Meter::Characters, count),
                    ReadingBasis::Measured,
                    None,
                ),
                None => (one, ReadingBasis::Unknown, None),
            },
            Metering::Usage => {
                let stated = Stated::read(&self.scan);
                match stated.quantities {
                    Some(quantities) => (quantities, ReadingBasis::Reported, stated.verbatim),
                    None => (one, ReadingBasis::Unknown, None),
                }
            }
        }
    }
}

impl ResponseMeter for HumeMeter {
    fn bytes(&mut self, bytes: &[u8]) {
        if self.kind == AnswerKind::Json && self.route.metering == Metering::Usage {
            self.scan.push(bytes);
        }
    }

    fn event(&mut self, name: &[u8], _data: &[u8]) -> EventRole {
        self.failed_inside |= name == b"error";
        EventRole::Pass
    }

    fn reading(&mut self, complete: bool) -> Reading {
        let (quantities, basis, provider_usage) = self.count();
        let states = self.route.metering == Metering::Usage;
        Reading {
            model: self.facts.model.clone(),
            service_tier: None,
            quantities,
            basis,
            // A text's cost is known before the first sound of it.
            partial: !complete && states && basis == ReadingBasis::Unknown,
            failed_inside: self.failed_inside,
            modifiers: Vec::new(),
            provider_usage,
            beside: Vec::new(),
            stated_cost: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Classified,
        hume::{request, routes},
    };

    fn meter(path: &str, characters: Option<u64>, kind: AnswerKind) -> HumeMeter {
        match routes::classify(&http::Method::POST, path) {
            Classified::Forward(route) => {
                let facts = RequestFacts {
                    model: request::model_of(&route),
                    characters,
                    ..RequestFacts::default()
                };
                HumeMeter::new(&route, &facts, kind)
            }
            Classified::Refuse(refused) => panic!("{}", refused.code),
        }
    }

    #[test]
    fn what_is_received_is_reported() {
        for (path, body, model) in [
            (
                "/v1/expression/audio/file",
                include_bytes!("../../fixtures/hume/expression_audio.json").as_slice(),
                "expression-audio",
            ),
            (
                "/v1/expression/video/file",
                include_bytes!("../../fixtures/hume/expression_video.json"),
                "expression-video",
            ),
            (
                "/v0/decisions/file",
                include_bytes!("../../fixtures/hume/decisions.json"),
                "audio-decisions",
            ),
        ] {
            let mut meter = meter(path, None, AnswerKind::Json);
            for piece in body.chunks(5) {
                meter.bytes(piece);
            }
            let reading = meter.reading(true);
            assert_eq!(reading.basis, ReadingBasis::Reported, "{path}");
            assert_eq!(reading.model.as_deref(), Some(model));
            assert!(reading.provider_usage.is_some());
        }
        let mut broken = meter("/v0/decisions/file", None, AnswerKind::Json);
        broken.bytes(b"{\"id\":");
        let reading = broken.reading(false);
        assert_eq!(
            (reading.basis, reading.partial),
            (ReadingBasis::Unknown, true)
        );
    }

    #[test]
    fn speech_is_measured_by_its_text() {
        let lines = include_bytes!("../../fixtures/hume/speech_lines.ndjson");
        for path in ["/v0/tts", "/v0/tts/stream/json", "/v0/tts/stream/file"] {
            let mut meter = meter(path, Some(12), AnswerKind::Other);
            meter.bytes(lines);
            let reading = meter.reading(false);
            assert_eq!(reading.basis, ReadingBasis::Measured);
            assert_eq!(reading.quantities.get(Meter::Characters), 12);
            assert!(!reading.partial);
        }
        let free = meter("/v0/decisions/file/input_tokens", None, AnswerKind::Json).reading(true);
        assert_eq!(free.basis, ReadingBasis::Free);
        let later = meter("/v0/batch/jobs", None, AnswerKind::Json).reading(true);
        assert_eq!(later.basis, ReadingBasis::Unknown);
    }
}
