//! Every model of OpenAI with its price.
//!
//! Source: developers.openai.com/api/docs/pricing as read on 2026-11-22.

use super::{Kind, LongContext, Model, NONE, Rates, Ratio, plain};

const fn chat(
    name: &'static str,
    answers_as: &'static str,
    reasons: bool,
    [input, cached, cache_write, output]: [u128; 4],
) -> Model {
    let rates = Rates {
        input,
        cached,
        cache_write,
        // Kept for 12 hours it costs twice as much.
        cache_write_long: cache_write * 2,
        output,
        ..NONE
    };
    Model {
        answers_as,
        ..plain(name, Kind::Chat { reasons }, rates)
    }
}

const HALF: Option<Ratio> = Some((1, 2));
const DOUBLE: Option<Ratio> = Some((2, 1));

/// Input twice, output one and a half times.
const DEARER: LongContext = LongContext {
    behind: 272_000,
    input_halves: 4,
    output_halves: 3,
    without_priority: false,
};

/// A model of the sixth generation: every tier, dearer when long.
const fn sixth(name: &'static str, rates: [u128; 4]) -> Model {
    Model {
        flex: HALF,
        priority: DOUBLE,
        long_context: Some(DEARER),
        ..chat(name, name, true, rates)
    }
}

/// Every model, with dollars per million: input / cached input / cache write / output.
#[rustfmt::skip]
pub(super) const MODELS: &[Model] = &[
    // 2 / 0.10 / 2.50 / 10
    Model { ultrafast: Some((6, 1)), ..sixth("gpt-6.1-sol", [2_000_000, 100_000, 2_500_000, 10_000_000]) },
    // 1 / 0.05 / 1.25 / 5
    sixth("gpt-6.1-terra", [1_000_000, 50_000, 1_250_000, 5_000_000]),
    // 2 / 0.20 / 2.50 / 10
    sixth("gpt-6-sol", [2_000_000, 200_000, 2_500_000, 10_000_000]),
    // 0.10 / 0.01 / 0.125 / 0.50
    sixth("gpt-6-luna", [100_000, 10_000, 125_000, 500_000]),
    // 10 / 1 / 12.50 / 50
    Model { ultrafast: Some((6, 1)), ..sixth("gpt-6-astra", [10_000_000, 1_000_000, 12_500_000, 50_000_000]) },
    // 4 / 0.40 / 5 / 20
    sixth("gpt-5.6", [4_000_000, 400_000, 5_000_000, 20_000_000]),
    // 5 / 0.50 / – / 30; priority 12.50 / 1.25 / 75
    Model {
        flex: HALF,
        priority: Some((5, 2)),
        long_context: Some(LongContext { without_priority: true, ..DEARER }),
        ..chat("gpt-5.5", "gpt-5.5-2026-04-23", true, [5_000_000, 500_000, 0, 30_000_000])
    },
    // 1.25 / 0.125 / – / 10
    Model { flex: HALF, priority: DOUBLE, ..chat("gpt-5", "gpt-5-2025-08-07", true, [1_250_000, 125_000, 0, 10_000_000]) },
    // 0.25 / 0.025 / – / 2; priority 0.45 / 0.045 / 3.60
    Model { flex: HALF, priority: Some((9, 5)), ..chat("gpt-5-mini", "gpt-5-mini-2025-08-07", true, [250_000, 25_000, 0, 2_000_000]) },
    // 0.05 / 0.005 / – / 0.40
    Model { flex: HALF, ..chat("gpt-5-nano", "gpt-5-nano-2025-08-07", true, [50_000, 5_000, 0, 400_000]) },
    // 2 / 0.50 / – / 8; priority 3.50 / 0.875 / 14
    Model { flex: HALF, priority: Some((7, 4)), ..chat("o3", "o3-2025-04-16", true, [2_000_000, 500_000, 0, 8_000_000]) },
    // 2 / 0.50 / – / 8; priority 3.50 / 0.875 / 14
    Model { priority: Some((7, 4)), ..chat("gpt-4.1", "gpt-4.1-2025-04-14", false, [2_000_000, 500_000, 0, 8_000_000]) },
    // 0.40 / 0.10 / – / 1.60; priority 0.70 / 0.175 / 2.80
    Model { priority: Some((7, 4)), ..chat("gpt-4.1-mini", "gpt-4.1-mini-2025-04-14", false, [400_000, 100_000, 0, 1_600_000]) },
    // 0.10 / 0.025 / – / 0.40; priority 0.20 / 0.05 / 0.80
    Model { priority: DOUBLE, ..chat("gpt-4.1-nano", "gpt-4.1-nano-2025-04-14", false, [100_000, 25_000, 0, 400_000]) },
    // 2.50 / 1.25 / – / 10; priority 4.25 / 2.125 / 17
    Model { priority: Some((17, 10)), ..chat("gpt-4o", "gpt-4o-2024-08-06", false, [2_500_000, 1_250_000, 0, 10_000_000]) },
    // 0.15 / 0.075 / – / 0.60; priority 0.25 / 0.125 / 1
    Model { priority: Some((5, 3)), ..chat("gpt-4o-mini", "gpt-4o-mini-2024-07-18", false, [150_000, 75_000, 0, 600_000]) },
    // Stands in no price list: a model that came out this morning.
    chat("sim-unlisted", "sim-unlisted", false, [1_000_000, 100_000, 0, 3_000_000]),
    plain("text-embedding-3-small", Kind::Embedding { dimensions: 1536 }, Rates { input: 20_000, ..NONE }),
    plain("text-embedding-3-large", Kind::Embedding { dimensions: 3072 }, Rates { input: 130_000, ..NONE }),
    plain("omni-moderation-latest", Kind::Moderation, NONE),
    // 2.50 in, text or sound / 10 out. A second price list says 6 for sound.
    plain("gpt-4o-transcribe", Kind::Hearing { by_token: true }, Rates { input: 2_500_000, output: 10_000_000, ..NONE }),
    // 1.25 in / 5 out
    plain("gpt-4o-mini-transcribe", Kind::Hearing { by_token: true }, Rates { input: 1_250_000, output: 5_000_000, ..NONE }),
    // 0.0045 dollars a minute = 0.27 an hour
    plain("gpt-transcribe", Kind::Hearing { by_token: false }, Rates { audio_hour: 270_000, ..NONE }),
    // 0.006 dollars a minute = 0.36 an hour
    plain("whisper-1", Kind::Hearing { by_token: false }, Rates { audio_hour: 360_000, ..NONE }),
    // 15 and 30 dollars per million characters
    plain("tts-1", Kind::Speech { by_token: false }, Rates { character: 15_000_000, ..NONE }),
    plain("tts-1-hd", Kind::Speech { by_token: false }, Rates { character: 30_000_000, ..NONE }),
    // 0.60 text in / 12 sound out
    plain("gpt-4o-mini-tts", Kind::Speech { by_token: true }, Rates { input: 600_000, audio_output: 12_000_000, ..NONE }),
    // text 4 / cached 0.40 / out 24; sound 32 / cached 0.40 / out 64
    plain("gpt-realtime-2", Kind::Conversation, Rates {
        input: 4_000_000, cached: 400_000, output: 24_000_000,
        audio_input: 32_000_000, cached_audio: 400_000, audio_output: 64_000_000,
        ..NONE
    }),
    // 5 text in / 8 picture in / 30 picture out
    plain("gpt-image-2", Kind::Image, Rates { input: 5_000_000, image_input: 8_000_000, image_output: 30_000_000, ..NONE }),
];
