//! Conversations with Hume: expression as it comes, and EVI and speech of the voice platform.

use diamond_domain::{Meter, Quantities};

use crate::{
    JsonScan, Pattern, Reading, ReadingBasis, RequestFacts, Route, SocketEnd, SocketMessage,
    SocketMeter,
    hume::usage::{ANSWER, Stated},
    socket,
};

/// A meter for a conversation of this kind.
pub(super) fn meter(route: &Route, facts: &RequestFacts) -> Box<dyn SocketMeter> {
    match route.operation {
        "expression.audio.live" | "expression.video.live" => Box::new(Measuring {
            facts: facts.clone(),
            heard: false,
            stated: Stated::default(),
            failed: false,
        }),
        "tts.live" => Box::new(Speaking {
            facts: facts.clone(),
            characters: 0,
        }),
        // EVI is billed by the time.
        _ => Box::new(socket::Timed::new(route, facts)),
    }
}

const KIND: &[Pattern] = &[Pattern::value(&["type"]), Pattern::value(&["text"])];
const TYPE: usize = 0;
const TEXT: usize = 1;

/// What a session received is stated when it closes; of a lost one only the provider's list of runs
/// tells it.
struct Measuring {
    facts: RequestFacts,
    heard: bool,
    stated: Stated,
    failed: bool,
}

impl SocketMeter for Measuring {
    fn sent(&mut self, message: SocketMessage<'_>) {
        let SocketMessage::Text(text) = message else {
            self.heard = true;
            return;
        };
        let kind: Option<String> = JsonScan::of(KIND, text).get(TYPE);
        self.heard |= kind.is_none_or(|kind| !kind.starts_with("session."));
    }

    fn received(&mut self, message: SocketMessage<'_>) {
        let SocketMessage::Text(text) = message else {
            return;
        };
        let kind: Option<String> = JsonScan::of(KIND, text).get(TYPE);
        match kind.as_deref() {
            Some("session.closed") => self.stated = Stated::read(&JsonScan::of(ANSWER, text)),
            Some("error") => self.failed = true,
            _ => {}
        }
    }

    fn reading(&mut self, end: &SocketEnd) -> Reading {
        let one = Quantities::new().with(Meter::Requests, 1);
        let (quantities, basis) = match self.stated.quantities.clone() {
            Some(quantities) => (quantities, ReadingBasis::Reported),
            None if self.heard => (one, ReadingBasis::Unknown),
            None => (one, ReadingBasis::Free),
        };
        let partial = !end.regular && basis == ReadingBasis::Unknown;
        Reading {
            failed_inside: self.failed,
            provider_usage: self.stated.verbatim.clone(),
            ..socket::reading(&self.facts, quantities, basis, partial)
        }
    }
}

/// The texts that are sent are what is bought.
struct Speaking {
    facts: RequestFacts,
    characters: u64,
}

impl SocketMeter for Speaking {
    fn sent(&mut self, message: SocketMessage<'_>) {
        if let SocketMessage::Text(text) = message {
            let text: Option<String> = JsonScan::of(KIND, text).get(TEXT);
            self.characters += text.map_or(0, |text| text.chars().count() as u64);
        }
    }

    fn received(&mut self, _message: SocketMessage<'_>) {}

    fn reading(&mut self, _end: &SocketEnd) -> Reading {
        let quantities = Quantities::new()
            .with(Meter::Requests, 1)
            .with(Meter::Characters, self.characters);
        let basis = if self.characters == 0 {
            ReadingBasis::Free
        } else {
            ReadingBasis::Measured
        };
        socket::reading(&self.facts, quantities, basis, false)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::hume::{request, routes};

    const END: SocketEnd = SocketEnd {
        regular: true,
        lasted: Duration::from_secs(3),
    };

    fn begin(path: &str) -> Box<dyn SocketMeter> {
        let crate::Classified::Forward(route) = routes::classify_socket(path) else {
            panic!("{path}")
        };
        let facts = RequestFacts {
            model: request::model_of(&route),
            ..RequestFacts::default()
        };
        meter(&route, &facts)
    }

    fn text(text: &str) -> SocketMessage<'_> {
        SocketMessage::Text(text.as_bytes())
    }

    #[test]
    fn what_a_session_received_is_stated_when_it_closes() {
        let mut meter = begin("/v1/expression/audio/realtime");
        meter.sent(text(r#"{"type":"session.config"}"#));
        meter.sent(SocketMessage::Binary(32_000));
        let closed = r#"{"type":"session.closed","received":{"audio_duration_ms":12000,"frames":3},
            "produced":{}}"#;
        meter.received(text(closed));
        let reading = meter.reading(&END);
        assert_eq!(reading.basis, ReadingBasis::Reported);
        assert_eq!(reading.quantities.get(Meter::AudioMilliseconds), 12_000);
        assert_eq!(reading.model.as_deref(), Some("expression-audio"));
        assert!(reading.provider_usage.is_some());
    }

    #[test]
    fn a_lost_session_is_unknown_and_one_that_heard_nothing_free() {
        let lost = SocketEnd {
            regular: false,
            ..END
        };
        let mut meter = begin("/v1/expression/video/realtime");
        assert_eq!(meter.reading(&lost).basis, ReadingBasis::Free);
        meter.sent(SocketMessage::Binary(1));
        let reading = meter.reading(&lost);
        assert_eq!(
            (reading.basis, reading.partial),
            (ReadingBasis::Unknown, true)
        );
    }

    #[test]
    fn the_voice_platform_is_measured() {
        let mut chat = begin("/v0/evi/chat");
        chat.sent(text(r#"{"type":"user_input","text":"hello"}"#));
        let reading = chat.reading(&END);
        assert_eq!(reading.basis, ReadingBasis::Measured);
        assert_eq!(reading.quantities.get(Meter::ConnectionMilliseconds), 3_000);
        assert_eq!(reading.model.as_deref(), Some("evi"));
        let mut speech = begin("/v0/tts/stream/input");
        speech.sent(text(r#"{"text":"Grüße"}"#));
        let spoken = speech.reading(&END).quantities.get(Meter::Characters);
        assert_eq!(spoken, 5);
    }
}
