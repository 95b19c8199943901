//! What is read from a request to OpenAI, and the one change that is made to it.

use std::ops::Range;

use bytes::Bytes;
use diamond_domain::{Meter, Quantities};

use crate::{
    Found, JsonScan, Metering, ModelLimits, MultipartScan, Pattern, RequestFacts, RequestHead,
    Route, credential,
};

const PATTERNS: &[Pattern] = &[
    Pattern::value(&["model"]),
    Pattern::value(&["stream"]),
    Pattern::value(&["stream_options"]),
    Pattern::value(&["stream_options", "include_usage"]),
    Pattern::value(&["max_tokens"]),
    Pattern::value(&["max_completion_tokens"]),
    Pattern::value(&["max_output_tokens"]),
    Pattern::value(&["n"]),
    Pattern::value(&["user"]),
    Pattern::value(&["safety_identifier"]),
    Pattern::value(&["service_tier"]),
    Pattern::value(&["background"]),
    Pattern::value(&["stream_format"]),
    Pattern::length(&["tools", "*", "container"]),
    Pattern::length(&["input"]),
    Pattern::length(&["input", "*"]),
    Pattern::length(&["input", "*", "content"]),
    Pattern::length(&["input", "*", "content", "*", "text"]),
    Pattern::length(&["messages", "*", "content"]),
    Pattern::length(&["messages", "*", "content", "*", "text"]),
    Pattern::length(&["instructions"]),
    Pattern::length(&["prompt"]),
    Pattern::length(&["prompt", "*"]),
];
const MODEL: usize = 0;
const STREAM: usize = 1;
const STREAM_OPTIONS: usize = 2;
const INCLUDE_USAGE: usize = 3;
const LIMITS: [usize; 3] = [4, 5, 6];
const COUNT: usize = 7;
const USER: usize = 8;
const SAFETY_IDENTIFIER: usize = 9;
const SERVICE_TIER: usize = 10;
const BACKGROUND: usize = 11;
const STREAM_FORMAT: usize = 12;
/// Only the name of a container is a string.
const CONTAINER_NAMES: usize = 13;
const TEXTS: Range<usize> = 14..23;

/// The text to be spoken is kept whole: its characters are counted.
const SPEECH_PATTERNS: &[Pattern] = &[Pattern::value(&["input"])];

/// The model of a realtime session stands in its address.
pub(super) fn read_head(route: &Route, head: &RequestHead<'_>) -> RequestFacts {
    if route.operation != "realtime" {
        return RequestFacts::default();
    }
    let mut parameters = credential::parameters(head.query.unwrap_or_default());
    let model = parameters.find(|(name, _)| name == "model");
    RequestFacts {
        model: model.map(|(_, model)| model.into_owned()),
        ..RequestFacts::default()
    }
}

pub(super) fn read_json(route: &Route, body: &[u8]) -> RequestFacts {
    let scan = JsonScan::of(PATTERNS, body);
    let spoken = route.operation == "audio.speech";
    let speech_stream = spoken
        && scan
            .get::<String>(STREAM_FORMAT)
            .is_some_and(|format| format == "sse");
    RequestFacts {
        model: scan.get(MODEL),
        service_tier: scan.get(SERVICE_TIER),
        streams: scan.get(STREAM).unwrap_or(speech_stream),
        background: scan.get(BACKGROUND).unwrap_or(false),
        wants_stream_usage: include_usage(&scan)
            .and_then(|member| serde_json::from_slice(member.raw.as_deref()?).ok())
            .unwrap_or(false),
        max_output_tokens: LIMITS.iter().filter_map(|&limit| scan.get(limit)).max(),
        count: scan.get(COUNT),
        user: scan.get(SAFETY_IDENTIFIER).or_else(|| scan.get(USER)),
        input_text_bytes: TEXTS.map(|place| scan.length(place)).sum(),
        body_bytes: body.len() as u64,
        characters: spoken.then(|| characters(body)).flatten(),
        own_sandbox: scan.length(CONTAINER_NAMES) > 0,
        ..RequestFacts::default()
    }
}

fn characters(body: &[u8]) -> Option<u64> {
    let text: String = JsonScan::of(SPEECH_PATTERNS, body).get(0)?;
    Some(text.chars().count() as u64)
}

pub(super) fn read_multipart(form: &MultipartScan) -> RequestFacts {
    let text = |name: &str| form.field(name).map(str::to_owned);
    RequestFacts {
        model: text("model"),
        streams: form
            .field("stream")
            .is_some_and(|value| value.eq_ignore_ascii_case("true")),
        count: form.field("n").and_then(|value| value.parse().ok()),
        user: text("user"),
        input_text_bytes: form.field("prompt").map_or(0, |prompt| prompt.len() as u64),
        body_bytes: form.total_bytes(),
        audio_milliseconds: form.file_milliseconds(),
        response_format: text("response_format"),
        ..RequestFacts::default()
    }
}

/// Asks for the usage chunk of a stream when the caller did not. Only these two operations have
/// the option; the others state usage in their last event anyway.
pub(super) fn ask_for_usage(route: &Route, facts: &RequestFacts, body: &Bytes) -> Option<Bytes> {
    let has_option = matches!(route.operation, "chat.completions" | "completions");
    if !has_option || !facts.streams || facts.wants_stream_usage {
        return None;
    }
    with_usage_asked(body)
}

/// The body with `stream_options.include_usage` set; `None` where that cannot be done.
pub(crate) fn with_usage_asked(body: &Bytes) -> Option<Bytes> {
    let scan = JsonScan::of(PATTERNS, body);
    // What is not JSON to the end is the provider's to refuse, as it came.
    let at_end = scan.is_complete();
    let (replaced, text) = at_end.then(|| edit(&scan, body)).flatten()?;
    let mut edited = Vec::with_capacity(body.len() + text.len());
    edited.extend_from_slice(&body[..replaced.start]);
    edited.extend_from_slice(text.as_bytes());
    edited.extend_from_slice(&body[replaced.end..]);
    Some(edited.into())
}

/// Which bytes give way to which text.
fn edit(scan: &JsonScan, body: &[u8]) -> Option<(Range<usize>, &'static str)> {
    let Some(options) = scan.last(STREAM_OPTIONS) else {
        let open = body.iter().position(|&byte| byte == b'{')? + 1;
        return Some((open..open, r#""stream_options":{"include_usage":true},"#));
    };
    let span = span(options)?;
    let value = &body[span.clone()];
    if value == b"null" {
        return Some((span, r#"{"include_usage":true}"#));
    }
    if !value.starts_with(b"{") {
        return None;
    }
    if let Some(member) = include_usage(scan) {
        return Some((self::span(member)?, "true"));
    }
    let open = span.start + 1;
    let is_empty = value[1..value.len() - 1]
        .iter()
        .all(u8::is_ascii_whitespace);
    let text = if is_empty {
        r#""include_usage":true"#
    } else {
        r#""include_usage":true,"#
    };
    Some((open..open, text))
}

/// The option as it counts: of repeated options the last one, and its members with it.
fn include_usage(scan: &JsonScan) -> Option<&Found> {
    let options = scan.last(STREAM_OPTIONS)?;
    scan.all(INCLUDE_USAGE)
        .filter(|member| member.start >= options.start && member.end <= options.end)
        .last()
}

fn span(found: &Found) -> Option<Range<usize>> {
    Some(usize::try_from(found.start).ok()?..usize::try_from(found.end).ok()?)
}

/// The most that a call can use: no input has more tokens than bytes, no output more than the
/// request or the model allows.
pub(super) fn ceiling(route: &Route, facts: &RequestFacts, limits: ModelLimits) -> Quantities {
    let quantities = Quantities::new().with(Meter::Requests, 1);
    match (route.metering, route.operation) {
        (Metering::Free | Metering::Deferred | Metering::Unknown, _) => quantities,
        (_, "audio.speech") => quantities.with(Meter::Characters, facts.characters.unwrap_or(0)),
        (_, "containers.create") => quantities.with(Meter::CodeSessions, 1),
        (_, "audio.transcriptions" | "audio.translations") if billed_by_time(facts) => {
            // Speech is rarely stored in less than 4 bytes a millisecond (32 kbit/s).
            let unmeasured = facts.body_bytes / 4;
            let milliseconds = facts.audio_milliseconds.unwrap_or(unmeasured);
            quantities.with(Meter::AudioMilliseconds, milliseconds)
        }
        (_, operation) => {
            let most_input = limits.max_input_tokens.unwrap_or(u64::MAX);
            let most_output = limits.max_output_tokens.unwrap_or(u64::MAX);
            let output = match (operation, facts.max_output_tokens) {
                ("embeddings", _) => 0,
                (_, Some(asked)) => asked.min(most_output),
                (_, None) => limits.max_output_tokens.unwrap_or(0),
            };
            quantities
                .with(Meter::InputTokens, facts.body_bytes.min(most_input))
                .with(
                    Meter::OutputTokens,
                    output.saturating_mul(facts.count.unwrap_or(1)),
                )
        }
    }
}

pub(super) fn billed_by_time(facts: &RequestFacts) -> bool {
    let model = facts.model.as_deref().unwrap_or("");
    model.starts_with("whisper") || model == "gpt-transcribe"
}

#[cfg(test)]
mod tests;
