//! Every model of the companies with plain APIs that is played, with its price.
//!
//! Sources: the companies' price pages as listed on 2026-11-22. Cartesia sells credits by plan; what
//! stands here is what an operator might pay.

use super::{Kind, LongContext, Model, NONE, Rates, plain};

/// Dollars per million: input / cached / output.
const fn chat(name: &'static str, reasons: bool, [input, cached, output]: [u128; 3]) -> Model {
    let rates = Rates {
        input,
        cached,
        output,
        ..NONE
    };
    plain(name, Kind::Chat { reasons }, rates)
}

const fn speech(name: &'static str, character: u128) -> Model {
    let rates = Rates { character, ..NONE };
    plain(name, Kind::Speech { by_token: false }, rates)
}

const fn hearing(name: &'static str, audio_hour: u128) -> Model {
    let rates = Rates { audio_hour, ..NONE };
    plain(name, Kind::Hearing { by_token: false }, rates)
}

const fn embedding(name: &'static str, input: u128) -> Model {
    plain(
        name,
        Kind::Embedding { dimensions: 2 },
        Rates { input, ..NONE },
    )
}

/// Twice as dear behind 200,000 tokens of input.
const TWICE: Option<LongContext> = Some(LongContext {
    behind: 200_000,
    input_halves: 4,
    output_halves: 4,
    without_priority: false,
});

#[rustfmt::skip]
pub(super) const GROQ: &[Model] = &[
    chat("openai/gpt-oss-120b", true, [150_000, 75_000, 600_000]),
    chat("openai/gpt-oss-20b", true, [75_000, 37_500, 300_000]),
    // Stands in no price list: a model that came out this morning.
    chat("groq-unlisted", false, [100_000, 50_000, 100_000]),
    speech("canopylabs/orpheus-v1-english", 22_000_000),
    hearing("whisper-large-v3", 111_000),
];

#[rustfmt::skip]
pub(super) const MISTRAL: &[Model] = &[
    chat("mistral-large-latest", false, [500_000, 50_000, 1_500_000]),
    chat("mistral-small-latest", false, [150_000, 15_000, 600_000]),
    chat("codestral-latest", false, [300_000, 30_000, 900_000]),
    embedding("mistral-embed", 100_000),
    hearing("voxtral-mini-transcribe-3", 210_000),
];

#[rustfmt::skip]
pub(super) const XAI: &[Model] = &[
    Model { long_context: TWICE, ..chat("grok-4.5", true, [2_000_000, 300_000, 6_000_000]) },
    Model { long_context: TWICE, ..chat("grok-4.3", false, [1_250_000, 200_000, 2_500_000]) },
];

#[rustfmt::skip]
pub(super) const COHERE: &[Model] = &[
    chat("command-a-03-2025", false, [2_500_000, 2_500_000, 10_000_000]),
    chat("command-r7b-12-2024", false, [37_500, 37_500, 150_000]),
    embedding("embed-v4.0", 120_000),
    // 0.002 dollars a search
    plain("rerank-v3.5", Kind::Moderation, Rates { credit: 2_000_000_000, ..NONE }),
];

#[rustfmt::skip]
pub(super) const OPENROUTER: &[Model] = &[
    chat("anthropic/claude-sonnet-5", false, [2_000_000, 200_000, 10_000_000]),
    // In no price list of anybody's: the answer says what it costs.
    chat("somebody/new-model", true, [123_000, 12_300, 456_000]),
];

#[rustfmt::skip]
pub(super) const ASSEMBLYAI: &[Model] = &[
    hearing("universal-2", 150_000),
    hearing("universal-3-5-pro", 210_000),
];

pub(super) const CARTESIA: &[Model] = &[speech("sonic-3", 39_000_000)];

#[rustfmt::skip]
pub(super) const GEMINI: &[Model] = &[
    chat("gemini-3.8-flash", true, [750_000, 75_000, 3_750_000]),
    chat("gemini-2.5-flash-lite", false, [100_000, 10_000, 400_000]),
];
