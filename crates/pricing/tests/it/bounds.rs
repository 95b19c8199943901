//! Upper bounds before a call.

use diamond_pricing::Catalog;

use crate::{noon, service};

fn bound(name: &str, model: &str, input: u64, output: Option<u64>) -> Option<String> {
    let catalog = Catalog::embedded().unwrap();
    let bound = catalog.upper_bound(&service(name), model, noon(), input, output);
    bound.map(|money| money.to_string())
}

#[test]
fn the_dearest_rate_of_each_direction() {
    // Priority: 0.25 in, 1.00 out: 1000 × 0.25 + 500 × 1 = 750 µ
    assert_eq!(
        bound("openai", "gpt-4o-mini", 1000, Some(500)),
        Some("0.000750000".to_owned())
    );
    // No limit of the request: the model's, 16384 × 1 = 16384 µ, and 250 µ of input
    assert_eq!(
        bound("openai", "gpt-4o-mini", 1000, None),
        Some("0.016634000".to_owned())
    );
    // Ultrafast × 6, us × 1.1, a 12-hour cache write at 5: 1000 × 33 = 33000 µ; 100 × 66 = 6600 µ
    assert_eq!(
        bound("openai", "gpt-6.1-sol", 1000, Some(100)),
        Some("0.039600000".to_owned())
    );
    // Embeddings give nothing out, so nothing need be said on it: 1000 × 0.02 = 20 µ
    assert_eq!(
        bound("openai", "text-embedding-3-small", 1000, None),
        Some("0.000020000".to_owned())
    );
}

#[test]
fn one_tier_alone() {
    let catalog = Catalog::embedded().unwrap();
    let openai = service("openai");
    let bound = |tier, output| {
        let bound = catalog.upper_bound_in_tier(&openai, "gpt-4o-mini", noon(), tier, 1000, output);
        bound.map(|money| money.to_string())
    };
    // 1000 × 0.15 + 500 × 0.60 = 450 µ, at half 225 µ
    assert_eq!(bound(None, Some(500)), Some("0.000450000".to_owned()));
    assert_eq!(
        bound(Some("default"), Some(500)),
        Some("0.000450000".to_owned())
    );
    assert_eq!(
        bound(Some("batch"), Some(500)),
        Some("0.000225000".to_owned())
    );
    assert_eq!(bound(Some("flex"), Some(500)), None);
}

#[test]
fn no_bound_where_tokens_do_not_bound_the_cost() {
    assert_eq!(bound("openai", "gpt-99", 1000, Some(500)), None);
    assert_eq!(bound("openai", "whisper-1", 1000, Some(500)), None);
    assert_eq!(
        bound("elevenlabs", "eleven_realtime_v1_max", 1000, Some(500)),
        None
    );
    assert_eq!(bound("openai", "gpt-image-2", 1000, None), None);
    assert_eq!(
        bound("openai", "gpt-4o-mini", u64::MAX, Some(u64::MAX)),
        None
    );
}
