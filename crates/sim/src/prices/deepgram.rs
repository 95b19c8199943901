//! Every model of Deepgram that is played, with its price.
//!
//! Source: deepgram.com/pricing as read on 2026-11-22. For recorded sound heard by Nova-3 a
//! survey says 0.0077 dollars a minute where the list says 0.0043; the list's figure stands here.

use super::{Kind, Model, NONE, Rates, plain};

const fn hearing(name: &'static str, audio_hour: u128) -> Model {
    let rates = Rates { audio_hour, ..NONE };
    plain(name, Kind::Hearing { by_token: false }, rates)
}

const fn speech(name: &'static str, character: u128) -> Model {
    let rates = Rates { character, ..NONE };
    plain(name, Kind::Speech { by_token: false }, rates)
}

/// What a wish adds to an hour of sound, in micro-dollars: the query parameter and the surcharge.
pub(crate) const SURCHARGES: &[(&str, u128)] = &[
    // 0.0020 dollars a minute
    ("redact", 120_000),
    ("diarize", 120_000),
    // 0.0013
    ("keyterm", 78_000),
    // 0.0017
    ("detect_entities", 102_000),
];

/// What an hour of sound costs more when it is heard as it comes, in micro-dollars.
pub(crate) fn live_surcharge(model: &str, many_languages: bool) -> u128 {
    match (model, many_languages) {
        // 0.0058 dollars a minute instead of 0.0043
        ("nova-3" | "nova-3-general", true) => 90_000,
        // 0.0048
        ("nova-3" | "nova-3-general", false) => 30_000,
        _ => 0,
    }
}

#[rustfmt::skip]
pub(super) const MODELS: &[Model] = &[
    // 0.0043 dollars a minute
    hearing("nova-3", 258_000),
    hearing("nova-3-general", 258_000),
    hearing("nova-2", 258_000),
    hearing("nova-2-general", 258_000),
    hearing("nova-2-phonecall", 258_000),
    // 0.0052
    hearing("nova-3-medical", 312_000),
    // 0.0125
    hearing("base", 750_000),
    hearing("base-general", 750_000),
    // Stands in no price list: a model that came out this morning.
    hearing("nova-unlisted", 300_000),
    // 0.030 dollars per thousand characters
    speech("aura-2-thalia-en", 30_000_000),
    speech("aura-2-andromeda-en", 30_000_000),
    // 0.015
    speech("aura-asteria-en", 15_000_000),
    speech("aura-luna-en", 15_000_000),
    // 0.30 in / 0.60 out per million tokens. In none of the lists that were read: as last known.
    plain("text-intelligence", Kind::Chat { reasons: false }, Rates { input: 300_000, output: 600_000, ..NONE }),
];
