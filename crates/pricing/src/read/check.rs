//! What a row says as a whole: rates that are missing, do nothing, or stand against each other.

use std::collections::BTreeMap;

use diamond_domain::Meter;

use super::convert::Reasons;
use crate::row::{ModelPrice, lineage};

/// Everything that is wrong with a row whose single values are right.
pub(super) fn row(row: &ModelPrice, reasons: &mut Reasons) {
    rates(row, reasons);
    factors(row, reasons);
    ambiguity(row, reasons);
}

fn rates(row: &ModelPrice, reasons: &mut Reasons) {
    let proper = row
        .tiers
        .values()
        .map(|tier| &tier.rates)
        .chain([&row.rates]);
    if proper.into_iter().all(BTreeMap::is_empty) && row.fallback.is_empty() {
        reasons.say("the row has no rate");
    }
    for (name, modifier) in &row.modifiers {
        for meter in modifier.add.keys() {
            let rated = row
                .tiers
                .values()
                .map(|tier| &tier.rates)
                .chain([&row.rates]);
            if !rated.into_iter().any(|rates| rates.contains_key(meter)) {
                reasons.say(format!(
                    "`modifiers.{name}` adds to `{meter}`, which has no rate"
                ));
            }
        }
    }
}

/// A factor on a meter that is charged at its whole's rate would silently do nothing.
fn factors(row: &ModelPrice, reasons: &mut Reasons) {
    let rated: Vec<Meter> = row.meters().collect();
    let tiers = row.tiers.values().flat_map(|tier| {
        let above = tier.above.iter().map(|above| &above.factors);
        above.chain([&tier.factors])
    });
    let all = tiers
        .chain(row.above.iter().map(|above| &above.factors))
        .chain(row.modifiers.values().map(|modifier| &modifier.factors));
    for &key in all.flat_map(|factors| factors.0.keys()) {
        // `multiply = "0.5"` names both directions, and a model may well have only one.
        let both = matches!(key, Meter::InputTokens | Meter::OutputTokens);
        let acts = |&meter: &Meter| lineage(meter).any(|meter| meter == key);
        if !both && !rated.iter().any(acts) {
            reasons.say(format!(
                "a factor is given for `{key}`, which has no rate of its own"
            ));
        }
    }
}

/// Two explicit rates for one circumstance: which one holds would be a guess.
fn ambiguity(row: &ModelPrice, reasons: &mut Reasons) {
    for (name, tier) in row.tiers.iter().filter(|(_, tier)| tier.above.is_empty()) {
        for above in &row.above {
            for meter in above
                .rates
                .keys()
                .filter(|meter| tier.rates.contains_key(meter))
            {
                reasons.say(format!(
                    "`{meter}` has a rate in tier `{name}` and another above {} input tokens: \
                     give the tier its own `above`",
                    above.input_tokens
                ));
            }
        }
    }
}
