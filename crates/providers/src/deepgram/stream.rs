//! The meter of Deepgram's answers: transcripts, sound, readings of texts.

use diamond_domain::{Meter, Quantities};
use http::HeaderMap;

use crate::{
    AnswerKind, EventRole, JsonScan, Metering, Reading, ReadingBasis, RequestFacts, ResponseMeter,
    Route,
    deepgram::{
        request::MULTICHANNEL,
        usage::{ANSWER, Stated},
    },
};

const CHARACTERS: &str = "dg-char-count";
const MODEL: &str = "dg-model-name";

pub(super) struct DeepgramMeter {
    route: Route,
    facts: RequestFacts,
    kind: AnswerKind,
    scan: JsonScan,
    characters: Option<u64>,
    /// The voice that spoke.
    voice: Option<String>,
    failed_inside: bool,
}

impl DeepgramMeter {
    pub(super) fn new(route: &Route, facts: &RequestFacts, kind: AnswerKind) -> Self {
        Self {
            route: *route,
            facts: facts.clone(),
            kind,
            scan: JsonScan::new(ANSWER),
            characters: None,
            voice: None,
            failed_inside: false,
        }
    }

    fn count(&self) -> (Quantities, ReadingBasis, Option<String>) {
        let one = Quantities::new().with(Meter::Requests, 1);
        match (self.route.metering, self.route.operation) {
            (Metering::Free, _) => (one, ReadingBasis::Free, None),
            (Metering::Deferred | Metering::Unknown, _) => (one, ReadingBasis::Unknown, None),
            (_, "speak") => self.spoken(one),
            _ => self.stated(),
        }
    }

    fn spoken(&self, one: Quantities) -> (Quantities, ReadingBasis, Option<String>) {
        match (self.characters, self.facts.characters) {
            (Some(count), _) => (
                one.with(Meter::Characters, count),
                ReadingBasis::Reported,
                Some(format!("{{\"{CHARACTERS}\":{count}}}")),
            ),
            // The text is what was bought.
            (None, Some(count)) => (
                one.with(Meter::Characters, count),
                ReadingBasis::Measured,
                None,
            ),
            (None, None) => (one, ReadingBasis::Unknown, None),
        }
    }

    fn stated(&self) -> (Quantities, ReadingBasis, Option<String>) {
        let stated = Stated::read(&self.scan);
        let apart = self.facts.response_format.as_deref() == Some(MULTICHANNEL);
        let is_stated = match self.route.operation {
            "listen" => stated.milliseconds.is_some(),
            _ => stated.has_tokens(),
        };
        let basis = if is_stated {
            ReadingBasis::Reported
        } else {
            ReadingBasis::Unknown
        };
        (stated.quantities(apart), basis, stated.verbatim)
    }
}

impl ResponseMeter for DeepgramMeter {
    fn headers(&mut self, headers: &HeaderMap) {
        let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
        self.characters = text(CHARACTERS).and_then(|text| text.parse().ok());
        // For what was heard the header names an edition of the model, which has no price.
        if self.route.operation == "speak" {
            let named = text(MODEL).filter(|name| !name.is_empty());
            self.voice = named.map(str::to_owned);
        }
    }

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
        let paid = self.route.metering == Metering::Usage;
        Reading {
            model: self.voice.take().or_else(|| self.facts.model.clone()),
            service_tier: None,
            quantities,
            basis,
            // A text's cost is known before the first sound of it.
            partial: !complete && paid && basis == ReadingBasis::Unknown,
            failed_inside: self.failed_inside,
            modifiers: if paid {
                self.facts
                    .modifiers
                    .iter()
                    .map(|&known| known.into())
                    .collect()
            } else {
                Vec::new()
            },
            provider_usage,
            beside: Vec::new(),
            stated_cost: None,
        }
    }
}

#[cfg(test)]
mod tests;
