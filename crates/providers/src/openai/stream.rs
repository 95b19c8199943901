//! The meter of OpenAI's answers, plain and streamed.

use diamond_domain::{Meter, Quantities};
use memchr::memmem;

use crate::{
    AnswerKind, EventRole, JsonScan, Metering, Pattern, Reading, ReadingBasis, RequestFacts,
    ResponseMeter, Route,
    openai::{tools::Tools, usage},
};

/// A plain answer, and an event whose data is the answer or a piece of it.
const ANSWER: &[Pattern] = &[
    Pattern::value(&["usage"]),
    Pattern::value(&["model"]),
    Pattern::value(&["service_tier"]),
    Pattern::value(&["error"]),
    Pattern::value(&["type"]),
    Pattern::value(&["output", "*", "type"]),
    Pattern::value(&["output", "*", "action", "type"]),
    Pattern::value(&["output", "*", "container_id"]),
    Pattern::length(&["choices", "*", "message", "content"]),
    Pattern::length(&["choices", "*", "text"]),
    Pattern::length(&["output", "*", "content", "*", "text"]),
    Pattern::length(&["text"]),
    Pattern::length(&["delta"]),
    Pattern::length(&["choices", "*", "delta", "content"]),
    Pattern::length(&["choices", "*", "delta", "reasoning_content"]),
    Pattern::length(&["choices", "*", "delta", "refusal"]),
    Pattern::length(&[
        "choices",
        "*",
        "delta",
        "tool_calls",
        "*",
        "function",
        "arguments",
    ]),
];
/// The envelope of an event of the Responses API.
const RESPONSE: &[Pattern] = &[
    Pattern::value(&["response", "usage"]),
    Pattern::value(&["response", "model"]),
    Pattern::value(&["response", "service_tier"]),
    Pattern::value(&["response", "error"]),
    Pattern::value(&["type"]),
    Pattern::value(&["response", "output", "*", "type"]),
    Pattern::value(&["response", "output", "*", "action", "type"]),
    Pattern::value(&["response", "output", "*", "container_id"]),
];
/// Whether a chunk carries choices at all.
const CHOICES: &[Pattern] = &[
    Pattern::value(&["choices"]),
    Pattern::value(&["choices", "*"]),
];

const USAGE: usize = 0;
const MODEL: usize = 1;
const SERVICE_TIER: usize = 2;
const ERROR: usize = 3;
const TYPE: usize = 4;
pub(super) const OUTPUT_TYPE: usize = 5;
pub(super) const ACTION_TYPE: usize = 6;
pub(super) const CONTAINER: usize = 7;
const TEXTS: std::ops::Range<usize> = 8..17;

/// A longer usage object is none.
const USAGE_BYTES: usize = 64 << 10;
/// Bytes of English text that make one token, roughly; only for estimates.
const BYTES_PER_TOKEN: u64 = 4;

pub(super) struct OpenAiMeter {
    operation: &'static str,
    metering: Metering,
    facts: RequestFacts,
    kind: AnswerKind,
    usage_injected: bool,
    scan: JsonScan,
    opening: Opening,
    model: Option<String>,
    service_tier: Option<String>,
    usage: Option<Vec<u8>>,
    /// Sum over the pictures of a stream, each of which states its own usage.
    pictures: Option<Quantities>,
    tools: Tools,
    output_text_bytes: u64,
    failed_inside: bool,
}

impl OpenAiMeter {
    pub(super) fn new(
        route: &Route,
        facts: &RequestFacts,
        kind: AnswerKind,
        usage_injected: bool,
    ) -> Self {
        Self {
            operation: route.operation,
            metering: route.metering,
            facts: facts.clone(),
            kind,
            usage_injected,
            scan: JsonScan::new(ANSWER),
            opening: Opening::default(),
            model: None,
            service_tier: None,
            usage: None,
            pictures: None,
            tools: Tools::default(),
            output_text_bytes: 0,
            failed_inside: false,
        }
    }

    /// Takes what a scanned answer or event says of the whole call. A usage object replaces the
    /// one before: the last total counts.
    fn take(&mut self, scan: &JsonScan) -> bool {
        if self.model.is_none() {
            self.model = scan.get(MODEL).filter(|model: &String| !model.is_empty());
        }
        let said = scan.raw(SERVICE_TIER);
        if said.is_some_and(|said| !is_text(said, self.service_tier.as_deref()))
            && let Some(tier) = scan.get(SERVICE_TIER)
        {
            self.service_tier = Some(tier);
        }
        if scan.raw(ERROR).is_some_and(|error| error != b"null") {
            self.failed_inside = true;
        }
        self.tools.take(scan);
        let usage = scan
            .raw(USAGE)
            .filter(|raw| *raw != b"null" && raw.len() <= USAGE_BYTES);
        if let Some(usage) = usage {
            self.usage = Some(usage.to_vec());
        }
        usage.is_some()
    }

    fn take_texts(&mut self, scan: &JsonScan) {
        self.output_text_bytes += TEXTS.map(|place| scan.length(place)).sum::<u64>();
    }

    /// A chunk of chat or completions.
    fn chunk(&mut self, data: &[u8]) -> EventRole {
        if data == b"[DONE]" {
            return EventRole::Terminal;
        }
        let mut scan = std::mem::replace(&mut self.scan, JsonScan::new(&[]));
        self.opening.scan(data, &mut scan);
        let has_usage = self.take(&scan);
        self.take_texts(&scan);
        self.scan = scan;
        if has_usage && self.usage_injected {
            let choices = JsonScan::of(CHOICES, data);
            // Usage beside a choice is read, but that choice is the caller's.
            if choices.last(0).is_some() && choices.last(1).is_none() {
                return EventRole::Hide;
            }
        }
        EventRole::Pass
    }

    fn response_event(&mut self, name: &[u8], data: &[u8]) -> EventRole {
        match name {
            b"response.completed" | b"response.incomplete" => {
                self.take(&JsonScan::of(RESPONSE, data));
                EventRole::Terminal
            }
            b"response.failed" | b"response.cancelled" => {
                self.take(&JsonScan::of(RESPONSE, data));
                self.failed_inside = true;
                EventRole::Terminal
            }
            b"response.created" | b"response.in_progress" | b"response.queued" => {
                self.take(&JsonScan::of(RESPONSE, data));
                EventRole::Pass
            }
            b"error" => {
                self.failed_inside = true;
                EventRole::Terminal
            }
            _ if name.ends_with(b".delta") => {
                self.take_texts(&JsonScan::of(ANSWER, data));
                EventRole::Pass
            }
            _ => EventRole::Pass,
        }
    }

    /// Streams of transcription, speech, pictures and runs: the data is the object itself.
    fn typed_event(&mut self, name: &[u8], data: &[u8]) -> EventRole {
        if data == b"[DONE]" {
            return EventRole::Terminal;
        }
        let scan = JsonScan::of(ANSWER, data);
        match name {
            b"transcript.text.done" | b"speech.audio.done" => {
                self.take(&scan);
                EventRole::Terminal
            }
            b"image_generation.completed" | b"image_edit.completed" => {
                if self.take(&scan) {
                    self.add_picture();
                }
                EventRole::Pass
            }
            b"error" => {
                self.failed_inside = true;
                EventRole::Pass
            }
            _ => {
                if name.starts_with(b"thread.run.") && !name.starts_with(b"thread.run.step.") {
                    self.take(&scan);
                    self.failed_inside |= name == b"thread.run.failed";
                } else if scan.raw(ERROR).is_some_and(|error| error != b"null") {
                    self.failed_inside = true;
                }
                self.take_texts(&scan);
                EventRole::Pass
            }
        }
    }

    fn add_picture(&mut self) {
        let Some(raw) = self.usage.as_deref() else {
            return;
        };
        if let Some(picture) = usage::quantities(raw, usage::Output::Pictures) {
            let sum = self.pictures.get_or_insert_with(Quantities::new);
            sum.add(Meter::Images, 1);
            for (meter, amount) in picture
                .iter()
                .filter(|(meter, _)| *meter != Meter::Requests)
            {
                sum.add(meter, amount);
            }
        }
    }

    fn output(&self) -> usage::Output {
        match self.operation {
            "audio.speech" => usage::Output::Sound,
            "images.generations" | "images.edits" => usage::Output::Pictures,
            _ => usage::Output::Text,
        }
    }

    /// Our own count, for answers that have none.
    fn measured(&self) -> Option<Quantities> {
        let one = Quantities::new().with(Meter::Requests, 1);
        match self.operation {
            "audio.speech" => Some(one.with(Meter::Characters, self.facts.characters?)),
            // A model that is billed by tokens has a price by time for just this.
            "audio.transcriptions" | "audio.translations" => {
                Some(one.with(Meter::AudioMilliseconds, self.facts.audio_milliseconds?))
            }
            "containers.create" => Some(one.with(Meter::CodeSessions, 1)),
            "images.generations" | "images.edits" | "images.variations" => {
                Some(one.with(Meter::Images, self.facts.count.unwrap_or(1)))
            }
            _ => None,
        }
    }

    fn estimated(&self) -> Option<Quantities> {
        // A run's input stands on OpenAI's side; sound cannot be guessed from its text.
        let by_text = matches!(
            self.operation,
            "chat.completions"
                | "completions"
                | "responses"
                | "responses.compact"
                | "embeddings"
                | "decisions"
        );
        (by_text && !self.facts.background).then(|| {
            Quantities::new()
                .with(
                    Meter::InputTokens,
                    self.facts.input_text_bytes.div_ceil(BYTES_PER_TOKEN),
                )
                .with(
                    Meter::OutputTokens,
                    self.output_text_bytes.div_ceil(BYTES_PER_TOKEN),
                )
                .with(Meter::Requests, 1)
        })
    }

    fn count(&mut self, complete: bool) -> (Quantities, ReadingBasis, bool) {
        let one = Quantities::new().with(Meter::Requests, 1);
        match self.metering {
            Metering::Free => return (one, ReadingBasis::Free, false),
            Metering::Deferred => return (one, ReadingBasis::Unknown, false),
            Metering::Unknown => {
                let seen = self.usage.as_deref();
                let quantities = seen.and_then(|raw| usage::quantities(raw, usage::Output::Text));
                return (quantities.unwrap_or(one), ReadingBasis::Unknown, !complete);
            }
            Metering::Usage | Metering::Measured => {}
        }
        if let Some(pictures) = self.pictures.take() {
            return (
                pictures.with(Meter::Requests, 1),
                ReadingBasis::Reported,
                !complete,
            );
        }
        let reported = self
            .usage
            .as_deref()
            .and_then(|raw| usage::quantities(raw, self.output()));
        if let Some(mut quantities) = reported {
            self.add_tools(&mut quantities);
            if self.output() == usage::Output::Pictures {
                quantities.set(Meter::Images, self.facts.count.unwrap_or(1));
            }
            return (quantities, ReadingBasis::Reported, false);
        }
        if let Some(measured) = self.measured() {
            return (measured, ReadingBasis::Measured, false);
        }
        match self.estimated() {
            Some(estimated) => (estimated, ReadingBasis::Estimated, true),
            None => (one, ReadingBasis::Unknown, true),
        }
    }

    fn add_tools(&self, quantities: &mut Quantities) {
        // Models that search before every answer do not list their searches.
        let model = self
            .model
            .as_deref()
            .or(self.facts.model.as_deref())
            .unwrap_or("");
        let always = self.operation == "chat.completions"
            && (model.contains("-search-preview") || model.contains("-search-api"));
        quantities.set(
            Meter::WebSearches,
            self.tools.web_searches.max(u64::from(always)),
        );
        quantities.set(Meter::FileSearches, self.tools.file_searches);
        // A sandbox that the caller opened was counted when it was opened.
        if !self.facts.own_sandbox {
            quantities.set(Meter::CodeSessions, self.tools.sandboxes);
        }
    }
}

/// Whether a JSON string is just this text in quotes.
fn is_text(json: &[u8], text: Option<&str>) -> bool {
    let inside = json
        .strip_prefix(b"\"")
        .and_then(|json| json.strip_suffix(b"\""));
    inside.is_some_and(|inside| !inside.contains(&b'\\')) && inside == text.map(str::as_bytes)
}

/// How the chunks of a stream begin: one like another, but for what the model said. The scan of a
/// beginning that was scanned before is taken from there, and gives the same whatever it is.
#[derive(Default)]
struct Opening {
    bytes: Vec<u8>,
    scanned: Option<JsonScan>,
}

impl Opening {
    /// What follows it differs from chunk to chunk.
    const BEFORE: &[u8] = b"\"choices\":";

    /// Scans a chunk.
    fn scan(&mut self, data: &[u8], scan: &mut JsonScan) {
        if let (Some(scanned), Some(rest)) = (&self.scanned, data.strip_prefix(&*self.bytes)) {
            scan.clone_from(scanned);
            scan.push(rest);
            return;
        }
        scan.restart(ANSWER);
        let end = memmem::find(data, Self::BEFORE).unwrap_or(0);
        let (opening, rest) = data.split_at(end);
        scan.push(opening);
        self.bytes.clear();
        self.bytes.extend_from_slice(opening);
        self.scanned = (end > 0).then(|| scan.clone());
        scan.push(rest);
    }
}

impl ResponseMeter for OpenAiMeter {
    fn bytes(&mut self, bytes: &[u8]) {
        if self.kind == AnswerKind::Json && self.metering != Metering::Free {
            self.scan.push(bytes);
        }
    }

    fn event(&mut self, name: &[u8], data: &[u8]) -> EventRole {
        if self.metering == Metering::Free || data.is_empty() {
            return EventRole::Pass;
        }
        if matches!(self.operation, "chat.completions" | "completions") {
            return self.chunk(data);
        }
        // Some streams name their events in the data only.
        let kind: String;
        let name = if name.is_empty() {
            kind = JsonScan::of(ANSWER, data).get(TYPE).unwrap_or_default();
            kind.as_bytes()
        } else {
            name
        };
        if self.operation == "responses" {
            self.response_event(name, data)
        } else {
            self.typed_event(name, data)
        }
    }

    fn reading(&mut self, complete: bool) -> Reading {
        if self.kind == AnswerKind::Json {
            let scan = std::mem::replace(&mut self.scan, JsonScan::new(&[]));
            self.take(&scan);
            self.take_texts(&scan);
        }
        let (quantities, basis, partial) = self.count(complete);
        let provider_usage = self
            .usage
            .take()
            .and_then(|raw| String::from_utf8(raw).ok());
        let kept = matches!(
            self.metering,
            Metering::Usage | Metering::Measured | Metering::Unknown
        );
        Reading {
            model: self.model.take().or_else(|| self.facts.model.clone()),
            service_tier: self.service_tier.take(),
            quantities,
            basis,
            partial,
            failed_inside: self.failed_inside && self.kind == AnswerKind::EventStream,
            modifiers: match self.operation {
                "decisions" => vec!["operation:decisions".into()],
                _ => Vec::new(),
            },
            provider_usage: provider_usage.filter(|_| kept),
            beside: Vec::new(),
            stated_cost: None,
        }
    }
}

#[cfg(test)]
mod tests;
