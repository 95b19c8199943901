//! What a call used, by meter.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::id::impl_serde_as_text;

/// The text names no meter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a meter")]
pub struct UnknownMeter(String);

macro_rules! meters {
    ($($(#[$doc:meta])* $name:ident = $text:literal $(in $parent:ident)?;)*) => {
        /// A thing that is counted. Whole numbers only.
        ///
        /// Some meters are **parts** of another ([`Meter::part_of`]): `cached_input_tokens` are
        /// among the `input_tokens`. Parts of one meter are disjoint. A part with a price of its
        /// own is charged at it, the rest of the whole at the whole's price.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Meter { $($(#[$doc])* $name,)* }

        impl Meter {
            /// Every meter, a part always after its whole.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The text, as it stands in events and prices.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The meter that this one is a part of.
            #[must_use]
            pub const fn part_of(self) -> Option<Self> {
                match self { $(Self::$name => meters!(@parent $($parent)?),)* }
            }
        }
    };
    (@parent) => { None };
    (@parent $parent:ident) => { Some(Self::$parent) };
}

meters! {
    /// All input tokens, cached ones included (as OpenAI and OpenTelemetry count).
    InputTokens = "input_tokens";
    /// Text input tokens that were read from a cache.
    CachedInputTokens = "cached_input_tokens" in InputTokens;
    /// Input tokens written to the short cache (OpenAI 30 minutes, Anthropic 5 minutes).
    CacheWriteTokens = "cache_write_tokens" in InputTokens;
    /// Input tokens written to the long cache (OpenAI 12 hours, Anthropic 1 hour).
    CacheWriteLongTokens = "cache_write_long_tokens" in InputTokens;
    /// Input tokens that are sound.
    InputAudioTokens = "input_audio_tokens" in InputTokens;
    /// Sound input tokens that were read from a cache.
    CachedInputAudioTokens = "cached_input_audio_tokens" in InputAudioTokens;
    /// Input tokens that are pictures.
    InputImageTokens = "input_image_tokens" in InputTokens;
    /// Picture input tokens that were read from a cache.
    CachedInputImageTokens = "cached_input_image_tokens" in InputImageTokens;
    /// All output tokens, reasoning included.
    OutputTokens = "output_tokens";
    /// Output tokens that the caller did not see.
    ReasoningTokens = "reasoning_tokens" in OutputTokens;
    /// Output tokens that are sound.
    OutputAudioTokens = "output_audio_tokens" in OutputTokens;
    /// Output tokens that are pictures.
    OutputImageTokens = "output_image_tokens" in OutputTokens;
    /// Sound heard or made, in milliseconds, channels added up.
    AudioMilliseconds = "audio_milliseconds";
    /// Unicode code points of text turned into speech.
    Characters = "characters";
    /// The provider's own unit (ElevenLabs credits).
    Credits = "credits";
    /// Pictures made.
    Images = "images";
    /// Searches of the web that the provider ran.
    WebSearches = "web_searches";
    /// Searches of files that the provider ran.
    FileSearches = "file_searches";
    /// Sandboxes that the provider opened to run code.
    CodeSessions = "code_sessions";
    /// How long a connection was open, in milliseconds.
    ConnectionMilliseconds = "connection_milliseconds";
    /// Calls. One for every attempt that reached the provider.
    Requests = "requests";
}

impl fmt::Display for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Meter {
    type Err = UnknownMeter;

    fn from_str(text: &str) -> Result<Self, UnknownMeter> {
        let found = Self::ALL.iter().find(|meter| meter.as_str() == text);
        found.copied().ok_or_else(|| UnknownMeter(text.to_owned()))
    }
}

impl_serde_as_text!(Meter);

/// Amounts by meter; a meter that is absent counted nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Quantities(BTreeMap<Meter, u64>);

impl Quantities {
    /// Nothing counted.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The amount of one meter.
    #[must_use]
    pub fn get(&self, meter: Meter) -> u64 {
        self.0.get(&meter).copied().unwrap_or(0)
    }

    /// Sets one meter; zero removes it.
    pub fn set(&mut self, meter: Meter, amount: u64) {
        if amount == 0 {
            self.0.remove(&meter);
        } else {
            self.0.insert(meter, amount);
        }
    }

    /// The same with one meter set.
    #[must_use]
    pub fn with(mut self, meter: Meter, amount: u64) -> Self {
        self.set(meter, amount);
        self
    }

    /// Adds to one meter, saturating.
    pub fn add(&mut self, meter: Meter, amount: u64) {
        let sum = self.get(meter).saturating_add(amount);
        self.set(meter, sum);
    }

    /// Whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The meters that counted something, in their order, with their amounts.
    pub fn iter(&self) -> impl Iterator<Item = (Meter, u64)> + '_ {
        self.0.iter().map(|(&meter, &amount)| (meter, amount))
    }

    /// The first meter whose parts add up to more than itself, if any: such a count is not to be
    /// priced.
    #[must_use]
    pub fn inconsistent(&self) -> Option<Meter> {
        Meter::ALL.iter().copied().find(|&whole| {
            let parts: u128 = self
                .iter()
                .filter(|(meter, _)| meter.part_of() == Some(whole))
                .map(|(_, amount)| u128::from(amount))
                .sum();
            parts > u128::from(self.get(whole))
        })
    }
}

impl FromIterator<(Meter, u64)> for Quantities {
    fn from_iter<I: IntoIterator<Item = (Meter, u64)>>(amounts: I) -> Self {
        let mut quantities = Self::new();
        for (meter, amount) in amounts {
            quantities.add(meter, amount);
        }
        quantities
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_meter_reads_back_its_text_and_stands_behind_its_whole() {
        for (place, meter) in Meter::ALL.iter().enumerate() {
            assert_eq!(meter.as_str().parse(), Ok(*meter));
            if let Some(whole) = meter.part_of() {
                assert!(Meter::ALL[..place].contains(&whole), "{meter}");
            }
        }
    }

    #[test]
    fn parts_beyond_the_whole_are_noticed() {
        let quantities = Quantities::new()
            .with(Meter::InputTokens, 10)
            .with(Meter::CachedInputTokens, 6)
            .with(Meter::CacheWriteTokens, 5);
        assert_eq!(quantities.inconsistent(), Some(Meter::InputTokens));
    }
}
