//! Conversations with ElevenLabs: texts that are spoken while they are written, sound that is heard
//! as it comes, agents.

use std::collections::HashSet;

use diamond_domain::{Meter, Quantities};

use crate::{
    JsonScan, Pattern, Reading, ReadingBasis, RequestFacts, Route, SocketEnd, SocketMessage,
    SocketMeter, socket,
};

/// A meter for a conversation of this kind.
pub(super) fn meter(route: &Route, facts: &RequestFacts) -> Box<dyn SocketMeter> {
    match route.operation {
        "text_to_speech.live" => Box::new(Speaking::new(facts)),
        "speech_to_text.live" => Box::new(Hearing {
            facts: facts.clone(),
            bytes: 0,
            failed: false,
        }),
        _ => Box::new(socket::Timed::new(route, facts)),
    }
}

const SENT: &[Pattern] = &[Pattern::value(&["text"]), Pattern::value(&["context_id"])];
const TEXT: usize = 0;
const CONTEXT: usize = 1;

const RECEIVED: &[Pattern] = &[
    Pattern::value(&["isFinal"]),
    Pattern::value(&["is_final"]),
    Pattern::value(&["error"]),
    Pattern::value(&["alignment", "chars"]),
];
const FINAL: [usize; 2] = [0, 1];
const ERROR: usize = 2;
const ALIGNED: usize = 3;

/// No message tells what was billed. A regular end has spoken everything that was sent; of one that
/// broke, what had been spoken by then is told by the characters that stand beside the sound.
struct Speaking {
    facts: RequestFacts,
    /// Contexts that were opened: each begins with a blank that is not spoken.
    opened: HashSet<Option<String>>,
    sent: u64,
    spoken: u64,
    /// Whether sound came with its characters.
    aligned: bool,
    over: bool,
    failed: bool,
}

/// More contexts than this are counted as if they were one.
const CONTEXTS: usize = 1_024;

impl Speaking {
    fn new(facts: &RequestFacts) -> Self {
        Self {
            facts: facts.clone(),
            opened: HashSet::new(),
            sent: 0,
            spoken: 0,
            aligned: false,
            over: false,
            failed: false,
        }
    }
}

impl SocketMeter for Speaking {
    fn sent(&mut self, message: SocketMessage<'_>) {
        let SocketMessage::Text(text) = message else {
            return;
        };
        let scan = JsonScan::of(SENT, text);
        let Some(said) = scan.get::<String>(TEXT) else {
            return;
        };
        let context: Option<String> = scan.get(CONTEXT);
        let opens = self.opened.len() < CONTEXTS && self.opened.insert(context);
        if !(opens && said == " ") {
            self.sent += said.chars().count() as u64;
        }
    }

    fn received(&mut self, message: SocketMessage<'_>) {
        let SocketMessage::Text(text) = message else {
            return;
        };
        let scan = JsonScan::of(RECEIVED, text);
        self.over |= FINAL.iter().any(|&place| scan.get(place) == Some(true));
        self.failed |= scan.raw(ERROR).is_some_and(|error| error != b"null");
        if let Some(letters) = scan.get::<Vec<String>>(ALIGNED) {
            self.aligned = true;
            let count: usize = letters.iter().map(|letter| letter.chars().count()).sum();
            self.spoken += count as u64;
        }
    }

    fn reading(&mut self, end: &SocketEnd) -> Reading {
        let whole = self.over && end.regular && !self.failed;
        let characters = if whole || !self.aligned && self.spoken == 0 && !self.failed {
            self.sent
        } else {
            self.spoken
        };
        let quantities = Quantities::new()
            .with(Meter::Requests, 1)
            .with(Meter::Characters, characters);
        let basis = if characters == 0 {
            ReadingBasis::Free
        } else {
            ReadingBasis::Measured
        };
        Reading {
            failed_inside: self.failed,
            ..socket::reading(&self.facts, quantities, basis, !whole)
        }
    }
}

const SOUND: &[Pattern] = &[
    Pattern::value(&["message_type"]),
    Pattern::length(&["audio_base_64"]),
    Pattern::value(&["error"]),
];
const SOUND_LENGTH: usize = 1;
const SOUND_ERROR: usize = 2;

/// The sound that is sent is what is bought.
struct Hearing {
    facts: RequestFacts,
    bytes: u64,
    failed: bool,
}

impl SocketMeter for Hearing {
    fn sent(&mut self, message: SocketMessage<'_>) {
        if let SocketMessage::Text(text) = message {
            // Four letters of base64 are three bytes.
            let letters = JsonScan::of(SOUND, text).length(SOUND_LENGTH);
            self.bytes += letters / 4 * 3;
        }
    }

    fn received(&mut self, message: SocketMessage<'_>) {
        if let SocketMessage::Text(text) = message {
            let scan = JsonScan::of(SOUND, text);
            self.failed |= scan.raw(SOUND_ERROR).is_some_and(|error| error != b"null");
        }
    }

    fn reading(&mut self, _end: &SocketEnd) -> Reading {
        let rate = self.facts.audio_bytes_per_second.filter(|rate| *rate > 0);
        let milliseconds = rate.map(|rate| self.bytes.saturating_mul(1_000) / rate);
        let basis = match milliseconds {
            Some(0) => ReadingBasis::Free,
            Some(_) => ReadingBasis::Measured,
            None => ReadingBasis::Unknown,
        };
        let quantities = Quantities::new()
            .with(Meter::Requests, 1)
            .with(Meter::AudioMilliseconds, milliseconds.unwrap_or(0));
        Reading {
            failed_inside: self.failed,
            ..socket::reading(&self.facts, quantities, basis, false)
        }
    }
}

/// Bytes that a second of sound takes in a format of this name: `pcm_16000`, `ulaw_8000`.
pub(super) fn bytes_per_second(format: &str) -> Option<u64> {
    let (codec, rate) = format.split_once('_')?;
    let width = match codec {
        "pcm" => 2,
        "ulaw" | "alaw" => 1,
        _ => return None,
    };
    rate.parse::<u64>().ok()?.checked_mul(width)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::elevenlabs::{request, routes};

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
    fn a_regular_end_has_spoken_what_was_sent() {
        let mut meter = begin("/v1/text-to-speech/v/stream-input", "model_id=eleven_v3");
        assert_eq!(meter.reading(&END).basis, ReadingBasis::Free);
        for said in [
            r#"{"text":" "}"#,
            r#"{"text":"Grüße "}"#,
            r#"{"text":" ","flush":true}"#,
        ] {
            meter.sent(text(said));
        }
        meter.received(text(
            r#"{"audio":"AAAA","isFinal":null,"alignment":{"chars":["G","r","ü"]}}"#,
        ));
        let broken = meter.reading(&SocketEnd {
            regular: false,
            ..END
        });
        assert_eq!(broken.quantities.get(Meter::Characters), 3);
        assert!(broken.partial);
        meter.sent(text(r#"{"text":""}"#));
        meter.received(text(r#"{"isFinal":true}"#));
        let reading = meter.reading(&END);
        assert_eq!(reading.quantities.get(Meter::Characters), 7);
        assert_eq!(reading.basis, ReadingBasis::Measured);
        assert!(!reading.partial);
        assert_eq!(reading.model.as_deref(), Some("eleven_v3"));
    }

    #[test]
    fn every_context_begins_with_a_blank() {
        let mut meter = begin("/v1/text-to-speech/v/multi-stream-input", "");
        for said in [
            r#"{"text":" ","context_id":"a"}"#,
            r#"{"text":"ab","context_id":"a"}"#,
            r#"{"text":" ","context_id":"b"}"#,
            r#"{"text":"c","context_id":"b"}"#,
            r#"{"context_id":"a","close_context":true}"#,
        ] {
            meter.sent(text(said));
        }
        let reading = meter.reading(&END);
        assert_eq!(reading.quantities.get(Meter::Characters), 3);
        meter.received(text(r#"{"error":"system_busy","message":"m","code":1011}"#));
        let failed = meter.reading(&END);
        assert!(failed.failed_inside);
        assert_eq!(failed.basis, ReadingBasis::Free, "nothing was spoken");
    }

    #[test]
    fn sound_is_as_long_as_its_bytes() {
        let mut meter = begin("/v1/speech-to-text/realtime", "audio_format=pcm_8000");
        // 16,000 bytes are a second: 4,000 letters are 3,000 bytes.
        let sound = format!(
            r#"{{"message_type":"input_audio_chunk","audio_base_64":"{}"}}"#,
            "A".repeat(4_000)
        );
        meter.sent(text(&sound));
        meter.sent(text(&sound));
        let reading = meter.reading(&END);
        assert_eq!(reading.quantities.get(Meter::AudioMilliseconds), 375);
        assert_eq!(bytes_per_second("mp3_44100_128"), None);
        let agent = begin("/v1/convai/conversation", "agent_id=a").reading(&END);
        assert_eq!(agent.basis, ReadingBasis::Unknown);
        assert_eq!(agent.quantities.get(Meter::ConnectionMilliseconds), 3_000);
    }
}
