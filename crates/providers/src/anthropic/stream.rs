//! The meter of Anthropic's answers, plain and streamed.

use diamond_domain::{Meter, Quantities};

use crate::{
    AnswerKind, EventRole, JsonScan, Metering, Pattern, Reading, ReadingBasis, RequestFacts,
    ResponseMeter, Route, anthropic::usage::Usage,
};

/// A plain answer, and the data of an event.
const ANSWER: &[Pattern] = &[
    Pattern::value(&["usage"]),
    Pattern::value(&["model"]),
    Pattern::value(&["type"]),
    Pattern::value(&["message", "usage"]),
    Pattern::value(&["message", "model"]),
    Pattern::length(&["content", "*", "text"]),
    Pattern::length(&["content", "*", "thinking"]),
    Pattern::length(&["delta", "text"]),
    Pattern::length(&["delta", "thinking"]),
    Pattern::length(&["delta", "partial_json"]),
    Pattern::length(&["completion"]),
];
const USAGE: usize = 0;
const MODEL: usize = 1;
const TYPE: usize = 2;
const MESSAGE_USAGE: usize = 3;
const MESSAGE_MODEL: usize = 4;
const TEXTS: std::ops::Range<usize> = 5..11;

/// A longer usage object is none.
const USAGE_BYTES: usize = 64 << 10;
/// Bytes of English text that make one token, roughly; only for estimates.
const BYTES_PER_TOKEN: u64 = 4;

pub(super) struct AnthropicMeter {
    metering: Metering,
    facts: RequestFacts,
    kind: AnswerKind,
    scan: JsonScan,
    model: Option<String>,
    usage: Option<Usage>,
    /// The usage objects as they came, by the event that brought them.
    said: Vec<(&'static str, Vec<u8>)>,
    /// Whether the cumulative count has come.
    counted: bool,
    output_text_bytes: u64,
    failed_inside: bool,
}

impl AnthropicMeter {
    pub(super) fn new(route: &Route, facts: &RequestFacts, kind: AnswerKind) -> Self {
        Self {
            metering: route.metering,
            facts: facts.clone(),
            kind,
            scan: JsonScan::new(ANSWER),
            model: None,
            usage: None,
            said: Vec::new(),
            counted: false,
            output_text_bytes: 0,
            failed_inside: false,
        }
    }

    fn take_usage(&mut self, raw: Option<&[u8]>, from: &'static str) {
        let Some(raw) = raw.filter(|raw| raw.len() <= USAGE_BYTES) else {
            return;
        };
        let Some(usage) = Usage::read(raw) else {
            return;
        };
        match &mut self.usage {
            Some(known) => known.overlay(usage),
            None => self.usage = Some(usage),
        }
        self.said.retain(|(earlier, _)| *earlier != from);
        self.said.push((from, raw.to_vec()));
    }

    fn take_texts(&mut self, scan: &JsonScan) {
        self.output_text_bytes += TEXTS.map(|place| scan.length(place)).sum::<u64>();
    }

    fn message_event(&mut self, name: &[u8], scan: &JsonScan) -> EventRole {
        match name {
            b"message_start" => {
                self.model = scan.get(MESSAGE_MODEL);
                self.take_usage(scan.raw(MESSAGE_USAGE), "message_start");
            }
            b"message_delta" => {
                self.take_usage(scan.raw(USAGE), "message_delta");
                self.counted = self.usage.is_some();
            }
            b"message_stop" => return EventRole::Terminal,
            b"error" => {
                self.failed_inside = true;
                return EventRole::Terminal;
            }
            // `content_block_delta` and, of the first API, `completion`.
            _ => self.take_texts(scan),
        }
        EventRole::Pass
    }

    /// The usage objects as they came: the only one, or one a name.
    fn verbatim(&self) -> Option<String> {
        let text = |raw: &[u8]| String::from_utf8(raw.to_vec()).ok();
        match self.said.as_slice() {
            [] => None,
            [(_, raw)] => text(raw),
            several => {
                let members: Option<Vec<String>> = several
                    .iter()
                    .map(|(from, raw)| Some(format!("\"{from}\":{}", text(raw)?)))
                    .collect();
                Some(format!("{{{}}}", members?.join(",")))
            }
        }
    }

    fn count(&self, complete: bool) -> (Quantities, ReadingBasis, bool) {
        let one = Quantities::new().with(Meter::Requests, 1);
        match (self.metering, &self.usage) {
            (Metering::Free, _) => (one, ReadingBasis::Free, false),
            (Metering::Deferred, _) => (one, ReadingBasis::Unknown, false),
            (Metering::Unknown, usage) => {
                let quantities = usage.as_ref().map(|usage| usage.quantities(0));
                (quantities.unwrap_or(one), ReadingBasis::Unknown, !complete)
            }
            (_, Some(usage)) if self.kind == AnswerKind::Json || self.counted => {
                (usage.quantities(0), ReadingBasis::Reported, !complete)
            }
            // Only the beginning was seen: its output is a token or two.
            (_, Some(usage)) => {
                let seen = self.output_text_bytes.div_ceil(BYTES_PER_TOKEN);
                (usage.quantities(seen), ReadingBasis::Estimated, true)
            }
            (_, None) => {
                let tokens = |bytes: u64| bytes.div_ceil(BYTES_PER_TOKEN);
                let guess = one
                    .with(Meter::InputTokens, tokens(self.facts.input_text_bytes))
                    .with(Meter::OutputTokens, tokens(self.output_text_bytes));
                (guess, ReadingBasis::Estimated, true)
            }
        }
    }
}

impl ResponseMeter for AnthropicMeter {
    fn bytes(&mut self, bytes: &[u8]) {
        if self.kind == AnswerKind::Json && self.metering != Metering::Free {
            self.scan.push(bytes);
        }
    }

    fn event(&mut self, name: &[u8], data: &[u8]) -> EventRole {
        if self.metering == Metering::Free || data.is_empty() {
            return EventRole::Pass;
        }
        let mut scan = std::mem::replace(&mut self.scan, JsonScan::new(&[]));
        scan.restart(ANSWER);
        scan.push(data);
        let kind: String;
        let name = if name.is_empty() {
            kind = scan.get(TYPE).unwrap_or_default();
            kind.as_bytes()
        } else {
            name
        };
        let role = self.message_event(name, &scan);
        self.scan = scan;
        role
    }

    fn reading(&mut self, complete: bool) -> Reading {
        if self.kind == AnswerKind::Json {
            let scan = std::mem::replace(&mut self.scan, JsonScan::new(&[]));
            self.model = scan.get(MODEL);
            self.take_usage(scan.raw(USAGE), "message");
            self.take_texts(&scan);
        }
        let (quantities, basis, partial) = self.count(complete);
        let provider_usage = self.verbatim();
        let usage = self.usage.take();
        let mut modifiers = Vec::new();
        if let Some(usage) = &usage {
            let geo = usage.inference_geo.as_deref();
            modifiers.extend(geo.map(|geo| format!("geo:{geo}").into()));
            let speed = usage.speed.as_deref();
            modifiers.extend(speed.map(|speed| format!("speed:{speed}").into()));
        }
        let kept = !matches!(self.metering, Metering::Free | Metering::Deferred);
        Reading {
            model: self
                .model
                .take()
                .filter(|model| !model.is_empty())
                .or_else(|| self.facts.model.clone()),
            service_tier: usage.as_ref().and_then(|usage| usage.service_tier.clone()),
            quantities,
            basis,
            partial,
            failed_inside: self.failed_inside,
            modifiers,
            provider_usage: provider_usage.filter(|_| kept),
            beside: match (kept, &usage) {
                (true, Some(usage)) => usage.beside(),
                _ => Vec::new(),
            },
            stated_cost: None,
        }
    }
}

#[cfg(test)]
mod tests;
