//! Conversations with OpenAI: realtime sessions, and responses over a WebSocket. Each answer states
//! what it used, and the sum of them is what a session costs.

use diamond_domain::{Meter, Quantities};

use crate::{
    Beside, JsonScan, Pattern, Reading, ReadingBasis, RequestFacts, Route, SocketEnd,
    SocketMessage, SocketMeter,
    openai::usage::{self, Output},
    socket,
};

/// A meter for a conversation of this kind.
pub(super) fn meter(route: &Route, facts: &RequestFacts) -> Box<dyn SocketMeter> {
    match route.operation {
        "realtime" | "responses.live" => Box::new(Talking::new(facts)),
        _ => Box::new(socket::Timed::new(route, facts)),
    }
}

const RECEIVED: &[Pattern] = &[
    Pattern::value(&["type"]),
    Pattern::value(&["response", "usage"]),
    Pattern::value(&["response", "model"]),
    Pattern::value(&["response", "service_tier"]),
    Pattern::value(&["session", "model"]),
    Pattern::value(&["session", "audio", "input", "transcription", "model"]),
    Pattern::value(&["usage"]),
];
const TYPE: usize = 0;
const RESPONSE_USAGE: usize = 1;
const RESPONSE_MODEL: usize = 2;
const SERVICE_TIER: usize = 3;
const SESSION_MODEL: usize = 4;
const TRANSCRIBER: usize = 5;
const USAGE: usize = 6;

/// Usage objects beyond so many bytes are counted and not kept.
const VERBATIM_BYTES: usize = 64 << 10;

struct Talking {
    facts: RequestFacts,
    model: Option<String>,
    service_tier: Option<String>,
    transcriber: Option<String>,
    sum: Quantities,
    beside: Vec<Beside>,
    /// Answers that were begun, and those that stated their usage.
    begun: u64,
    stated: u64,
    verbatim: Vec<String>,
    verbatim_bytes: usize,
}

impl Talking {
    fn new(facts: &RequestFacts) -> Self {
        Self {
            facts: facts.clone(),
            model: None,
            service_tier: None,
            transcriber: None,
            sum: Quantities::new(),
            beside: Vec::new(),
            begun: 0,
            stated: 0,
            verbatim: Vec::new(),
            verbatim_bytes: 0,
        }
    }

    fn keep(&mut self, raw: &[u8]) {
        self.verbatim_bytes += raw.len();
        if self.verbatim_bytes <= VERBATIM_BYTES
            && let Ok(text) = std::str::from_utf8(raw)
        {
            self.verbatim.push(text.to_owned());
        }
    }

    fn answered(&mut self, scan: &JsonScan) {
        self.model = scan.get(RESPONSE_MODEL).or_else(|| self.model.take());
        self.service_tier = scan.get(SERVICE_TIER).or_else(|| self.service_tier.take());
        let Some(raw) = scan.raw(RESPONSE_USAGE) else {
            return;
        };
        let Some(used) = usage::quantities(raw, Output::Text) else {
            return;
        };
        self.stated += 1;
        for (meter, amount) in used.iter() {
            self.sum.add(meter, amount);
        }
        self.keep(raw);
    }

    /// What another model has heard of the same sound, at its own price.
    fn transcribed(&mut self, raw: &[u8]) {
        let Some(used) = usage::quantities(raw, Output::Text) else {
            return;
        };
        self.keep(raw);
        let model = self.transcriber.clone().unwrap_or_default();
        let known = self.beside.iter_mut().find(|beside| beside.model == model);
        match known {
            Some(beside) => {
                for (meter, amount) in used.iter() {
                    beside.quantities.add(meter, amount);
                }
            }
            None => self.beside.push(Beside {
                model,
                quantities: used,
            }),
        }
    }
}

impl SocketMeter for Talking {
    fn sent(&mut self, _message: SocketMessage<'_>) {}

    fn received(&mut self, message: SocketMessage<'_>) {
        let SocketMessage::Text(text) = message else {
            return;
        };
        let scan = JsonScan::of(RECEIVED, text);
        let kind: String = scan.get(TYPE).unwrap_or_default();
        match kind.as_str() {
            "session.created" | "session.updated" => {
                self.model = scan.get(SESSION_MODEL).or_else(|| self.model.take());
                self.transcriber = scan.get(TRANSCRIBER);
            }
            "response.created" => self.begun += 1,
            "response.done" | "response.completed" | "response.incomplete" | "response.failed" => {
                self.answered(&scan);
            }
            "conversation.item.input_audio_transcription.completed" => {
                if let Some(raw) = scan.raw(USAGE) {
                    self.transcribed(raw);
                }
            }
            _ => {}
        }
    }

    fn reading(&mut self, _end: &SocketEnd) -> Reading {
        let open = self.begun > self.stated;
        let mut quantities = self.sum.clone();
        quantities.set(Meter::Requests, self.stated.max(1));
        let basis = match (self.stated, open) {
            (0, true) => ReadingBasis::Unknown,
            (0, false) if self.beside.is_empty() => ReadingBasis::Free,
            _ => ReadingBasis::Reported,
        };
        let kept = self.verbatim_bytes <= VERBATIM_BYTES && !self.verbatim.is_empty();
        Reading {
            model: self.model.clone().or_else(|| self.facts.model.clone()),
            service_tier: self.service_tier.clone(),
            provider_usage: kept.then(|| format!("[{}]", self.verbatim.join(","))),
            beside: self.beside.clone(),
            ..socket::reading(&self.facts, quantities, basis, open)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::openai::routes;

    const END: SocketEnd = SocketEnd {
        regular: false,
        lasted: Duration::from_secs(3),
    };

    fn begin(path: &str) -> Box<dyn SocketMeter> {
        let crate::Classified::Forward(route) = routes::classify_socket(path) else {
            panic!("{path}")
        };
        let facts = RequestFacts {
            model: Some("gpt-realtime-2".into()),
            ..RequestFacts::default()
        };
        meter(&route, &facts)
    }

    fn told(meter: &mut dyn SocketMeter, texts: &[&str]) {
        for text in texts {
            meter.received(SocketMessage::Text(text.as_bytes()));
        }
    }

    const DONE: &str = r#"{"type":"response.done","response":{"id":"r","status":"completed","usage":{
        "total_tokens":30,"input_tokens":20,"output_tokens":10,"input_token_details":{"text_tokens":5,
        "audio_tokens":15,"cached_tokens":4,"cached_tokens_details":{"text_tokens":1,"audio_tokens":3}},
        "output_token_details":{"text_tokens":2,"audio_tokens":8}}}}"#;

    #[test]
    fn a_session_is_the_sum_of_its_answers() {
        let mut meter = begin("/v1/realtime");
        assert_eq!(meter.reading(&END).basis, ReadingBasis::Free);
        let created = r#"{"type":"response.created","response":{"id":"r","status":"in_progress"}}"#;
        told(
            meter.as_mut(),
            &[
                r#"{"type":"session.created","session":{"model":"gpt-realtime-2-2026-09-01"}}"#,
                created,
                DONE,
                created,
                DONE,
            ],
        );
        let reading = meter.reading(&END);
        assert_eq!(reading.basis, ReadingBasis::Reported);
        assert_eq!(reading.model.as_deref(), Some("gpt-realtime-2-2026-09-01"));
        for (meter, amount) in [
            (Meter::InputTokens, 40),
            (Meter::InputAudioTokens, 30),
            (Meter::CachedInputTokens, 2),
            (Meter::CachedInputAudioTokens, 6),
            (Meter::OutputTokens, 20),
            (Meter::OutputAudioTokens, 16),
            (Meter::Requests, 2),
        ] {
            assert_eq!(reading.quantities.get(meter), amount, "{meter}");
        }
        assert!(!reading.partial);
        // One that had begun when the connection was lost.
        told(meter.as_mut(), &[created]);
        assert!(meter.reading(&END).partial);
    }

    #[test]
    fn a_transcriber_stands_beside() {
        let mut meter = begin("/v1/realtime");
        let heard = r#"{"type":"conversation.item.input_audio_transcription.completed","item_id":"i",
            "transcript":"t","usage":{"type":"duration","seconds":1.5}}"#;
        told(
            meter.as_mut(),
            &[
                r#"{"type":"session.updated","session":{"model":"m","audio":{"input":{"transcription":{"model":"whisper-1"}}}}}"#,
                heard,
                heard,
            ],
        );
        let reading = meter.reading(&END);
        assert_eq!(reading.basis, ReadingBasis::Reported);
        assert_eq!(reading.beside[0].model, "whisper-1");
        let heard = reading.beside[0].quantities.get(Meter::AudioMilliseconds);
        assert_eq!(heard, 3_000);
    }

    #[test]
    fn responses_over_a_socket_are_added_up() {
        let mut meter = begin("/v1/responses");
        let done = r#"{"type":"response.completed","response":{"model":"gpt-6-sol","service_tier":"flex",
            "usage":{"input_tokens":7,"output_tokens":3}}}"#;
        told(meter.as_mut(), &[done, done]);
        let reading = meter.reading(&END);
        assert_eq!(reading.model.as_deref(), Some("gpt-6-sol"));
        assert_eq!(reading.service_tier.as_deref(), Some("flex"));
        assert_eq!(reading.quantities.get(Meter::InputTokens), 14);
    }
}
