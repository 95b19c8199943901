//! Hume through the gateway. Nobody publishes its prices, so an operator's rows say the same as the
//! simulator's.

use reqwest::{
    Method,
    multipart::{Form, Part},
};
use serde_json::{Value, json};

use super::{Tenant, dollars, header, wav};
use crate::world::{World, nanos, to_end};

const PLACE: (&str, &str) = ("x-hume-api-key", "");

/// Prices as an operator writes them.
const PRICES: &str = r#"
[services.hume]
component_code = "13-HUME"

[[model]]
name = "octave"
valid_from = 2026-10-02
observed = 2026-11-22
source = "a contract"
[model.rates]
characters = "0.15 / 1000"

[[model]]
name = "audio-decisions"
valid_from = 2026-10-02
observed = 2026-11-22
source = "a contract"
[model.rates]
input_tokens = "1 / 1000000"

[[model]]
name = "expression-audio"
valid_from = 2026-10-02
observed = 2026-11-22
source = "a contract"
[model.rates]
audio_milliseconds = "0.06 / 60000"

[[model]]
name = "expression-video"
valid_from = 2026-10-02
observed = 2026-11-22
source = "a contract"
[model.rates]
audio_milliseconds = "0.08 / 60000"
"#;

/// A tenant whose operator has a contract with Hume.
pub async fn tenant() -> Tenant {
    let prices = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(prices.path(), PRICES).unwrap();
    let file = prices.path().to_str().unwrap();
    let world = World::start_with(&[("DIAMOND_COSTS__PRICE_FILE", file)]).await;
    Tenant::in_world(world, "hume", PLACE).await
}

async fn upload(tenant: &Tenant, path: &str, sound: Vec<u8>) -> reqwest::Response {
    let file = Part::bytes(sound).file_name("a.wav");
    let form = Form::new()
        .text("decisions", r#"[{"question":"Is it calm?"}]"#)
        .part("file", file);
    let request = tenant.ask(Method::POST, path).multipart(form);
    request.send().await.unwrap()
}

#[tokio::test]
async fn every_kind_of_call_costs_what_the_provider_bills() {
    let tenant = tenant().await;
    // A run is ten seconds at least.
    for (path, milliseconds, cost) in [
        ("v1/expression/audio/file", 60_000, Some("0.06")),
        ("v1/expression/audio/file", 500, Some("0.01")),
        ("v1/expression/video/file", 30_000, Some("0.04")),
        ("v0/decisions/file", 1_000, None),
    ] {
        let answer = upload(&tenant, path, wav(milliseconds, 1)).await;
        assert_eq!(answer.status(), 200, "{path}");
        let answer: Value = answer.json().await.unwrap();
        assert!(answer["received"].is_object());
        let event = tenant.event().await;
        assert_eq!(event["costBasis"], "priced_usage", "{event}");
        assert_eq!(event["providerUsage"], answer["received"]);
        if let Some(cost) = cost {
            assert_eq!(nanos(&event["costUsd"]), dollars(cost), "{path}: {event}");
        }
    }
    // What it would cost is told for nothing.
    let asked = upload(&tenant, "v0/decisions/file/input_tokens", wav(1_000, 1)).await;
    assert_eq!(to_end(asked).await, 200);
    assert_eq!(tenant.event().await["priceId"], "free");
    let runs = tenant.get("v1/expression/run").await;
    assert_eq!(to_end(runs).await, 200);
    assert_eq!(tenant.agree().await, 4);
}

#[tokio::test]
async fn a_private_host_of_the_voice_platform_speaks_by_the_character() {
    let tenant = tenant().await;
    let body = json!({
        "utterances": [{ "text": "Grüße" }, { "text": "aus Köln" }], "num_generations": 2,
        "format": { "type": "wav" },
    });
    for (path, operation) in [
        ("v0/tts", "tts"),
        ("v0/tts/file", "tts.file"),
        ("v0/tts/stream/json", "tts.stream"),
        ("v0/tts/stream/file", "tts.stream_file"),
    ] {
        let answer = tenant.post(path, &body).await;
        assert_eq!(answer.status(), 200, "{path}");
        let received = answer.bytes().await.unwrap();
        assert_eq!(received, tenant.sent(operation).await);
        let event = tenant.event().await;
        assert_eq!(event["costBasis"], "priced_measurement");
        // 26 characters.
        assert_eq!(nanos(&event["costUsd"]), dollars("0.0039"), "{event}");
    }
    assert_eq!(tenant.agree().await, 4);
    let refused = tenant.post("oauth2-cc/token", &json!({})).await;
    assert_eq!(refused.status(), 403);
}

#[tokio::test]
async fn without_a_price_a_run_is_unpriced_and_rings() {
    let tenant = Tenant::of("hume", PLACE).await;
    let answer = upload(&tenant, "v1/expression/audio/file", wav(100, 1)).await;
    assert_eq!(to_end(answer).await, 200);
    assert_eq!(tenant.event().await["costBasis"], "unpriced");
    assert!(tenant.alarms().await.contains(&"unpriced_usage".to_owned()));
}

#[tokio::test]
async fn errors_of_the_provider_pass_unchanged_and_ours_look_like_its() {
    let tenant = Tenant::of("hume", PLACE).await;
    for (status, code, pause) in [
        (429, None, Some(2)),
        (429, Some("rate_limited"), None),
        (503, Some("server_busy"), Some(1)),
        (403, Some("forbidden"), None),
        (400, Some("config_invalid"), None),
    ] {
        tenant
            .fault(json!({
                "kind": "refuse", "status": status, "code": code, "retryAfter": pause,
                "operation": "expression.audio",
            }))
            .await;
        let answer = upload(&tenant, "v1/expression/audio/file", wav(100, 1)).await;
        assert_eq!(answer.status(), status);
        if let Some(pause) = pause {
            assert_eq!(header(&answer, "retry-after"), pause.to_string());
        }
        let received = answer.bytes().await.unwrap();
        assert_eq!(received, tenant.sent("expression.audio").await);
        assert_eq!(tenant.event().await["outcome"], "failed");
    }
    // None of these was the end of the key.
    let again = upload(&tenant, "v1/expression/audio/file", wav(100, 1)).await;
    assert_eq!(to_end(again).await, 200);
    for (path, token, status, code) in [
        ("v1/expression/run", "dmd_nonsense", 401, "malformed_token"),
        (
            "oauth2-cc/token",
            &tenant.token,
            403,
            "management_route_refused",
        ),
        ("tts", &tenant.token, 404, "path_without_version"),
    ] {
        let request = tenant.bare(Method::POST, path).header(PLACE.0, token);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
        let error: Value = answer.json().await.unwrap();
        assert_eq!(error["code"], code, "{error}");
        assert_eq!(error["type"], "error");
    }
}
