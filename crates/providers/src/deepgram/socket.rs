//! Conversations with Deepgram: sound that is heard as it comes, texts that are spoken as they come.

use diamond_domain::{Meter, Quantities};

use crate::{
    JsonScan, Pattern, Reading, ReadingBasis, RequestFacts, Route, SocketEnd, SocketMessage,
    SocketMeter, decimal_seconds_to_milliseconds, socket,
};

/// What is billed by when sound is heard as it comes: it has prices of its own.
pub(super) const STREAMING: &str = "streaming";

/// A meter for a conversation of this kind.
pub(super) fn meter(route: &Route, facts: &RequestFacts) -> Box<dyn SocketMeter> {
    match route.operation {
        "listen.live" => Box::new(Hearing::new(facts)),
        "speak.live" => Box::new(Speaking {
            facts: facts.clone(),
            characters: 0,
            failed: false,
        }),
        _ => Box::new(socket::Timed::new(route, facts)),
    }
}

const HEARD: &[Pattern] = &[
    Pattern::value(&["type"]),
    Pattern::value(&["start"]),
    Pattern::value(&["duration"]),
    Pattern::value(&["channels"]),
    Pattern::value(&["audio_window_end"]),
];
const TYPE: usize = 0;
const START: usize = 1;
const DURATION: usize = 2;
const WINDOW_END: usize = 4;

/// At the end the length is stated. Until then it is known from the bytes that were sent, where the
/// request says what they are, or from how far the results reach.
struct Hearing {
    facts: RequestFacts,
    bytes: u64,
    stated: Option<u64>,
    results_until: u64,
    verbatim: Option<String>,
    failed: bool,
}

impl Hearing {
    fn new(facts: &RequestFacts) -> Self {
        Self {
            facts: facts.clone(),
            bytes: 0,
            stated: None,
            results_until: 0,
            verbatim: None,
            failed: false,
        }
    }

    fn count(&self) -> (u64, ReadingBasis) {
        let rate = self.facts.audio_bytes_per_second.filter(|rate| *rate > 0);
        match (self.stated, rate) {
            (Some(stated), _) => (stated, ReadingBasis::Reported),
            (None, Some(rate)) => (
                self.bytes.saturating_mul(1_000) / rate,
                ReadingBasis::Measured,
            ),
            (None, None) if self.bytes == 0 => (0, ReadingBasis::Measured),
            (None, None) => (self.results_until, ReadingBasis::Estimated),
        }
    }
}

impl SocketMeter for Hearing {
    fn sent(&mut self, message: SocketMessage<'_>) {
        if let SocketMessage::Binary(bytes) = message {
            self.bytes += bytes;
        }
    }

    fn received(&mut self, message: SocketMessage<'_>) {
        let SocketMessage::Text(text) = message else {
            return;
        };
        let scan = JsonScan::of(HEARD, text);
        let kind: String = scan.get(TYPE).unwrap_or_default();
        let length = |place| {
            let text = std::str::from_utf8(scan.raw(place)?).ok()?;
            decimal_seconds_to_milliseconds(text)
        };
        match kind.as_str() {
            "Metadata" => {
                self.stated = length(DURATION);
                let raw = scan
                    .raw(DURATION)
                    .and_then(|raw| std::str::from_utf8(raw).ok());
                self.verbatim = raw.map(|raw| format!("{{\"duration\":{raw}}}"));
            }
            "Results" => {
                let until = length(START)
                    .zip(length(DURATION))
                    .map_or(0, |(start, lasts)| start.saturating_add(lasts));
                self.results_until = self.results_until.max(until);
            }
            // Flux tells how far it has heard.
            "TurnInfo" => {
                let until = length(WINDOW_END).unwrap_or(0);
                self.results_until = self.results_until.max(until);
            }
            "Error" => self.failed = true,
            _ => {}
        }
    }

    fn reading(&mut self, end: &SocketEnd) -> Reading {
        let (milliseconds, basis) = self.count();
        let apart = self.facts.audio_channels.unwrap_or(1).max(1);
        let heard = milliseconds.saturating_mul(apart);
        let quantities = Quantities::new()
            .with(Meter::Requests, 1)
            .with(Meter::AudioMilliseconds, heard);
        // Whoever has heard nothing bills nothing.
        let basis = if heard == 0 && basis != ReadingBasis::Estimated {
            ReadingBasis::Free
        } else {
            basis
        };
        let partial = !end.regular && basis == ReadingBasis::Estimated;
        Reading {
            service_tier: Some(STREAMING.to_owned()),
            failed_inside: self.failed,
            provider_usage: self.verbatim.clone(),
            ..socket::reading(&self.facts, quantities, basis, partial)
        }
    }
}

const SPOKEN: &[Pattern] = &[Pattern::value(&["type"]), Pattern::value(&["text"])];
const TEXT: usize = 1;

/// The texts that are sent are what is bought: no message tells how many characters they had.
struct Speaking {
    facts: RequestFacts,
    characters: u64,
    failed: bool,
}

impl SocketMeter for Speaking {
    fn sent(&mut self, message: SocketMessage<'_>) {
        let SocketMessage::Text(text) = message else {
            return;
        };
        let scan = JsonScan::of(SPOKEN, text);
        if scan.get::<String>(TYPE).is_some_and(|kind| kind == "Speak") {
            let text: String = scan.get(TEXT).unwrap_or_default();
            self.characters += text.chars().count() as u64;
        }
    }

    fn received(&mut self, message: SocketMessage<'_>) {
        if let SocketMessage::Text(text) = message {
            let kind: Option<String> = JsonScan::of(SPOKEN, text).get(TYPE);
            self.failed |= kind.is_some_and(|kind| kind == "Error");
        }
    }

    fn reading(&mut self, _end: &SocketEnd) -> Reading {
        let quantities = Quantities::new()
            .with(Meter::Requests, 1)
            .with(Meter::Characters, self.characters);
        let basis = if self.characters == 0 {
            ReadingBasis::Free
        } else {
            ReadingBasis::Measured
        };
        Reading {
            failed_inside: self.failed,
            ..socket::reading(&self.facts, quantities, basis, false)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::deepgram::{request, routes};

    const END: SocketEnd = SocketEnd {
        regular: true,
        lasted: Duration::from_secs(3),
    };

    fn begin(path: &str, query: &str) -> Box<dyn SocketMeter> {
        let crate::Classified::Forward(route) = routes::classify_socket(path) else {
            panic!("{path}")
        };
        let headers = http::HeaderMap::new();
        let head = crate::RequestHead {
            path,
            query: Some(query),
            headers: &headers,
        };
        meter(&route, &request::read_head(&route, &head))
    }

    fn text(text: &str) -> SocketMessage<'_> {
        SocketMessage::Text(text.as_bytes())
    }

    #[test]
    fn hearing_is_stated_at_the_end_and_measured_before() {
        let query = "model=nova-3&encoding=linear16&sample_rate=8000&channels=2&multichannel=true";
        let mut meter = begin("/v1/listen", query);
        // Two channels of 16 bits, 8,000 times a second: 32,000 bytes.
        meter.sent(SocketMessage::Binary(16_000));
        meter.sent(SocketMessage::Binary(16_000));
        meter.sent(text(r#"{"type":"KeepAlive"}"#));
        meter.received(text(
            r#"{"type":"Results","start":0.0,"duration":0.5,"channel":{}}"#,
        ));
        let broken = meter.reading(&SocketEnd {
            regular: false,
            ..END
        });
        assert_eq!(broken.basis, ReadingBasis::Measured);
        let heard = broken.quantities.get(Meter::AudioMilliseconds);
        assert_eq!(heard, 2_000, "a second on each of two channels");
        assert_eq!(broken.service_tier.as_deref(), Some("streaming"));
        meter.received(text(
            r#"{"type":"Metadata","request_id":"r","duration":1.001,"channels":2,"models":["m"]}"#,
        ));
        let stated = meter.reading(&END);
        assert_eq!(stated.basis, ReadingBasis::Reported);
        assert_eq!(stated.quantities.get(Meter::AudioMilliseconds), 2_002);
        assert_eq!(
            stated.provider_usage.as_deref(),
            Some(r#"{"duration":1.001}"#)
        );
        assert_eq!(stated.model.as_deref(), Some("nova-3"));
    }

    #[test]
    fn sound_that_says_nothing_of_itself_is_as_long_as_its_results() {
        let mut meter = begin("/v1/listen", "model=nova-3");
        assert_eq!(meter.reading(&END).basis, ReadingBasis::Free);
        meter.sent(SocketMessage::Binary(9_000));
        meter.received(text(r#"{"type":"Results","start":1.5,"duration":0.5}"#));
        let reading = meter.reading(&SocketEnd {
            regular: false,
            ..END
        });
        assert_eq!(
            (reading.basis, reading.partial),
            (ReadingBasis::Estimated, true)
        );
        assert_eq!(reading.quantities.get(Meter::AudioMilliseconds), 2_000);
        let mut flux = begin("/v2/listen", "model=flux-general-en");
        flux.sent(SocketMessage::Binary(1));
        flux.received(text(r#"{"type":"TurnInfo","audio_window_end":2.25}"#));
        let heard = flux.reading(&END).quantities.get(Meter::AudioMilliseconds);
        assert_eq!(heard, 2_250);
        flux.received(text(r#"{"type":"Error","description":"x"}"#));
        assert!(flux.reading(&END).failed_inside);
    }

    #[test]
    fn speaking_is_the_texts_that_were_sent() {
        let mut meter = begin("/v1/speak", "model=aura-2-thalia-en");
        meter.sent(text(r#"{"type":"Speak","text":"Grüße"}"#));
        meter.sent(text(r#"{"type":"Flush"}"#));
        meter.received(SocketMessage::Binary(64_000));
        let reading = meter.reading(&END);
        assert_eq!(reading.basis, ReadingBasis::Measured);
        assert_eq!(reading.quantities.get(Meter::Characters), 5);
        assert_eq!(reading.service_tier, None);
    }
}
