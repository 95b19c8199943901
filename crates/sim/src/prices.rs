//! OpenAI's prices, written down by hand, and the simulator's own arithmetic.
//!
//! Source: developers.openai.com/api/docs/pricing as read on 2026-11-22. A rate is in micro-dollars
//! per million units, which is the same number as pico-dollars per unit: 0.15 dollars per million
//! tokens is 150,000.

use crate::quantities::{Meter, Quantities};

/// Input beyond this many tokens makes a whole call dearer: input twice, output one and a half.
pub(crate) const LONG_CONTEXT_TOKENS: u64 = 272_000;

/// Rates in pico-dollars per unit.
#[derive(Clone, Copy)]
pub(crate) struct Rates {
    pub(crate) input: u128,
    pub(crate) cached: u128,
    /// Zero where writing a cache costs what reading input costs, and is not told apart. Kept for
    /// 12 hours it costs twice as much.
    pub(crate) cache_write: u128,
    pub(crate) output: u128,
    pub(crate) image_input: u128,
    pub(crate) audio_output: u128,
    pub(crate) image_output: u128,
    pub(crate) audio_millisecond: u128,
    pub(crate) character: u128,
}

/// What a model is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Chat {
        reasons: bool,
    },
    Embedding {
        dimensions: usize,
    },
    Moderation,
    /// Hears; billed by tokens, or by the length of the sound.
    Hearing {
        by_token: bool,
    },
    /// Speaks; billed by tokens, or by the characters of the text.
    Speech {
        by_token: bool,
    },
    Image,
}

/// A share of the standard price.
type Ratio = (u128, u128);

/// A model and its price.
pub(crate) struct Model {
    pub(crate) name: &'static str,
    /// The dated name in the answers, where the provider resolves the alias.
    pub(crate) answers_as: &'static str,
    pub(crate) kind: Kind,
    pub(crate) rates: Rates,
    flex: Option<Ratio>,
    priority: Option<Ratio>,
    ultrafast: Option<Ratio>,
    long_context: LongContext,
}

/// What happens beyond [`LONG_CONTEXT_TOKENS`].
#[derive(Clone, Copy, PartialEq, Eq)]
enum LongContext {
    SamePrice,
    Dearer,
    /// Dearer, and never at priority.
    DearerWithoutPriority,
}

/// How fast a call is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tier {
    Default,
    Flex,
    Priority,
    Ultrafast,
}

impl Tier {
    /// The text in an answer.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Flex => "flex",
            Self::Priority => "priority",
            Self::Ultrafast => "ultrafast",
        }
    }

    /// The tier with this text.
    pub(crate) fn named(text: &str) -> Option<Self> {
        let all = [Self::Default, Self::Flex, Self::Priority, Self::Ultrafast];
        all.into_iter().find(|tier| tier.as_str() == text)
    }
}

const NONE: Rates = Rates {
    input: 0,
    cached: 0,
    cache_write: 0,
    output: 0,
    image_input: 0,
    audio_output: 0,
    image_output: 0,
    audio_millisecond: 0,
    character: 0,
};

const fn chat(
    name: &'static str,
    answers_as: &'static str,
    reasons: bool,
    [input, cached, cache_write, output]: [u128; 4],
) -> Model {
    Model {
        name,
        answers_as,
        kind: Kind::Chat { reasons },
        rates: Rates {
            input,
            cached,
            cache_write,
            output,
            ..NONE
        },
        flex: None,
        priority: None,
        ultrafast: None,
        long_context: LongContext::SamePrice,
    }
}

const fn other(name: &'static str, kind: Kind, rates: Rates) -> Model {
    Model {
        kind,
        rates,
        ..chat(name, name, false, [0; 4])
    }
}

const HALF: Option<Ratio> = Some((1, 2));
const DOUBLE: Option<Ratio> = Some((2, 1));

/// A model of the sixth generation: every tier, dearer when long.
const fn sixth(name: &'static str, rates: [u128; 4]) -> Model {
    Model {
        flex: HALF,
        priority: DOUBLE,
        long_context: LongContext::Dearer,
        ..chat(name, name, true, rates)
    }
}

/// Every model, with dollars per million: input / cached input / cache write / output.
#[rustfmt::skip]
pub(crate) const MODELS: &[Model] = &[
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
        long_context: LongContext::DearerWithoutPriority,
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
    // 2.50 / 1.25 / – / 10; priority 4.25 / 2.125 / 17
    Model { priority: Some((17, 10)), ..chat("gpt-4o", "gpt-4o-2024-08-06", false, [2_500_000, 1_250_000, 0, 10_000_000]) },
    // 0.15 / 0.075 / – / 0.60; priority 0.25 / 0.125 / 1
    Model { priority: Some((5, 3)), ..chat("gpt-4o-mini", "gpt-4o-mini-2024-07-18", false, [150_000, 75_000, 0, 600_000]) },
    // Stands in no price list: a model that came out this morning.
    chat("sim-unlisted", "sim-unlisted", false, [1_000_000, 100_000, 0, 3_000_000]),
    other("text-embedding-3-small", Kind::Embedding { dimensions: 1536 }, Rates { input: 20_000, ..NONE }),
    other("text-embedding-3-large", Kind::Embedding { dimensions: 3072 }, Rates { input: 130_000, ..NONE }),
    other("omni-moderation-latest", Kind::Moderation, NONE),
    // 2.50 in, text or sound / 10 out. A second price list says 6 for sound.
    other("gpt-4o-transcribe", Kind::Hearing { by_token: true }, Rates { input: 2_500_000, output: 10_000_000, ..NONE }),
    // 0.0045 dollars a minute = 75 nano-dollars a millisecond
    other("gpt-transcribe", Kind::Hearing { by_token: false }, Rates { audio_millisecond: 75_000, ..NONE }),
    // 0.006 dollars a minute = 100 nano-dollars a millisecond
    other("whisper-1", Kind::Hearing { by_token: false }, Rates { audio_millisecond: 100_000, ..NONE }),
    // 15 and 30 dollars per million characters
    other("tts-1", Kind::Speech { by_token: false }, Rates { character: 15_000_000, ..NONE }),
    other("tts-1-hd", Kind::Speech { by_token: false }, Rates { character: 30_000_000, ..NONE }),
    // 0.60 text in / 12 sound out
    other("gpt-4o-mini-tts", Kind::Speech { by_token: true }, Rates { input: 600_000, audio_output: 12_000_000, ..NONE }),
    // 5 text in / 8 picture in / 30 picture out
    other("gpt-image-2", Kind::Image, Rates { input: 5_000_000, image_input: 8_000_000, image_output: 30_000_000, ..NONE }),
];

/// The model of this name, alias or dated.
pub(crate) fn find(name: &str) -> Option<&'static Model> {
    MODELS
        .iter()
        .find(|model| model.name == name || model.answers_as == name)
}

impl Model {
    /// The tier that a call is really served at: the one asked for where the model has a price
    /// for it, else the standard one.
    pub(crate) fn served_at(&self, asked: Option<&str>, input_tokens: u64) -> Tier {
        let long = input_tokens > LONG_CONTEXT_TOKENS;
        match asked {
            Some("flex") if self.flex.is_some() => Tier::Flex,
            Some("priority" | "fast")
                if self.priority.is_some()
                    && !(long && self.long_context == LongContext::DearerWithoutPriority) =>
            {
                Tier::Priority
            }
            Some("ultrafast") if self.ultrafast.is_some() => Tier::Ultrafast,
            _ => Tier::Default,
        }
    }

    /// What a call costs in nano-dollars: exact until the one rounding, half to even.
    pub(crate) fn cost_nanos(&self, tier: Tier, quantities: &Quantities) -> u128 {
        let amount = |meter| u128::from(quantities.get(meter));
        let rates = &self.rates;
        let special_input = amount(Meter::CachedInputTokens)
            + amount(Meter::CacheWriteTokens)
            + amount(Meter::CacheWriteLongTokens)
            + amount(Meter::InputImageTokens);
        let special_output = amount(Meter::OutputAudioTokens) + amount(Meter::OutputImageTokens);
        let input = amount(Meter::InputTokens).saturating_sub(special_input) * rates.input
            + amount(Meter::CachedInputTokens) * rates.cached
            + amount(Meter::CacheWriteTokens) * rates.cache_write
            + amount(Meter::CacheWriteLongTokens) * rates.cache_write * 2
            + amount(Meter::InputImageTokens) * rates.image_input;
        let output = amount(Meter::OutputTokens).saturating_sub(special_output) * rates.output
            + amount(Meter::OutputAudioTokens) * rates.audio_output
            + amount(Meter::OutputImageTokens) * rates.image_output;
        let other = amount(Meter::AudioMilliseconds) * rates.audio_millisecond
            + amount(Meter::Characters) * rates.character;

        // In halves of a pico-dollar, so that one and a half times the output stays whole.
        let long = self.long_context != LongContext::SamePrice
            && quantities.get(Meter::InputTokens) > LONG_CONTEXT_TOKENS;
        let (input_halves, output_halves) = if long { (4, 3) } else { (2, 2) };
        let halves = input * input_halves + output * output_halves + other * 2;
        let (times, over) = match tier {
            Tier::Default => None,
            Tier::Flex => self.flex,
            Tier::Priority => self.priority,
            Tier::Ultrafast => self.ultrafast,
        }
        .unwrap_or((1, 1));
        divide_half_even(halves * times, over * 2_000)
    }
}

/// A quotient, the half rounded to the even neighbour.
fn divide_half_even(number: u128, by: u128) -> u128 {
    let (whole, rest) = (number / by, number % by);
    match (rest * 2).cmp(&by) {
        std::cmp::Ordering::Greater => whole + 1,
        std::cmp::Ordering::Equal => whole + whole % 2,
        std::cmp::Ordering::Less => whole,
    }
}

/// Nano-dollars as dollars with nine digits behind the point.
pub(crate) fn dollars(nanos: u128) -> String {
    format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(model: &str, tier: Tier, amounts: &[(Meter, u64)]) -> String {
        dollars(
            find(model)
                .unwrap()
                .cost_nanos(tier, &Quantities::of(amounts)),
        )
    }

    use Meter::*;

    // Each case was worked out on paper; the arithmetic stands above it.

    #[test]
    fn standard_calls() {
        // 1,000 × 0.15/M + 500 × 0.60/M = 0.00015 + 0.0003
        let plain = [(InputTokens, 1_000), (OutputTokens, 500)];
        assert_eq!(cost("gpt-4o-mini", Tier::Default, &plain), "0.000450000");
        // 700 × 2/M + 1,024 × 0.10/M + 256 × 2.50/M + 100 × 10/M
        // = 0.0014 + 0.0001024 + 0.00064 + 0.001
        let cached = [
            (InputTokens, 1_980),
            (CachedInputTokens, 1_024),
            (CacheWriteTokens, 256),
            (OutputTokens, 100),
            (ReasoningTokens, 64),
        ];
        assert_eq!(cost("gpt-6.1-sol", Tier::Default, &cached), "0.003142400");
        // 1,024 written for 12 hours at twice 2.50/M = 0.00512, 6 read at 2/M = 0.000012
        let kept = [(InputTokens, 1_030), (CacheWriteLongTokens, 1_024)];
        assert_eq!(cost("gpt-6-sol", Tier::Default, &kept), "0.005132000");
    }

    #[test]
    fn tiers() {
        let plain = [(InputTokens, 1_000), (OutputTokens, 500)];
        // 1,000 × 0.25/M + 500 × 1/M = 0.00025 + 0.0005
        assert_eq!(cost("gpt-4o-mini", Tier::Priority, &plain), "0.000750000");
        // (1,000 × 2/M + 500 × 10/M) / 2 = 0.0035
        assert_eq!(cost("gpt-6-sol", Tier::Flex, &plain), "0.003500000");
        // 1,000 × 12.50/M + 500 × 75/M = 0.0125 + 0.0375
        assert_eq!(cost("gpt-5.5", Tier::Priority, &plain), "0.050000000");
        // (1,000 × 2/M + 500 × 10/M) × 6 = 0.042
        assert_eq!(cost("gpt-6.1-sol", Tier::Ultrafast, &plain), "0.042000000");
    }

    #[test]
    fn long_context_begins_behind_the_threshold() {
        // 272,000 × 2/M + 1,000 × 10/M = 0.544 + 0.01
        let at = [(InputTokens, 272_000), (OutputTokens, 1_000)];
        assert_eq!(cost("gpt-6-sol", Tier::Default, &at), "0.554000000");
        // 272,001 × 4/M + 1,000 × 15/M = 1.088004 + 0.015
        let behind = [(InputTokens, 272_001), (OutputTokens, 1_000)];
        assert_eq!(cost("gpt-6-sol", Tier::Default, &behind), "1.103004000");
        // and at priority twice that
        assert_eq!(cost("gpt-6-sol", Tier::Priority, &behind), "2.206008000");
        // 272,001 × 0.25/M, this model has one price for every length
        assert_eq!(
            cost("gpt-5-mini", Tier::Default, &behind[..1]),
            "0.068000250"
        );
    }

    #[test]
    fn sound_text_and_pictures() {
        // 12,345 ms × 100 nano-dollars
        assert_eq!(
            cost("whisper-1", Tier::Default, &[(AudioMilliseconds, 12_345)]),
            "0.001234500"
        );
        // 1,001 ms × 75 nano-dollars
        let heard = [(AudioMilliseconds, 1_001)];
        assert_eq!(cost("gpt-transcribe", Tier::Default, &heard), "0.000075075");
        // 30 × 2.50/M + 12 × 10/M
        let by_token = [
            (InputTokens, 30),
            (InputAudioTokens, 28),
            (OutputTokens, 12),
        ];
        assert_eq!(
            cost("gpt-4o-transcribe", Tier::Default, &by_token),
            "0.000195000"
        );
        // 43 × 15/M
        assert_eq!(
            cost("tts-1", Tier::Default, &[(Characters, 43)]),
            "0.000645000"
        );
        // 11 × 5/M + 1,056 × 30/M = 0.000055 + 0.03168
        let drawn = [
            (InputTokens, 11),
            (OutputTokens, 1_056),
            (OutputImageTokens, 1_056),
        ];
        assert_eq!(cost("gpt-image-2", Tier::Default, &drawn), "0.031735000");
        // 7 × 0.02/M = 140 nano-dollars
        let embedded = [(InputTokens, 7)];
        assert_eq!(
            cost("text-embedding-3-small", Tier::Default, &embedded),
            "0.000000140"
        );
    }

    #[test]
    fn half_a_nano_goes_to_the_even_neighbour_once_per_call() {
        // one cached token of gpt-5-mini at flex: 0.0125/M = 12.5 nano-dollars → 12
        let one = [(InputTokens, 1), (CachedInputTokens, 1)];
        assert_eq!(cost("gpt-5-mini", Tier::Flex, &one), "0.000000012");
        // three: 37.5 → 38
        let three = [(InputTokens, 3), (CachedInputTokens, 3)];
        assert_eq!(cost("gpt-5-mini", Tier::Flex, &three), "0.000000038");
        // one cached and one plain: 12.5 + 125 = 137.5 → 138, not 12 + 125
        let both = [(InputTokens, 2), (CachedInputTokens, 1)];
        assert_eq!(cost("gpt-5-mini", Tier::Flex, &both), "0.000000138");
    }

    #[test]
    fn a_tier_without_a_price_is_served_as_the_standard_one() {
        let tier = |model: &str, asked, tokens| find(model).unwrap().served_at(asked, tokens);
        assert_eq!(tier("gpt-4o-mini", Some("flex"), 1), Tier::Default);
        assert_eq!(tier("gpt-6-sol", Some("fast"), 300_000), Tier::Priority);
        assert_eq!(tier("gpt-5.5", Some("priority"), 272_001), Tier::Default);
        assert_eq!(tier("gpt-5.5", Some("priority"), 272_000), Tier::Priority);
        assert_eq!(tier("gpt-6-sol", Some("auto"), 1), Tier::Default);
    }
}
