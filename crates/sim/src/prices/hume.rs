//! Every model of Hume that is played, with a price.
//!
//! No price of Hume's stands in any public list that was read on 2026-11-22. What stands here is of
//! the order that was last known, and for whoever compares bills: they tell the key manager the
//! same prices.

use super::{Kind, Model, NONE, Rates, plain};

const fn hearing(name: &'static str, audio_hour: u128) -> Model {
    let rates = Rates { audio_hour, ..NONE };
    plain(name, Kind::Hearing { by_token: false }, rates)
}

#[rustfmt::skip]
pub(super) const MODELS: &[Model] = &[
    // 0.15 dollars per thousand characters
    plain("octave", Kind::Speech { by_token: false }, Rates { character: 150_000_000, ..NONE }),
    // 0.07 dollars a minute
    plain("evi", Kind::Conversation, Rates { audio_hour: 4_200_000, ..NONE }),
    // 1 dollar per million tokens; answers are free
    plain("audio-decisions", Kind::Hearing { by_token: true }, Rates { input: 1_000_000, ..NONE }),
    // 0.06 dollars a minute
    hearing("expression-audio", 3_600_000),
    // 0.08 dollars a minute
    hearing("expression-video", 4_800_000),
];
