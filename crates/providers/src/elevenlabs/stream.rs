//! The meter of ElevenLabs' answers: sound, JSON, and JSON line by line.

use diamond_domain::{Meter, Quantities};
use http::HeaderMap;

use crate::{
    AnswerKind, EventRole, JsonScan, Metering, Pattern, Reading, ReadingBasis, RequestFacts,
    ResponseMeter, Route, decimal_seconds_to_milliseconds,
    elevenlabs::{request, usage::Stated},
};

/// A transcript. The length is that of all channels together.
const ANSWER: &[Pattern] = &[Pattern::value(&["audio_duration_secs"])];
const DURATION: usize = 0;

pub(super) struct ElevenLabsMeter {
    route: Route,
    facts: RequestFacts,
    kind: AnswerKind,
    stated: Stated,
    scan: JsonScan,
    failed_inside: bool,
}

impl ElevenLabsMeter {
    pub(super) fn new(route: &Route, facts: &RequestFacts, kind: AnswerKind) -> Self {
        Self {
            route: *route,
            facts: facts.clone(),
            kind,
            stated: Stated::default(),
            scan: JsonScan::new(ANSWER),
            failed_inside: false,
        }
    }

    fn hears(&self) -> bool {
        matches!(self.route.operation, "speech_to_text" | "forced_alignment")
    }

    /// What was used, how that is known, and the provider's words for it.
    fn count(&mut self) -> (Quantities, ReadingBasis, Option<String>) {
        let one = Quantities::new().with(Meter::Requests, 1);
        match self.route.metering {
            Metering::Free => return (one, ReadingBasis::Free, None),
            Metering::Deferred | Metering::Unknown => {
                let stated = self.stated.verbatim.take();
                return (self.stated.quantities(None), ReadingBasis::Unknown, stated);
            }
            Metering::Usage | Metering::Measured => {}
        }
        if self.hears() {
            return self.heard(one);
        }
        let spoken = self
            .facts
            .characters
            .filter(|_| request::speaks(&self.route));
        let basis = match (self.stated.credits, self.stated.characters, spoken) {
            (_, Some(_), _) => ReadingBasis::Reported,
            // The text is what was bought, whether the credits are known or not.
            (_, None, Some(_)) => ReadingBasis::Measured,
            (Some(_), None, None) => ReadingBasis::Reported,
            (None, None, None) => ReadingBasis::Unknown,
        };
        let quantities = self.stated.quantities(spoken);
        (quantities, basis, self.stated.verbatim.take())
    }

    fn heard(&self, one: Quantities) -> (Quantities, ReadingBasis, Option<String>) {
        let stated = self
            .scan
            .raw(DURATION)
            .and_then(|raw| std::str::from_utf8(raw).ok())
            .and_then(|text| Some((text, decimal_seconds_to_milliseconds(text)?)));
        match (stated, self.facts.audio_milliseconds) {
            (Some((text, milliseconds)), _) => (
                one.with(Meter::AudioMilliseconds, milliseconds),
                ReadingBasis::Reported,
                Some(format!("{{\"audio_duration_secs\":{text}}}")),
            ),
            (None, Some(milliseconds)) => (
                one.with(Meter::AudioMilliseconds, milliseconds),
                ReadingBasis::Measured,
                None,
            ),
            (None, None) => (one, ReadingBasis::Unknown, None),
        }
    }
}

impl ResponseMeter for ElevenLabsMeter {
    fn headers(&mut self, headers: &HeaderMap) {
        self.stated = Stated::read(headers);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        if self.kind == AnswerKind::Json && self.hears() {
            self.scan.push(bytes);
        }
    }

    fn event(&mut self, name: &[u8], _data: &[u8]) -> EventRole {
        if name == b"error" {
            self.failed_inside = true;
        }
        EventRole::Pass
    }

    fn reading(&mut self, complete: bool) -> Reading {
        let (quantities, basis, provider_usage) = self.count();
        // What is billed by its text is known before the first sound.
        let counts_at_the_end = self.hears() && basis != ReadingBasis::Reported;
        Reading {
            model: self.facts.model.clone(),
            service_tier: None,
            quantities,
            basis,
            partial: !complete && counts_at_the_end,
            failed_inside: self.failed_inside,
            modifiers: Vec::new(),
            provider_usage,
            beside: Vec::new(),
            stated_cost: None,
        }
    }
}

#[cfg(test)]
mod tests;
