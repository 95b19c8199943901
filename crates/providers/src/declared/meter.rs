//! The meter of a declared service's answers, plain and streamed.

use diamond_domain::{Meter, Money, Quantities};

use super::{routes::Measure, usage::UsageReader};
use crate::{
    AnswerKind, EventRole, JsonScan, Metering, Pattern, Reading, ReadingBasis, RequestFacts,
    ResponseMeter,
};

/// A longer usage object is none.
const USAGE_BYTES: usize = 64 << 10;
/// Bytes of English text that make one token, roughly; only for estimates.
const BYTES_PER_TOKEN: u64 = 4;
/// Whether an event carries anything that the caller asked for.
const CHOICES: &[Pattern] = &[
    Pattern::value(&["choices"]),
    Pattern::value(&["choices", "*"]),
];
/// Some streams name their events in the data only.
const TYPE: &[Pattern] = &[Pattern::value(&["type"])];

pub(super) struct DeclaredMeter<'a> {
    pub(super) metering: Metering,
    pub(super) measure: Measure,
    pub(super) reader: Option<&'a UsageReader>,
    pub(super) facts: &'a RequestFacts,
    pub(super) kind: AnswerKind,
    pub(super) usage_injected: bool,
}

impl DeclaredMeter<'_> {
    pub(super) fn start(self) -> Running {
        let reader = self.reader.cloned();
        Running {
            metering: self.metering,
            measure: self.measure,
            scan: JsonScan::new(reader.as_ref().map_or(&[], |reader| reader.answer)),
            reader,
            facts: self.facts.clone(),
            kind: self.kind,
            usage_injected: self.usage_injected,
            model: None,
            tier: None,
            usage: None,
            text_bytes: 0,
            failed_inside: false,
        }
    }
}

/// A meter at work.
pub(super) struct Running {
    metering: Metering,
    measure: Measure,
    reader: Option<UsageReader>,
    facts: RequestFacts,
    kind: AnswerKind,
    usage_injected: bool,
    scan: JsonScan,
    model: Option<String>,
    tier: Option<String>,
    usage: Option<Vec<u8>>,
    text_bytes: u64,
    failed_inside: bool,
}

impl Running {
    /// Takes what an answer or an event says; whether it holds a count. A later count takes the
    /// place of an earlier one.
    fn take(&mut self, scan: &JsonScan) -> bool {
        let Some(reader) = &self.reader else {
            return false;
        };
        self.model = self.model.take().or_else(|| reader.model(scan));
        self.tier = reader.tier(scan).or_else(|| self.tier.take());
        self.failed_inside |= reader.has_error(scan);
        self.text_bytes += reader.text_bytes(scan);
        let object = reader.object(scan);
        let object = object.filter(|raw| raw.len() <= USAGE_BYTES && reader.read(raw).is_some());
        if let Some(object) = object {
            self.usage = Some(object.to_vec());
        }
        object.is_some()
    }

    /// Our own count, where the answer has none.
    fn measured(&self) -> Option<Quantities> {
        let one = Quantities::new().with(Meter::Requests, 1);
        match self.measure {
            Measure::Characters => Some(one.with(Meter::Characters, self.facts.characters?)),
            Measure::Sound => {
                Some(one.with(Meter::AudioMilliseconds, self.facts.audio_milliseconds?))
            }
            Measure::Nothing => Some(one),
        }
    }

    fn estimated(&self) -> Option<Quantities> {
        let reader = self.reader.as_ref().filter(|reader| reader.has_texts())?;
        let counts_tokens = |meter| reader.meters.iter().any(|field| field.meter == meter);
        let input = self.facts.input_text_bytes.div_ceil(BYTES_PER_TOKEN);
        let output = self.text_bytes.div_ceil(BYTES_PER_TOKEN);
        counts_tokens(Meter::OutputTokens).then(|| {
            Quantities::new()
                .with(Meter::InputTokens, input)
                .with(Meter::OutputTokens, output)
                .with(Meter::Requests, 1)
        })
    }

    fn count(&self, complete: bool) -> (Quantities, Option<Money>, ReadingBasis, bool) {
        let one = Quantities::new().with(Meter::Requests, 1);
        let reported = self
            .usage
            .as_deref()
            .and_then(|raw| self.reader.as_ref()?.read(raw));
        match (self.metering, reported) {
            (Metering::Free, _) => (one, None, ReadingBasis::Free, false),
            (Metering::Deferred, _) => (one, None, ReadingBasis::Unknown, false),
            (Metering::Unknown, _) => (one, None, ReadingBasis::Unknown, !complete),
            (_, Some((quantities, cost))) => (quantities, cost, ReadingBasis::Reported, false),
            (Metering::Measured, None) => match self.measured() {
                Some(measured) => (measured, None, ReadingBasis::Measured, false),
                None => (one, None, ReadingBasis::Unknown, true),
            },
            (Metering::Usage, None) => match self.estimated() {
                Some(estimated) => (estimated, None, ReadingBasis::Estimated, true),
                None => (one, None, ReadingBasis::Unknown, true),
            },
        }
    }
}

impl ResponseMeter for Running {
    fn bytes(&mut self, bytes: &[u8]) {
        if self.kind == AnswerKind::Json && self.reader.is_some() {
            self.scan.push(bytes);
        }
    }

    fn event(&mut self, name: &[u8], data: &[u8]) -> EventRole {
        let Some(reader) = &self.reader else {
            return EventRole::Pass;
        };
        let last = |text: &[u8]| {
            let mut names = reader.last_events.iter();
            names.any(|last| last.as_bytes() == text)
        };
        if last(data) {
            return EventRole::Terminal;
        }
        let ends = last(name)
            || (name.is_empty()
                && !reader.last_events.is_empty()
                && JsonScan::of(TYPE, data)
                    .get::<String>(0)
                    .is_some_and(|kind| last(kind.as_bytes())));
        let mut scan = std::mem::replace(&mut self.scan, JsonScan::new(&[]));
        scan.restart(reader.answer);
        scan.push(data);
        let has_usage = self.take(&scan);
        self.scan = scan;
        if ends {
            return EventRole::Terminal;
        }
        if has_usage && self.usage_injected {
            let choices = JsonScan::of(CHOICES, data);
            // Usage beside a choice is read, but that choice is the caller's.
            if choices.last(0).is_some() && choices.last(1).is_none() {
                return EventRole::Hide;
            }
        }
        EventRole::Pass
    }

    fn reading(&mut self, complete: bool) -> Reading {
        if self.kind == AnswerKind::Json {
            let scan = std::mem::replace(&mut self.scan, JsonScan::new(&[]));
            self.take(&scan);
        }
        let (quantities, stated_cost, basis, partial) = self.count(complete);
        let carries = matches!(self.metering, Metering::Usage | Metering::Measured);
        let provider_usage = self.usage.take().filter(|_| carries);
        Reading {
            model: self.model.take().or_else(|| self.facts.model.clone()),
            service_tier: self.tier.take(),
            quantities,
            basis,
            partial,
            failed_inside: self.failed_inside && self.kind == AnswerKind::EventStream,
            modifiers: Vec::new(),
            provider_usage: provider_usage.and_then(|raw| String::from_utf8(raw).ok()),
            beside: Vec::new(),
            stated_cost,
        }
    }
}
