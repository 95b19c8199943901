//! Hume's counts in our meters.
//!
//! An answer states what was received: tokens of decisions, milliseconds of sound, pictures. A
//! picture is billed as a third of a second, a run as ten seconds at least (its page on billing).

use diamond_domain::{Meter, Quantities};

use crate::{JsonScan, Pattern};

pub(super) const ANSWER: &[Pattern] = &[
    Pattern::value(&["received"]),
    Pattern::value(&["received", "audio_duration_ms"]),
    Pattern::value(&["received", "frames"]),
    Pattern::value(&["received", "input_tokens"]),
];
const RECEIVED: usize = 0;
const MILLISECONDS: usize = 1;
const FRAMES: usize = 2;
const TOKENS: usize = 3;

/// The least that a run is billed as.
const RUN_MILLISECONDS: u64 = 10_000;

/// What a run of so much sound is billed as; none that received nothing.
pub(super) fn billed(milliseconds: u64) -> u64 {
    milliseconds.max(RUN_MILLISECONDS)
}

/// What an answer states.
#[derive(Debug, Default)]
pub(super) struct Stated {
    pub(super) quantities: Option<Quantities>,
    /// The object as it stood.
    pub(super) verbatim: Option<String>,
}

impl Stated {
    pub(super) fn read(scan: &JsonScan) -> Self {
        let number = |place| scan.get::<u64>(place);
        let one = Quantities::new().with(Meter::Requests, 1);
        // Frames of sound are counted beside its length; only pictures have no length.
        let quantities = match (number(TOKENS), number(MILLISECONDS), number(FRAMES)) {
            (Some(tokens), _, _) => Some(one.with(Meter::InputTokens, tokens)),
            (_, Some(milliseconds), _) => {
                Some(one.with(Meter::AudioMilliseconds, billed(milliseconds)))
            }
            (_, _, Some(frames)) => {
                let milliseconds = frames.saturating_mul(1_000).div_ceil(3);
                Some(one.with(Meter::AudioMilliseconds, billed(milliseconds)))
            }
            (None, None, None) => None,
        };
        let verbatim = scan.raw(RECEIVED).filter(|_| quantities.is_some());
        let verbatim = verbatim.and_then(|raw| String::from_utf8(raw.to_vec()).ok());
        Self {
            quantities,
            verbatim,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_ten_seconds_at_least_and_a_picture_a_third_of_one() {
        for (body, meter, amount) in [
            (
                include_str!("../../fixtures/hume/expression_audio.json"),
                Meter::AudioMilliseconds,
                12_345,
            ),
            (
                include_str!("../../fixtures/hume/expression_video.json"),
                Meter::AudioMilliseconds,
                30_000,
            ),
            (
                r#"{"received":{"audio_duration_ms":1,"frames":9}}"#,
                Meter::AudioMilliseconds,
                10_000,
            ),
            (
                include_str!("../../fixtures/hume/decisions.json"),
                Meter::InputTokens,
                431,
            ),
        ] {
            let stated = Stated::read(&JsonScan::of(ANSWER, body.as_bytes()));
            assert_eq!(stated.quantities.unwrap().get(meter), amount, "{body}");
            assert!(stated.verbatim.unwrap().starts_with('{'));
        }
        let nothing = Stated::read(&JsonScan::of(ANSWER, b"{}"));
        assert!(nothing.quantities.is_none() && nothing.verbatim.is_none());
    }
}
