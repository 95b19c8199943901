//! Deepgram's counts in our meters.
//!
//! What was heard is told by its length, once for all channels: where each is heard by itself it
//! is paid by itself. What was read is told in tokens, for each way of reading apart.

use diamond_domain::{Meter, Quantities};

use crate::{JsonScan, Pattern, decimal_seconds_to_milliseconds};

/// The metadata of an answer. That of a text stands one level deeper.
pub(super) const ANSWER: &[Pattern] = &[
    Pattern::value(&["metadata", "duration"]),
    Pattern::value(&["metadata", "channels"]),
    Pattern::value(&["metadata", "summary_info"]),
    Pattern::value(&["metadata", "sentiment_info"]),
    Pattern::value(&["metadata", "topics_info"]),
    Pattern::value(&["metadata", "intents_info"]),
    Pattern::value(&["metadata", "metadata", "summary_info"]),
    Pattern::value(&["metadata", "metadata", "sentiment_info"]),
    Pattern::value(&["metadata", "metadata", "topics_info"]),
    Pattern::value(&["metadata", "metadata", "intents_info"]),
];
const DURATION: usize = 0;
const CHANNELS: usize = 1;
const READINGS: std::ops::Range<usize> = 2..10;
const NAMES: [&str; 4] = [
    "summary_info",
    "sentiment_info",
    "topics_info",
    "intents_info",
];

#[derive(Debug, Default, Clone, Copy, serde::Deserialize)]
#[serde(default)]
struct Tokens {
    input_tokens: u64,
    output_tokens: u64,
}

/// What an answer states of a call.
#[derive(Debug, Default)]
pub(super) struct Stated {
    pub(super) milliseconds: Option<u64>,
    pub(super) channels: u64,
    tokens: Option<Tokens>,
    /// The members as they stood, as a JSON object.
    pub(super) verbatim: Option<String>,
}

impl Stated {
    pub(super) fn read(scan: &JsonScan) -> Self {
        let text = |place| std::str::from_utf8(scan.raw(place)?).ok();
        let mut members = Vec::new();
        for (name, place) in [("duration", DURATION), ("channels", CHANNELS)] {
            members.extend(text(place).map(|text| format!("\"{name}\":{text}")));
        }
        let mut tokens: Option<Tokens> = None;
        for (place, name) in READINGS.zip(NAMES.iter().cycle()) {
            let Some(counted) = scan.get::<Tokens>(place) else {
                continue;
            };
            let sum = tokens.get_or_insert_default();
            sum.input_tokens = sum.input_tokens.saturating_add(counted.input_tokens);
            sum.output_tokens = sum.output_tokens.saturating_add(counted.output_tokens);
            members.extend(text(place).map(|text| format!("\"{name}\":{text}")));
        }
        Self {
            milliseconds: text(DURATION).and_then(decimal_seconds_to_milliseconds),
            channels: scan.get(CHANNELS).unwrap_or(1),
            tokens,
            verbatim: (!members.is_empty()).then(|| format!("{{{}}}", members.join(","))),
        }
    }

    /// Whether any way of reading stated its tokens.
    pub(super) const fn has_tokens(&self) -> bool {
        self.tokens.is_some()
    }

    /// What that is in our meters; `apart` is whether each channel was heard by itself.
    pub(super) fn quantities(&self, apart: bool) -> Quantities {
        let heard = if apart { self.channels.max(1) } else { 1 };
        let tokens = self.tokens.unwrap_or_default();
        Quantities::new()
            .with(Meter::Requests, 1)
            .with(
                Meter::AudioMilliseconds,
                self.milliseconds.unwrap_or(0).saturating_mul(heard),
            )
            .with(Meter::InputTokens, tokens.input_tokens)
            .with(Meter::OutputTokens, tokens.output_tokens)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_counts_once_or_for_every_channel() {
        let scan = JsonScan::of(
            ANSWER,
            include_bytes!("../../fixtures/deepgram/listen.json"),
        );
        let stated = Stated::read(&scan);
        let once: Vec<_> = stated.quantities(false).iter().collect();
        assert_eq!(
            once,
            [
                (Meter::InputTokens, 95),
                (Meter::OutputTokens, 63),
                (Meter::AudioMilliseconds, 25_933),
                (Meter::Requests, 1),
            ]
        );
        let apart = stated.quantities(true).get(Meter::AudioMilliseconds);
        assert_eq!(apart, 51_866);
        assert_eq!(
            stated.verbatim.as_deref(),
            Some(
                "{\"duration\":25.933313,\"channels\":2,\"summary_info\":\
                 {\"model_uuid\":\"m_2\",\"input_tokens\":95,\"output_tokens\":63}}"
            )
        );
    }

    #[test]
    fn every_way_of_reading_counts() {
        let scan = JsonScan::of(ANSWER, include_bytes!("../../fixtures/deepgram/read.json"));
        let stated = Stated::read(&scan);
        let counted = stated.quantities(false);
        assert_eq!(counted.get(Meter::InputTokens), 190);
        assert_eq!(counted.get(Meter::OutputTokens), 70);
        assert!(stated.has_tokens());
        let nothing = Stated::read(&JsonScan::of(ANSWER, br#"{"request_id":"r"}"#));
        assert!(nothing.milliseconds.is_none() && nothing.verbatim.is_none());
    }
}
