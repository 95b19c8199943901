//! Operators' rows.

use diamond_domain::{Meter, Quantities};
use diamond_pricing::{Catalog, PriceQuery, Priced, Unpriced};
use jiff::Timestamp;

use crate::{noon, service};

fn price(catalog: &Catalog, name: &str, model: &str, at: Timestamp) -> Result<Priced, Unpriced> {
    catalog.price(&PriceQuery {
        service: &service(name),
        model,
        service_tier: None,
        at,
        quantities: &Quantities::new().with(Meter::InputTokens, 1_000_000),
        modifiers: &[],
    })
}

fn cost(catalog: &Catalog, name: &str, model: &str, at: &str) -> String {
    let priced = price(catalog, name, model, at.parse().unwrap());
    priced.map_or_else(
        |reason| reason.to_string(),
        |priced| priced.cost.to_string(),
    )
}

#[test]
fn the_row_that_began_last_wins_from_its_day() {
    let catalog = Catalog::embedded().unwrap().with_overrides(
        r#"
        [[model]]
        service = "openai"
        name = "gpt-4o-mini"
        valid_from = 2026-12-01
        valid_to = 2027-01-01
        observed = 2026-11-22
        source = "contract 7"
        rates = { input_tokens = "0.10 / 1000000" }
        "#,
    );
    let catalog = catalog.unwrap();
    let at = |at| cost(&catalog, "openai", "gpt-4o-mini-2024-07-18", at);
    assert_eq!(at("2026-11-30T23:59:59Z"), "0.150000000");
    assert_eq!(at("2026-12-01T00:00:00Z"), "0.100000000");
    assert_eq!(at("2026-12-31T23:59:59Z"), "0.100000000");
    // The contract has ended; the list price holds again.
    assert_eq!(at("2027-01-01T00:00:00Z"), "0.150000000");
}

#[test]
fn the_same_model_and_day_is_replaced() {
    let catalog = Catalog::embedded().unwrap().with_overrides(
        r#"
        [[model]]
        service = "openai"
        name = "gpt-4o-mini"
        valid_from = 2026-10-01
        observed = 2026-11-22
        source = "contract 7"
        rates = { input_tokens = "0.12 / 1000000" }
        "#,
    );
    let catalog = catalog.unwrap();
    assert_eq!(
        cost(&catalog, "openai", "gpt-4o-mini", "2026-11-22T00:00:00Z"),
        "0.120000000"
    );
    let rows = catalog.models(&service("openai"));
    assert_eq!(rows.filter(|row| row.name == "gpt-4o-mini").count(), 1);
}

#[test]
fn a_row_for_an_alias_takes_over_on_its_day_and_not_before() {
    let catalog = Catalog::embedded().unwrap().with_overrides(
        r#"
        [[model]]
        service = "openai"
        name = "gpt-4o-mini-2024-07-18"
        valid_from = 2026-12-01
        observed = 2026-11-22
        source = "a snapshot of its own"
        rates = { input_tokens = "1 / 1000000" }
        "#,
    );
    let catalog = catalog.unwrap();
    let at = |at| cost(&catalog, "openai", "gpt-4o-mini-2024-07-18", at);
    assert_eq!(at("2026-11-22T00:00:00Z"), "0.150000000");
    assert_eq!(at("2026-12-22T00:00:00Z"), "1.000000000");
}

#[test]
fn a_new_service_brings_its_component_code() {
    let catalog = Catalog::embedded().unwrap().with_overrides(
        r#"
        [services.mistral]
        component_code = "18-MISTRAL"
        neutral_tiers = []

        [[model]]
        name = "small"
        prefixes = ["small-"]
        valid_from = 2026-10-01
        observed = 2026-11-22
        source = "https://mistral.ai/pricing"
        rates = { input_tokens = "0.15 / 1000000", output_tokens = "0.60 / 1000000" }
        "#,
    );
    let catalog = catalog.unwrap();
    assert_eq!(
        catalog.component_code(&service("mistral")),
        Some("18-MISTRAL")
    );
    let priced = price(&catalog, "mistral", "small-latest", noon()).unwrap();
    assert_eq!(priced.price_id, "mistral/small@2026-10-01");
    assert_eq!(
        cost(&catalog, "openai", "gpt-4o-mini", "2026-11-22T00:00:00Z"),
        "0.150000000"
    );
}

#[test]
fn a_price_per_request_is_a_price() {
    let catalog = Catalog::embedded().unwrap().with_overrides(
        r#"
        [[model]]
        service = "hume"
        name = "by-the-call"
        valid_from = 2026-10-01
        observed = 2026-11-22
        source = "contract 8"
        rates = { requests = "0.01" }
        "#,
    );
    let catalog = catalog.unwrap();
    let quantities = Quantities::new()
        .with(Meter::Requests, 3)
        .with(Meter::AudioMilliseconds, 5000);
    let priced = catalog.price(&PriceQuery {
        service: &service("hume"),
        model: "by-the-call",
        service_tier: None,
        at: noon(),
        quantities: &quantities,
        modifiers: &[],
    });
    assert_eq!(priced.unwrap().cost.to_string(), "0.030000000");
}

#[test]
fn tiers_may_have_thresholds_and_rates_of_their_own() {
    let catalog = Catalog::embedded().unwrap().with_overrides(
        r#"
        [services.acme]
        component_code = "19-ACME"

        [[model]]
        name = "m"
        valid_from = 2026-10-01
        observed = 2026-11-22
        source = "s"
        rates = { input_tokens = "1" }
        [[model.above]]
        input_tokens = 10
        rates = { input_tokens = "3" }
        [[model.above]]
        input_tokens = 20
        multiply = { input_tokens = "5" }
        [model.tiers.half]
        multiply = "0.5"
        [model.tiers.own]
        rates = { input_tokens = "7" }
        [[model.tiers.own.above]]
        input_tokens = 15
        multiply = { input_tokens = "2" }
        "#,
    );
    let catalog = catalog.unwrap();
    let cost = |tier, amount| {
        let priced = catalog.price(&PriceQuery {
            service: &service("acme"),
            model: "m",
            service_tier: tier,
            at: noon(),
            quantities: &Quantities::new().with(Meter::InputTokens, amount),
            modifiers: &[],
        });
        priced.unwrap().cost.to_string()
    };
    assert_eq!(cost(None, 10), "10.000000000"); // 10 × 1
    assert_eq!(cost(None, 11), "33.000000000"); // 11 × 3
    assert_eq!(cost(None, 21), "105.000000000"); // 21 × 1 × 5: the last threshold only
    assert_eq!(cost(Some("half"), 11), "16.500000000"); // 11 × 3 × 0.5
    assert_eq!(cost(Some("own"), 11), "77.000000000"); // 11 × 7: the row's thresholds are not its
    assert_eq!(cost(Some("own"), 16), "224.000000000"); // 16 × 7 × 2
}

#[test]
fn every_bad_row_is_reported_by_name() {
    let error = Catalog::embedded()
        .unwrap()
        .with_overrides(
            r#"
            [[model]]
            service = "openai"
            name = "bad-rate"
            valid_from = 2026-10-01
            observed = 2026-11-22
            source = "s"
            rates = { input_tokens = "cheap", inputs = "1" }

            [[model]]
            service = "openai"
            name = "good"
            valid_from = 2026-10-01
            observed = 2026-11-22
            source = "s"
            rates = { input_tokens = "1 / 1000000" }

            [[model]]
            service = "acme"
            name = "no-service"
            valid_from = 2026-10-01
            valid_to = 2026-10-01
            observed = 2026-11-22
            source = ""

            [[model]]
            service = "openai"
            name = "typo"
            valid_from = 2026-10-01
            observed = 2026-11-22
            source = "s"
            ratse = { input_tokens = "1" }

            [[model]]
            service = "openai"
            name = "unclear"
            valid_from = 2026-10-01T00:00:00Z
            observed = 2026-11-22
            source = "s"
            rates = { input_tokens = "1" }
            above = [{ input_tokens = 10, rates = { input_tokens = "2" } }, { input_tokens = 5 }]
            tiers = { batch = { rates = { input_tokens = "3" } }, none = {} }
            modifiers = { here = { multiply = { characters = "2" }, add = { images = "1" } } }

            [[model]]
            service = "openai"
            name = "thief"
            aliases = ["gpt-4o-mini-2024-07-18"]
            valid_from = 2026-10-01
            observed = 2026-11-22
            source = "s"
            rates = { input_tokens = "1" }

            [other]
            "#,
        )
        .unwrap_err();
    let text = error.to_string();
    for wanted in [
        "overrides, `other`: only [services.NAME] and [[model]]",
        "model 1 (`bad-rate`): `rates`: `cheap` is not a decimal",
        "model 1 (`bad-rate`): `rates`: `inputs` is not a meter",
        "model 3 (`no-service`): service `acme` is declared nowhere",
        "model 3 (`no-service`): `source` is empty",
        "model 3 (`no-service`): `valid_to` is not after",
        "model 3 (`no-service`): the row has no rate",
        "model 4 (`typo`): unknown field `ratse`",
        "model 5 (`unclear`): `valid_from` is not a day",
        "model 5 (`unclear`): `above 5`: thresholds stand in ascending order",
        "model 5 (`unclear`): `above 5` changes nothing",
        "model 5 (`unclear`): `tiers.none` changes nothing",
        "model 5 (`unclear`): `modifiers.here` is not of the form kind:value",
        "model 5 (`unclear`): `modifiers.here` adds to `images`, which has no rate",
        "model 5 (`unclear`): a factor is given for `characters`",
        "model 5 (`unclear`): `input_tokens` has a rate in tier `batch` and another above 10",
        "`gpt-4o-mini-2024-07-18` already means",
    ] {
        assert!(text.contains(wanted), "missing: {wanted}\nin: {text}");
    }
    assert!(!text.contains("`good`"), "{text}");
}

#[test]
fn a_text_that_is_no_toml_is_one_problem() {
    let error = Catalog::embedded()
        .unwrap()
        .with_overrides("[[model]\n")
        .unwrap_err();
    assert_eq!(error.problems.len(), 1);
    assert_eq!(error.problems[0].row, "overrides");
}
