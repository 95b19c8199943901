//! Every model of Anthropic that is played, with its price.
//!
//! Source: platform.claude.com/docs/en/about-claude/pricing as read on 2026-11-22.

use super::{Kind, LongContext, Model, NONE, Rates, plain};

/// Dollars per million: input / cache read / cache write for 5 minutes / for an hour / output.
const fn claude(
    name: &'static str,
    answers_as: &'static str,
    [input, cached, cache_write, cache_write_long, output]: [u128; 5],
) -> Model {
    let rates = Rates {
        input,
        cached,
        cache_write,
        cache_write_long,
        output,
        ..NONE
    };
    Model {
        answers_as,
        ..plain(name, Kind::Chat { reasons: true }, rates)
    }
}

#[rustfmt::skip]
pub(super) const MODELS: &[Model] = &[
    // 4 / 0.20 / 5 / 8 / 20
    Model { has_fast: true, ..claude("claude-opus-5-5", "claude-opus-5-5", [4_000_000, 200_000, 5_000_000, 8_000_000, 20_000_000]) },
    // 5 / 0.50 / 6.25 / 10 / 25
    Model { has_fast: true, ..claude("claude-opus-5", "claude-opus-5", [5_000_000, 500_000, 6_250_000, 10_000_000, 25_000_000]) },
    // 2 / 0.10 / 2.50 / 4 / 10
    claude("claude-sonnet-5-5", "claude-sonnet-5-5", [2_000_000, 100_000, 2_500_000, 4_000_000, 10_000_000]),
    // 2 / 0.20 / 2.50 / 4 / 10
    claude("claude-sonnet-5", "claude-sonnet-5", [2_000_000, 200_000, 2_500_000, 4_000_000, 10_000_000]),
    // 0.10 / 0.01 / 0.125 / 0.20 / 0.50; five times as much behind 100,000 tokens of input
    Model {
        long_context: Some(LongContext { behind: 100_000, input_halves: 10, output_halves: 10, without_priority: false }),
        ..claude("claude-haiku-5-5", "claude-haiku-5-5", [100_000, 10_000, 125_000, 200_000, 500_000])
    },
    // 1 / 0.10 / 1.25 / 2 / 5
    claude("claude-haiku-4-5", "claude-haiku-4-5-20251001", [1_000_000, 100_000, 1_250_000, 2_000_000, 5_000_000]),
    // 10 / 0.25 / 12.50 / 20 / 50
    claude("claude-fable-5-1", "claude-fable-5-1", [10_000_000, 250_000, 12_500_000, 20_000_000, 50_000_000]),
    // 3 / 0.30 / 3.75 / 6 / 15
    claude("claude-sonnet-4-6", "claude-sonnet-4-6", [3_000_000, 300_000, 3_750_000, 6_000_000, 15_000_000]),
    claude("claude-sonnet-4-5", "claude-sonnet-4-5-20250929", [3_000_000, 300_000, 3_750_000, 6_000_000, 15_000_000]),
    // Stands in no price list: a model that came out this morning.
    claude("claude-unlisted", "claude-unlisted", [1_000_000, 100_000, 1_250_000, 2_000_000, 3_000_000]),
];
