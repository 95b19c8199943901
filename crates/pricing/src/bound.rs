//! The most that a call can cost: for estimates and reservations before it is made.

use std::collections::BTreeMap;

use diamond_domain::{Meter, Money, ServiceId};
use jiff::Timestamp;

use crate::{
    catalog::Catalog,
    ratio::Ratio,
    row::{ModelPrice, Threshold, Tier, lineage},
    schedule::Schedule,
    service::Service,
};

impl Catalog {
    /// The most that a call with so many tokens can cost, in whatever tier, threshold and
    /// circumstances (one value of each kind) the row knows; every token at the dearest rate of
    /// its direction. Tools are not in it: nobody knows how often a model will search.
    ///
    /// Without `output_tokens_max` the model's own limit is taken. `None` when the model is
    /// unknown, is charged by anything else than tokens (then tokens bound nothing), or its output
    /// has no limit. A row's fallback is not in it.
    #[must_use]
    pub fn upper_bound(
        &self,
        service: &ServiceId,
        model: &str,
        at: Timestamp,
        input_tokens_max: u64,
        output_tokens_max: Option<u64>,
    ) -> Option<Money> {
        let row = self.row(service, model, at)?;
        let tiers = row
            .tiers
            .iter()
            .map(|(name, tier)| Some((name.as_str(), tier)));
        let tiers = std::iter::once(None).chain(tiers);
        bound(row, tiers, input_tokens_max, output_tokens_max)
    }

    /// As [`Catalog::upper_bound`], for one service tier in the provider's words. `None` also for
    /// a tier that the row does not know.
    #[must_use]
    pub fn upper_bound_in_tier(
        &self,
        service: &ServiceId,
        model: &str,
        at: Timestamp,
        service_tier: Option<&str>,
        input_tokens_max: u64,
        output_tokens_max: Option<u64>,
    ) -> Option<Money> {
        let service: &Service = self.service(service).ok()?;
        let row = service.row(model, at).ok()?;
        let tier = service.tier(row, service_tier).ok()?;
        bound(
            row,
            std::iter::once(tier),
            input_tokens_max,
            output_tokens_max,
        )
    }
}

fn bound<'a>(
    row: &'a ModelPrice,
    tiers: impl Iterator<Item = Option<(&'a str, &'a Tier)>>,
    input_tokens_max: u64,
    output_tokens_max: Option<u64>,
) -> Option<Money> {
    let mut dearest: Option<Ratio> = None;
    for tier in tiers {
        let thresholds: &[Threshold] = match tier {
            Some((_, tier)) if !tier.above.is_empty() => &tier.above,
            _ => &row.above,
        };
        let reached = thresholds
            .iter()
            .filter(|above| input_tokens_max > above.input_tokens);
        for above in std::iter::once(None).chain(reached.map(Some)) {
            let schedule = Schedule {
                row,
                tier,
                above,
                modifiers: Vec::new(),
                fallback: false,
            };
            if charged_otherwise(&schedule)? {
                return None;
            }
            let Some(input) = dearest_of(&schedule, Meter::InputTokens)? else {
                continue;
            };
            let mut sum = input.times(Ratio::whole(input_tokens_max))?;
            if let Some(output) = dearest_of(&schedule, Meter::OutputTokens)? {
                let most = output_tokens_max.or(row.limits.max_output_tokens);
                let most = if output.is_zero() { 0 } else { most? };
                sum = sum.plus(output.times(Ratio::whole(most))?)?;
            }
            if let Some(request) = dearest_of(&schedule, Meter::Requests)? {
                sum = sum.plus(request)?;
            }
            dearest = Some(match dearest {
                Some(other) => other.larger(sum)?,
                None => sum,
            });
        }
    }
    dearest?.to_money()
}

fn charged_otherwise(schedule: &Schedule<'_>) -> Option<bool> {
    let others = [
        Meter::AudioMilliseconds,
        Meter::Characters,
        Meter::Credits,
        Meter::Images,
        Meter::ConnectionMilliseconds,
    ];
    for meter in others {
        if schedule.rate(meter).ok()?.is_some() {
            return Some(true);
        }
    }
    Some(false)
}

/// The dearest rate of a meter and its parts under any modifiers: `Some(None)` when there is
/// none, `None` when it does not fit.
fn dearest_of(schedule: &Schedule<'_>, whole: Meter) -> Option<Option<Ratio>> {
    let mut dearest: Option<Ratio> = None;
    for &meter in Meter::ALL {
        if !lineage(meter).any(|meter| meter == whole) {
            continue;
        }
        let Some(rate) = schedule.rate(meter).ok()? else {
            continue;
        };
        let rate = modified(schedule.row, meter, rate)?;
        dearest = Some(match dearest {
            Some(other) => other.larger(rate)?,
            None => rate,
        });
    }
    Some(dearest)
}

/// A rate with the dearest value of each kind of modifier.
fn modified(row: &ModelPrice, meter: Meter, rate: Ratio) -> Option<Ratio> {
    let mut kinds: BTreeMap<&str, (Ratio, Ratio)> = BTreeMap::new();
    for (name, modifier) in &row.modifiers {
        let kind = name.split(':').next().unwrap_or(name);
        let (factor, extra) = kinds.entry(kind).or_insert((Ratio::ONE, Ratio::ZERO));
        *factor = factor.larger(modifier.factors.of(meter))?;
        let add = modifier.add.get(&meter).copied().unwrap_or(Ratio::ZERO);
        *extra = extra.larger(add)?;
    }
    let mut dearest = rate;
    for (factor, _) in kinds.values() {
        dearest = dearest.times(*factor)?;
    }
    for (_, extra) in kinds.values() {
        dearest = dearest.plus(*extra)?;
    }
    Some(dearest)
}
