//! Every model of ElevenLabs that is played, with its price.
//!
//! Source: elevenlabs.io/pricing/api as read on 2026-11-22, in dollars; a plan's credits are
//! counted apart.

use super::{Kind, Model, NONE, Rates, plain};

const fn speech(name: &'static str, character: u128) -> Model {
    let rates = Rates { character, ..NONE };
    plain(name, Kind::Speech { by_token: false }, rates)
}

const fn hearing(name: &'static str, audio_hour: u128) -> Model {
    let rates = Rates { audio_hour, ..NONE };
    plain(name, Kind::Hearing { by_token: false }, rates)
}

#[rustfmt::skip]
pub(super) const MODELS: &[Model] = &[
    // 0.08 dollars per thousand characters
    speech("eleven_v4", 80_000_000),
    speech("eleven_v3", 80_000_000),
    speech("eleven_multilingual_v2", 80_000_000),
    // 0.04 dollars per thousand characters
    speech("eleven_v4_turbo", 40_000_000),
    speech("eleven_turbo_v2_5", 40_000_000),
    speech("eleven_turbo_v2", 40_000_000),
    speech("eleven_flash_v2_5", 40_000_000),
    speech("eleven_flash_v2", 40_000_000),
    // Stands in no price list: a model that came out this morning.
    speech("eleven_unlisted", 60_000_000),
    // 0.22 dollars an hour
    hearing("scribe_v1", 220_000),
    hearing("scribe_v2", 220_000),
];
