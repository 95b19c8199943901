//! What the simulator counts, by the meter names that both sides of a comparison use.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A thing that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Meter {
    Requests,
    /// All input tokens; the next six are among them and apart from each other.
    InputTokens,
    CachedInputTokens,
    CacheWriteTokens,
    CacheWriteLongTokens,
    InputAudioTokens,
    /// Among the sound of the input, and apart from the cached text.
    CachedInputAudioTokens,
    InputImageTokens,
    /// All output tokens; the next three are among them.
    OutputTokens,
    ReasoningTokens,
    OutputAudioTokens,
    OutputImageTokens,
    AudioMilliseconds,
    Characters,
    /// The company's own unit.
    Credits,
    Images,
}

/// Amounts by meter. A meter that counted nothing is absent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Quantities(BTreeMap<Meter, u64>);

impl Quantities {
    /// One request and these amounts.
    pub(crate) fn of(amounts: &[(Meter, u64)]) -> Self {
        let mut quantities = Self::default();
        quantities.add(Meter::Requests, 1);
        quantities.add_all(amounts);
        quantities
    }

    /// The amount of one meter.
    pub(crate) fn get(&self, meter: Meter) -> u64 {
        self.0.get(&meter).copied().unwrap_or(0)
    }

    /// Adds to one meter.
    pub(crate) fn add(&mut self, meter: Meter, amount: u64) {
        if amount > 0 {
            *self.0.entry(meter).or_default() += amount;
        }
    }

    /// Adds to several meters.
    pub(crate) fn add_all(&mut self, amounts: &[(Meter, u64)]) {
        for &(meter, amount) in amounts {
            self.add(meter, amount);
        }
    }

    /// Adds everything that another has.
    pub(crate) fn join(&mut self, other: &Self) {
        for (meter, amount) in &other.0 {
            self.add(*meter, *amount);
        }
    }
}
