//! Prices, written down by hand, and the simulator's own arithmetic.
//!
//! A rate is in micro-dollars per million units, which is the same number as pico-dollars per
//! unit: 0.15 dollars per million tokens is 150,000. Sound alone is priced by the hour.

mod anthropic;
mod deepgram;
mod elevenlabs;
mod hume;
mod openai;
mod plain;

pub(crate) use deepgram::{SURCHARGES, live_surcharge};

use crate::{
    quantities::{Meter, Quantities},
    service::Service,
};

/// Rates in pico-dollars per unit.
#[derive(Clone, Copy)]
pub(crate) struct Rates {
    pub(crate) input: u128,
    pub(crate) cached: u128,
    /// Zero where writing a cache costs what reading input costs, and is not told apart.
    pub(crate) cache_write: u128,
    pub(crate) cache_write_long: u128,
    pub(crate) output: u128,
    /// Zero where sound costs what text costs.
    pub(crate) audio_input: u128,
    pub(crate) cached_audio: u128,
    pub(crate) image_input: u128,
    pub(crate) audio_output: u128,
    pub(crate) image_output: u128,
    /// In micro-dollars an hour.
    pub(crate) audio_hour: u128,
    pub(crate) character: u128,
    pub(crate) credit: u128,
}

/// A model with nothing but a name, a kind and rates.
const fn plain(name: &'static str, kind: Kind, rates: Rates) -> Model {
    Model {
        name,
        answers_as: name,
        kind,
        rates,
        flex: None,
        priority: None,
        ultrafast: None,
        has_fast: false,
        long_context: None,
    }
}

/// Everything for nothing.
const NONE: Rates = Rates {
    input: 0,
    cached: 0,
    cache_write: 0,
    cache_write_long: 0,
    output: 0,
    audio_input: 0,
    cached_audio: 0,
    image_input: 0,
    audio_output: 0,
    image_output: 0,
    audio_hour: 0,
    character: 0,
    credit: 0,
};

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
    /// Talks, hearing and speaking.
    Conversation,
}

/// A share of the standard price.
pub(crate) type Ratio = (u128, u128);

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
    /// Can be asked to be fast, for twice the price.
    pub(crate) has_fast: bool,
    long_context: Option<LongContext>,
}

/// A whole call is dearer when its input is longer than this.
#[derive(Clone, Copy)]
struct LongContext {
    behind: u64,
    /// How much dearer, in halves.
    input_halves: u128,
    output_halves: u128,
    /// And it is never served at priority.
    without_priority: bool,
}

/// How fast a call is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tier {
    Default,
    /// What Anthropic calls the same.
    Standard,
    Flex,
    Priority,
    Ultrafast,
}

impl Tier {
    /// The text in an answer.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Standard => "standard",
            Self::Flex => "flex",
            Self::Priority => "priority",
            Self::Ultrafast => "ultrafast",
        }
    }

    /// The tier with this text.
    pub(crate) fn named(text: &str) -> Option<Self> {
        let all = [
            Self::Default,
            Self::Standard,
            Self::Flex,
            Self::Priority,
            Self::Ultrafast,
        ];
        all.into_iter().find(|tier| tier.as_str() == text)
    }
}

/// Every model of a company.
pub(crate) const fn models(service: Service) -> &'static [Model] {
    match service {
        Service::Openai => openai::MODELS,
        Service::Anthropic => anthropic::MODELS,
        Service::Elevenlabs => elevenlabs::MODELS,
        Service::Deepgram => deepgram::MODELS,
        Service::Hume => hume::MODELS,
        Service::Groq => plain::GROQ,
        Service::Mistral => plain::MISTRAL,
        Service::Xai => plain::XAI,
        Service::Cohere => plain::COHERE,
        Service::Openrouter => plain::OPENROUTER,
        Service::Assemblyai => plain::ASSEMBLYAI,
        Service::Cartesia => plain::CARTESIA,
        Service::Gemini => plain::GEMINI,
        _ => &[],
    }
}

/// On which terms a call is served.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) tier: Tier,
    /// What the whole call costs more or less, for reasons that are no tier.
    pub(crate) factor: Option<Ratio>,
    /// What is added to every hour of sound, in micro-dollars.
    pub(crate) surcharge_hour: u128,
}

impl Terms {
    /// A tier and nothing else.
    pub(crate) const fn at(tier: Tier) -> Self {
        Self {
            tier,
            factor: None,
            surcharge_hour: 0,
        }
    }
}

/// The model of this name, alias or dated.
pub(crate) fn find(service: Service, name: &str) -> Option<&'static Model> {
    models(service)
        .iter()
        .find(|model| model.name == name || model.answers_as == name)
}

impl Model {
    /// The tier that a call is really served at: the one asked for where the model has a price
    /// for it, else the standard one.
    pub(crate) fn served_at(&self, asked: Option<&str>, input_tokens: u64) -> Tier {
        let long = self
            .long_context
            .is_some_and(|long| long.without_priority && input_tokens > long.behind);
        match asked {
            Some("flex") if self.flex.is_some() => Tier::Flex,
            Some("priority" | "fast") if self.priority.is_some() && !long => Tier::Priority,
            Some("ultrafast") if self.ultrafast.is_some() => Tier::Ultrafast,
            _ => Tier::Default,
        }
    }

    /// What a call costs in nano-dollars: exact until the one rounding, half to even.
    pub(crate) fn cost_nanos(&self, terms: Terms, quantities: &Quantities) -> u128 {
        let amount = |meter| u128::from(quantities.get(meter));
        let rates = &self.rates;
        let (sound_input, cached_sound) = if rates.audio_input == 0 {
            (0, 0)
        } else {
            let all = amount(Meter::InputAudioTokens);
            (all, amount(Meter::CachedInputAudioTokens).min(all))
        };
        let special_input = amount(Meter::CachedInputTokens)
            + amount(Meter::CacheWriteTokens)
            + amount(Meter::CacheWriteLongTokens)
            + amount(Meter::InputImageTokens)
            + sound_input;
        let special_output = amount(Meter::OutputAudioTokens) + amount(Meter::OutputImageTokens);
        let input = amount(Meter::InputTokens).saturating_sub(special_input) * rates.input
            + amount(Meter::CachedInputTokens) * rates.cached
            + amount(Meter::CacheWriteTokens) * rates.cache_write
            + amount(Meter::CacheWriteLongTokens) * rates.cache_write_long
            + amount(Meter::InputImageTokens) * rates.image_input
            + (sound_input - cached_sound) * rates.audio_input
            + cached_sound * rates.cached_audio;
        let output = amount(Meter::OutputTokens).saturating_sub(special_output) * rates.output
            + amount(Meter::OutputAudioTokens) * rates.audio_output
            + amount(Meter::OutputImageTokens) * rates.image_output;
        // A millisecond of sound at a micro-dollar an hour is 10/36 of a pico-dollar: counted in
        // parts of 72, in which halves stay whole too.
        let characters = amount(Meter::Characters) * rates.character * 72;
        let sound =
            amount(Meter::AudioMilliseconds) * (rates.audio_hour + terms.surcharge_hour) * 20;
        let long = self
            .long_context
            .filter(|long| quantities.get(Meter::InputTokens) > long.behind);
        let (input_halves, output_halves) =
            long.map_or((2, 2), |long| (long.input_halves, long.output_halves));
        let credits = amount(Meter::Credits) * rates.credit * 72;
        let parts =
            (input * input_halves + output * output_halves) * 36 + characters + credits + sound;
        let (times, over) = match terms.tier {
            Tier::Default | Tier::Standard => None,
            Tier::Flex => self.flex,
            Tier::Priority => self.priority,
            Tier::Ultrafast => self.ultrafast,
        }
        .unwrap_or((1, 1));
        let (more, less) = terms.factor.unwrap_or((1, 1));
        divide_half_even(parts * times * more, over * less * 72_000)
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
            find(Service::Openai, model)
                .unwrap()
                .cost_nanos(Terms::at(tier), &Quantities::of(amounts)),
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
        let tier = |model: &str, asked, tokens| {
            find(Service::Openai, model)
                .unwrap()
                .served_at(asked, tokens)
        };
        assert_eq!(tier("gpt-4o-mini", Some("flex"), 1), Tier::Default);
        assert_eq!(tier("gpt-6-sol", Some("fast"), 300_000), Tier::Priority);
        assert_eq!(tier("gpt-5.5", Some("priority"), 272_001), Tier::Default);
        assert_eq!(tier("gpt-5.5", Some("priority"), 272_000), Tier::Priority);
        assert_eq!(tier("gpt-6-sol", Some("auto"), 1), Tier::Default);
    }
}
