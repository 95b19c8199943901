//! What holds for any call.

use std::sync::LazyLock;

use diamond_domain::{Meter, Money, Quantities, ServiceId};
use diamond_pricing::{Catalog, ModelPrice, PriceQuery, Priced, Unpriced};
use proptest::prelude::*;

use crate::noon;

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| Catalog::embedded().unwrap());
static ROWS: LazyLock<Vec<&'static ModelPrice>> = LazyLock::new(|| {
    let rows = CATALOG
        .services()
        .flat_map(|service| CATALOG.models(service));
    rows.collect()
});

const TIERS: [Option<&str>; 7] = [
    None,
    Some("batch"),
    Some("flex"),
    Some("priority"),
    Some("ultrafast"),
    Some("streaming"),
    Some("default"),
];
const MODIFIERS: [&[&str]; 4] = [
    &[],
    &["geo:us"],
    &["geo:us", "speed:fast"],
    &["diarize:true"],
];

fn price(
    service: &ServiceId,
    model: &str,
    tier: Option<&str>,
    modifiers: &[&str],
    quantities: &Quantities,
) -> Result<Priced, Unpriced> {
    CATALOG.price(&PriceQuery {
        service,
        model,
        service_tier: tier,
        at: noon(),
        quantities,
        modifiers,
    })
}

/// Amounts for each meter on its own, each whole then raised to hold its parts.
fn consistent(amounts: &[u64]) -> Quantities {
    let mut quantities: Quantities = Meter::ALL
        .iter()
        .copied()
        .zip(amounts.iter().copied())
        .collect();
    for &meter in Meter::ALL.iter().rev() {
        if let Some(whole) = meter.part_of() {
            quantities.add(whole, quantities.get(meter));
        }
    }
    quantities
}

fn token_parts(upper: u64) -> impl Strategy<Value = Vec<u64>> {
    let tokens = prop::collection::vec(0..upper, 12);
    tokens.prop_map(|mut amounts| {
        amounts.resize(Meter::ALL.len(), 0);
        amounts
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_amount_makes_it_panic_or_wrap(
        row in 0..ROWS.len(), tier in 0..TIERS.len(), modifiers in 0..MODIFIERS.len(),
        amounts in prop::collection::vec(
            prop_oneof![Just(0), Just(u64::MAX), any::<u64>(), 0..1_000_u64], Meter::ALL.len()),
    ) {
        let row = ROWS[row];
        let quantities = Meter::ALL.iter().copied().zip(amounts).collect();
        let found = price(&row.service, &row.name, TIERS[tier], MODIFIERS[modifiers], &quantities);
        if let Ok(priced) = found {
            prop_assert!(!priced.cost.is_negative());
        }
        let _ = CATALOG.upper_bound(&row.service, &row.name, noon(), u64::MAX, Some(u64::MAX));
    }

    /// One unit more of anything never costs less. (Cached input is not "more": the whole is
    /// raised with it. Free parts may leave the cost as it is.)
    #[test]
    fn more_is_never_cheaper(
        row in 0..ROWS.len(), tier in 0..TIERS.len(), modifiers in 0..MODIFIERS.len(),
        amounts in token_parts(400_000), more in 0_usize..12, by in 1_u64..400_000,
    ) {
        let row = ROWS[row];
        let mut raised = amounts.clone();
        raised[more] += by;
        let ask = |amounts: &[u64]| {
            price(&row.service, &row.name, TIERS[tier], MODIFIERS[modifiers], &consistent(amounts))
        };
        if let (Ok(less), Ok(more)) = (ask(&amounts), ask(&raised)) {
            prop_assert!(less.cost <= more.cost, "{less:?} {more:?}");
        }
    }

    /// A call is the sum of its parts: charging the cached tokens, the rest of the input and the
    /// output as three calls gives the same, but for the rounding of each, at most half a nano.
    #[test]
    fn parts_and_the_rest_add_up_to_the_whole(
        row in 0..ROWS.len(), rest in 1_u64..90_000, cached in 1_u64..9_000, output in 1_u64..90_000,
    ) {
        let row = ROWS[row];
        let ask = |quantities: Quantities| {
            price(&row.service, &row.name, None, &[], &quantities)
                .map(|priced| priced.cost)
        };
        let all = ask(Quantities::new()
            .with(Meter::InputTokens, rest + cached)
            .with(Meter::CachedInputTokens, cached)
            .with(Meter::OutputTokens, output));
        let three = [
            ask(Quantities::new().with(Meter::InputTokens, rest)),
            ask(Quantities::new().with(Meter::InputTokens, cached).with(Meter::CachedInputTokens, cached)),
            ask(Quantities::new().with(Meter::OutputTokens, output)),
        ];
        if let (Ok(all), [Ok(a), Ok(b), Ok(c)]) = (all, three) {
            let difference = (all - [a, b, c].into_iter().sum::<Money>()).nanos().abs();
            prop_assert!(difference <= 2, "{all} against {a} + {b} + {c}");
        }
    }

    #[test]
    fn no_call_in_tokens_costs_more_than_its_bound(
        row in 0..ROWS.len(), tier in 0..TIERS.len(), modifiers in 0..MODIFIERS.len(),
        amounts in token_parts(100_000), spare in 0_u64..1000,
    ) {
        let row = ROWS[row];
        let quantities = consistent(&amounts);
        let (input, output) = (quantities.get(Meter::InputTokens), quantities.get(Meter::OutputTokens));
        let priced = price(&row.service, &row.name, TIERS[tier], MODIFIERS[modifiers], &quantities);
        let bound = CATALOG.upper_bound(
            &row.service, &row.name, noon(), input + spare, Some(output + spare));
        if let (Ok(priced), Some(bound)) = (priced, bound) {
            prop_assert!(priced.cost <= bound, "{priced:?} {bound}");
        }
    }
}
