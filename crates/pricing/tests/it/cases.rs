//! Worked cases: data with the arithmetic written out.

use std::collections::BTreeMap;

use diamond_domain::Quantities;
use diamond_pricing::{Catalog, PriceQuery};
use serde::Deserialize;

use crate::{noon, service};

#[derive(Deserialize)]
struct Cases {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    service: String,
    model: String,
    tier: Option<String>,
    #[serde(default)]
    modifiers: Vec<String>,
    at: Option<String>,
    quantities: BTreeMap<String, u64>,
    cost: Option<String>,
    price_id: Option<String>,
    unpriced: Option<String>,
}

#[test]
fn worked_cases() {
    let catalog = Catalog::embedded().unwrap();
    let cases: Cases = toml::from_str(include_str!("../cases.toml")).unwrap();
    let mut wrong = Vec::new();
    for case in &cases.case {
        let quantities: Quantities = case
            .quantities
            .iter()
            .map(|(meter, amount)| (meter.parse().unwrap(), *amount))
            .collect();
        let modifiers: Vec<&str> = case.modifiers.iter().map(String::as_str).collect();
        let found = catalog.price(&PriceQuery {
            service: &service(&case.service),
            model: &case.model,
            service_tier: case.tier.as_deref(),
            at: case.at.as_ref().map_or_else(noon, |at| at.parse().unwrap()),
            quantities: &quantities,
            modifiers: &modifiers,
        });
        let (cost, price_id, unpriced) = match found {
            Ok(priced) => (Some(priced.cost.to_string()), Some(priced.price_id), None),
            Err(reason) => (None, None, Some(reason.to_string())),
        };
        let found = (&cost, &price_id, &unpriced);
        let expected = (&case.cost, &case.price_id, &case.unpriced);
        if found != expected {
            wrong.push(format!(
                "{}\n  expected {expected:?}\n  found    {found:?}",
                case.name
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
