//! What a row charges under given circumstances, and the sum over what was counted.

use diamond_domain::{Meter, Quantities};

use crate::{
    query::Unpriced,
    ratio::Ratio,
    row::{ModelPrice, Modifier, Rates, Threshold, Tier, lineage},
};

/// A row under one tier, one threshold and some modifiers.
#[derive(Debug, Clone)]
pub(crate) struct Schedule<'a> {
    pub row: &'a ModelPrice,
    pub tier: Option<(&'a str, &'a Tier)>,
    pub above: Option<&'a Threshold>,
    pub modifiers: Vec<(&'a str, &'a Modifier)>,
    /// Whether the row's fallback is asked instead of its rates.
    pub fallback: bool,
}

/// What a counted meter means for the price.
///
/// - Work is what a model does. A row measures work in its own units: a model priced by tokens is
///   not charged by its sound's length as well, nor the other way round.
/// - Tools are charged beside the work and always need a rate.
/// - Bookkeeping is charged if the row says so, else it is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Tokens,
    OtherWork,
    Tool,
    Bookkeeping,
}

impl Role {
    const fn of(meter: Meter) -> Self {
        match meter {
            Meter::InputTokens
            | Meter::CachedInputTokens
            | Meter::CacheWriteTokens
            | Meter::CacheWriteLongTokens
            | Meter::InputAudioTokens
            | Meter::CachedInputAudioTokens
            | Meter::InputImageTokens
            | Meter::CachedInputImageTokens
            | Meter::OutputTokens
            | Meter::ReasoningTokens
            | Meter::OutputAudioTokens
            | Meter::OutputImageTokens => Self::Tokens,
            Meter::AudioMilliseconds | Meter::Characters | Meter::Credits | Meter::Images => {
                Self::OtherWork
            }
            Meter::WebSearches | Meter::FileSearches | Meter::CodeSessions => Self::Tool,
            Meter::ConnectionMilliseconds | Meter::Requests => Self::Bookkeeping,
        }
    }

    const fn is_work(self) -> bool {
        matches!(self, Self::Tokens | Self::OtherWork)
    }
}

/// Why there is no sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refused {
    /// Nothing that the rates speak of was counted: the fallback may know.
    NothingRated(Meter),
    /// This one must have a rate and has none.
    NoRate(Meter),
    OutOfRange,
}

impl<'a> Schedule<'a> {
    /// The exact sum in dollars, and whether the fallback had to be asked.
    pub fn charge(&self, quantities: &Quantities) -> Result<(Ratio, bool), Unpriced> {
        let first = match self.sum(quantities) {
            Err(Refused::NothingRated(_)) if !self.row.fallback.is_empty() => {
                let fallback = Self {
                    fallback: true,
                    ..self.clone()
                };
                fallback.sum(quantities).map(|sum| (sum, true))
            }
            sum => sum.map(|sum| (sum, false)),
        };
        first.map_err(|refused| match refused {
            Refused::NothingRated(meter) | Refused::NoRate(meter) => Unpriced::NoRate(meter),
            Refused::OutOfRange => Unpriced::OutOfRange,
        })
    }

    fn sum(&self, quantities: &Quantities) -> Result<Ratio, Refused> {
        let mut total = Ratio::ZERO;
        let mut unrated: Option<Meter> = None;
        let (mut any_rated, mut work_counted, mut work_rated) = (false, false, false);
        for (meter, amount) in without_parts(quantities) {
            let role = Role::of(meter);
            work_counted |= role.is_work();
            let Some(rate) = self.rate(meter)? else {
                let needs_rate = match role {
                    Role::Tool => true,
                    Role::Tokens => self.rates_tokens()?,
                    Role::OtherWork | Role::Bookkeeping => false,
                };
                if needs_rate {
                    return Err(Refused::NoRate(meter));
                }
                // Work says more than bookkeeping on what is missing.
                unrated = match unrated {
                    Some(first) if Role::of(first).is_work() || !role.is_work() => Some(first),
                    _ => Some(meter),
                };
                continue;
            };
            any_rated = true;
            work_rated |= role.is_work();
            let charge = rate.times(Ratio::whole(amount));
            let sum = charge.and_then(|charge| total.plus(charge));
            total = sum.ok_or(Refused::OutOfRange)?;
        }
        let missed = work_counted && !work_rated && self.rates_work()?;
        match unrated {
            Some(meter) if missed || !any_rated => Err(Refused::NothingRated(meter)),
            _ => Ok(total),
        }
    }

    /// Dollars for one unit: the meter's own rate, else that of the whole it is a part of.
    pub fn rate(&self, meter: Meter) -> Result<Option<Ratio>, OutOfRange> {
        for meter in lineage(meter) {
            if let Some(rate) = self.own_rate(meter)? {
                return Ok(Some(rate));
            }
        }
        Ok(None)
    }

    fn own_rate(&self, meter: Meter) -> Result<Option<Ratio>, OutOfRange> {
        let Some(mut rate) = self.unmodified(meter)? else {
            return Ok(None);
        };
        for (_, modifier) in &self.modifiers {
            rate = rate.times(modifier.factors.of(meter)).ok_or(OutOfRange)?;
        }
        for (_, modifier) in &self.modifiers {
            if let Some(&extra) = modifier.add.get(&meter) {
                rate = rate.plus(extra).ok_or(OutOfRange)?;
            }
        }
        Ok(Some(rate))
    }

    /// The most specific explicit rate, times the factors of whatever is less specific than it.
    fn unmodified(&self, meter: Meter) -> Result<Option<Ratio>, OutOfRange> {
        let tier = self.tier.map(|(_, tier)| tier);
        let threshold_is_the_tiers = tier.is_some_and(|tier| !tier.above.is_empty());
        let tier_factor = tier.map_or(Ratio::ONE, |tier| tier.factors.of(meter));
        let above_factor = self
            .above
            .map_or(Ratio::ONE, |above| above.factors.of(meter));
        let explicit = |rates: &Rates| rates.get(&meter).copied();
        let product = if self.fallback {
            let base = explicit(&self.row.fallback);
            base.map(|rate| [rate, tier_factor, above_factor])
        } else if let Some(rate) = self.above.and_then(|above| explicit(&above.rates)) {
            let factor = if threshold_is_the_tiers {
                Ratio::ONE
            } else {
                tier_factor
            };
            Some([rate, factor, Ratio::ONE])
        } else if let Some(rate) = tier.and_then(|tier| explicit(&tier.rates)) {
            Some([rate, above_factor, Ratio::ONE])
        } else {
            let base = explicit(&self.row.rates);
            base.map(|rate| [rate, tier_factor, above_factor])
        };
        let Some([rate, one, other]) = product else {
            return Ok(None);
        };
        let rate = rate.times(one).and_then(|rate| rate.times(other));
        rate.map(Some).ok_or(OutOfRange)
    }

    fn rates_tokens(&self) -> Result<bool, OutOfRange> {
        self.rates_any(|role| role == Role::Tokens)
    }

    fn rates_work(&self) -> Result<bool, OutOfRange> {
        self.rates_any(Role::is_work)
    }

    fn rates_any(&self, wanted: impl Fn(Role) -> bool) -> Result<bool, OutOfRange> {
        for &meter in Meter::ALL {
            if wanted(Role::of(meter)) && self.own_rate(meter)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// A rate that does not fit: the catalog's digits are bounded, so only absurd factors lead here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OutOfRange;

impl From<OutOfRange> for Refused {
    fn from(_: OutOfRange) -> Self {
        Self::OutOfRange
    }
}

/// The counted amounts, each without those of its parts. Only for consistent quantities.
fn without_parts(quantities: &Quantities) -> impl Iterator<Item = (Meter, u64)> + '_ {
    quantities.iter().filter_map(|(meter, amount)| {
        let parts = quantities
            .iter()
            .filter(|(part, _)| part.part_of() == Some(meter));
        let rest = parts.fold(amount, |rest, (_, part)| rest.saturating_sub(part));
        (rest > 0).then_some((meter, rest))
    })
}
