//! What the embedded catalog holds.

use diamond_domain::{Meter, Quantities};
use diamond_pricing::{Catalog, ModelStatus, PriceQuery, Unpriced};

use crate::{noon, service};

const SERVICES: [(&str, &str); 5] = [
    ("anthropic", "16-ANTHROPIC"),
    ("deepgram", "17-DEEPGRAM"),
    ("elevenlabs", "14-ELEVENLABS"),
    ("hume", "13-HUME"),
    ("openai", "15-OPENAI"),
];

#[test]
fn every_service_has_its_component_code() {
    let catalog = Catalog::embedded().unwrap();
    let found: Vec<_> = catalog
        .services()
        .map(|service| (service.as_str(), catalog.component_code(service).unwrap()))
        .collect();
    for expected in SERVICES {
        assert!(
            found.contains(&expected),
            "{expected:?} is not among {found:?}"
        );
    }
    assert_eq!(catalog.component_code(&service("acme")), None);
}

/// One unit of each rated meter, with the wholes it is a part of, has a price in some tier.
#[test]
fn every_listed_model_prices_one_unit_of_whatever_it_rates() {
    let catalog = Catalog::embedded().unwrap();
    let mut count = 0;
    for service in catalog.services() {
        for row in catalog.models(service) {
            count += 1;
            assert!(row.meters().next().is_some(), "{}", row.id());
            for meter in row.meters() {
                let mut quantities = Quantities::new();
                let mut next = Some(meter);
                while let Some(meter) = next {
                    quantities.set(meter, 1);
                    next = meter.part_of();
                }
                let at = row
                    .valid_from
                    .to_zoned(jiff::tz::TimeZone::UTC)
                    .unwrap()
                    .timestamp();
                let price = |tier| {
                    catalog.price(&PriceQuery {
                        service,
                        model: &row.name,
                        service_tier: tier,
                        at,
                        quantities: &quantities,
                        modifiers: &[],
                    })
                };
                let priced = price(None).or_else(|_| price(Some("streaming"))).unwrap();
                assert!(
                    priced.price_id.starts_with(&row.id()),
                    "{}",
                    priced.price_id
                );
                for alias in &row.aliases {
                    let same = catalog.row(service, alias, at).unwrap();
                    assert_eq!(same.id(), row.id(), "{alias}");
                }
            }
        }
    }
    assert!(count > 200, "{count} rows");
}

#[test]
fn what_stands_in_the_price_lists_of_the_providers_is_here() {
    let catalog = Catalog::embedded().unwrap();
    let models = [
        (
            "openai",
            "gpt-6.1-sol gpt-6.1-terra gpt-6-sol gpt-6-luna gpt-6-astra gpt-5.6 gpt-5.5 gpt-5-mini gpt-4.1 gpt-4o-mini text-embedding-3-small text-embedding-3-large gpt-realtime-2 gpt-4o-transcribe gpt-transcribe whisper-1 tts-1 tts-1-hd gpt-realtime-whisper gpt-realtime-translate gpt-image-2 gpt-live-1",
        ),
        (
            "anthropic",
            "claude-opus-5-5 claude-opus-5 claude-sonnet-5-5 claude-sonnet-5 claude-haiku-5-5 claude-haiku-4-5 claude-fable-5-1 claude-sonnet-4-6",
        ),
        (
            "elevenlabs",
            "eleven_v4 eleven_v3 eleven_multilingual_v2 eleven_v4_turbo eleven_flash_v2_5 eleven_turbo_v2_5 eleven_v3_conversational scribe_v1 scribe_v2 eleven_realtime_v1_max",
        ),
        (
            "deepgram",
            "nova-3 nova-2 nova-3-medical flux-general-multi aura-2-thalia-en aura-asteria-en whisper-large",
        ),
    ];
    for (name, models) in models {
        for model in models.split(' ') {
            let row = catalog.row(&service(name), model, noon());
            let current = row.map(|row| row.status);
            assert_eq!(current, Some(ModelStatus::Current), "{name} {model}");
        }
    }
    let hume = service("hume");
    assert!(
        catalog
            .models(&hume)
            .all(|row| row.status == ModelStatus::Retired)
    );
}

#[test]
fn limits_are_the_models() {
    let catalog = Catalog::embedded().unwrap();
    let limits = catalog
        .limits(&service("openai"), "gpt-4o-mini-2024-07-18", noon())
        .unwrap();
    assert_eq!(limits.max_input_tokens, Some(128_000));
    assert_eq!(limits.max_output_tokens, Some(16_384));
    assert_eq!(catalog.limits(&service("openai"), "gpt-99", noon()), None);
}

/// Every model that charges tokens charges each of their parts: a new meter cannot fall through.
#[test]
fn a_part_without_a_rate_costs_what_its_whole_costs() {
    let catalog = Catalog::embedded().unwrap();
    let openai = service("openai");
    let price = |quantities: Quantities| {
        catalog.price(&PriceQuery {
            service: &openai,
            model: "gpt-4o-mini",
            service_tier: None,
            at: noon(),
            quantities: &quantities,
            modifiers: &[],
        })
    };
    let plain = price(Quantities::new().with(Meter::InputTokens, 1000)).unwrap();
    let sound = Quantities::new()
        .with(Meter::InputTokens, 1000)
        .with(Meter::InputAudioTokens, 700)
        .with(Meter::CachedInputAudioTokens, 100);
    assert_eq!(price(sound).unwrap(), plain);
    let tools = Quantities::new().with(Meter::Images, 1);
    assert_eq!(price(tools), Err(Unpriced::NoRate(Meter::Images)));
}
