//! One row of the catalog: a model's prices from a date on.

use std::collections::BTreeMap;

use diamond_domain::{Meter, ServiceId};
use jiff::{Timestamp, civil::Date};

use crate::ratio::Ratio;

/// Dollars for one unit of a meter.
pub(crate) type Rates = BTreeMap<Meter, Ratio>;

/// A meter, the one that it is a part of, and so on.
pub(crate) fn lineage(meter: Meter) -> impl Iterator<Item = Meter> {
    std::iter::successors(Some(meter), |meter| meter.part_of())
}

/// Whether a provider still offers a model. It says nothing on the price: a call that was answered
/// is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ModelStatus {
    /// Offered.
    Current,
    /// Withdrawn.
    Retired,
}

/// What a model takes and gives at most, in tokens; `None` where no source says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ModelLimits {
    /// The longest input.
    pub max_input_tokens: Option<u64>,
    /// The longest output.
    pub max_output_tokens: Option<u64>,
}

/// A model's prices from one date on.
#[derive(Debug, Clone)]
pub struct ModelPrice {
    /// The provider.
    pub service: ServiceId,
    /// The model's name.
    pub name: String,
    /// Other names of the same model.
    pub aliases: Vec<String>,
    /// Beginnings of names that belong to the model: `aura-2-` for every voice of Aura-2.
    pub prefixes: Vec<String>,
    /// The first day (UTC).
    pub valid_from: Date,
    /// The first day (UTC) on which the row no longer holds.
    pub valid_to: Option<Date>,
    /// The day on which the source was read.
    pub observed: Date,
    /// The page or file that says so.
    pub source: String,
    /// What a reader should know: a choice between sources, a correction.
    pub note: Option<String>,
    /// Whether the provider still offers it.
    pub status: ModelStatus,
    /// The day on which the provider withdraws it, if that is announced.
    pub retires: Option<Date>,
    /// The longest input and output.
    pub limits: ModelLimits,
    pub(crate) starts: Timestamp,
    pub(crate) ends: Option<Timestamp>,
    /// What is charged.
    pub(crate) rates: Rates,
    /// What is charged when nothing that `rates` speaks of was counted.
    pub(crate) fallback: Rates,
    /// Long inputs.
    pub(crate) above: Vec<Threshold>,
    /// Service tiers, by the provider's word.
    pub(crate) tiers: BTreeMap<String, Tier>,
    /// Circumstances, as `kind:value`.
    pub(crate) modifiers: BTreeMap<String, Modifier>,
}

impl ModelPrice {
    /// The row's name in events, without what else applied: `openai/gpt-4o-mini@2026-10-01`.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}/{}@{}", self.service, self.name, self.valid_from)
    }

    /// The meters that have a rate of their own somewhere in the row.
    pub fn meters(&self) -> impl Iterator<Item = Meter> + '_ {
        let meters = Meter::ALL.iter().copied();
        meters.filter(|meter| self.all_rates().any(|rates| rates.contains_key(meter)))
    }

    pub(crate) fn holds(&self, at: Timestamp) -> bool {
        self.starts <= at && self.ends.is_none_or(|end| at < end)
    }

    pub(crate) fn all_rates(&self) -> impl Iterator<Item = &Rates> {
        let tiers = self.tiers.values();
        [&self.rates, &self.fallback]
            .into_iter()
            .chain(self.above.iter().map(|above| &above.rates))
            .chain(tiers.flat_map(|tier| {
                let above = tier.above.iter().map(|above| &above.rates);
                above.chain([&tier.rates])
            }))
            .chain(self.modifiers.values().map(|modifier| &modifier.add))
    }
}

/// Factors by meter; a meter without one takes that of the meter it is a part of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Factors(pub BTreeMap<Meter, Ratio>);

impl Factors {
    /// The factor that holds for a meter.
    pub fn of(&self, meter: Meter) -> Ratio {
        let found = lineage(meter).find_map(|meter| self.0.get(&meter));
        found.copied().unwrap_or(Ratio::ONE)
    }
}

/// Other prices for the whole call when its input is longer than this.
#[derive(Debug, Clone)]
pub(crate) struct Threshold {
    pub input_tokens: u64,
    pub rates: Rates,
    pub factors: Factors,
}

/// Other prices for a service tier. A tier with thresholds of its own has no use for the row's.
#[derive(Debug, Clone)]
pub(crate) struct Tier {
    pub rates: Rates,
    pub factors: Factors,
    pub above: Vec<Threshold>,
}

/// A circumstance: the rates times the factors, then `add` on top.
#[derive(Debug, Clone)]
pub(crate) struct Modifier {
    pub factors: Factors,
    pub add: Rates,
}
