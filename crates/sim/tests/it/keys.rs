use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{KEY_ID, Sim, chat, finish};

#[tokio::test]
async fn every_company_has_a_key_to_start_with() {
    let sim = Sim::start().await;
    for service in [
        "openai",
        "anthropic",
        "elevenlabs",
        "deepgram",
        "hume",
        "xero",
        "pagerduty",
    ] {
        let path = format!("keys?service={service}");
        let keys = sim.judge(Method::GET, &path, &Value::Null).await;
        let key = &keys["keys"][0];
        assert_eq!(key["id"], format!("key_{service}_0001"));
        assert_eq!(key["state"], "active");
        assert!(key["value"].as_str().unwrap().contains("NotARealKey"));
    }
    // The same at every start.
    assert_eq!(Sim::start().await.key, sim.key);
}

#[tokio::test]
async fn a_state_decides_what_a_key_may_do() {
    let sim = Sim::start().await;
    // state, code; then what listing models and chatting answer
    let cases = [
        ("active", None, (200, ""), (200, "")),
        (
            "revoked",
            None,
            (401, "invalid_api_key"),
            (401, "invalid_api_key"),
        ),
        (
            "expired",
            None,
            (401, "invalid_api_key"),
            (401, "invalid_api_key"),
        ),
        (
            "restricted",
            None,
            (403, "missing_scope"),
            (403, "missing_scope"),
        ),
        (
            "exhausted",
            None,
            (200, ""),
            (429, "credit_balance_exhausted"),
        ),
        (
            "exhausted",
            Some("insufficient_quota"),
            (200, ""),
            (429, "insufficient_quota"),
        ),
        (
            "rate_limited",
            None,
            (429, "rate_limit_exceeded"),
            (429, "rate_limit_exceeded"),
        ),
    ];
    for (state, code, models, chatting) in cases {
        sim.set_key(json!({"state": state, "code": code})).await;
        for (answer, expected) in [
            (sim.get("models").await, models),
            (
                sim.post("chat/completions", &chat("gpt-4o", "Hi")).await,
                chatting,
            ),
        ] {
            assert_eq!(answer.status, expected.0, "{state}");
            let body = answer.json();
            assert_eq!(
                body["error"]["code"].as_str().unwrap_or_default(),
                expected.1
            );
            if expected.1 == "missing_scope" {
                let message = body["error"]["message"].as_str().unwrap();
                assert!(message.contains("Missing scopes: api.model."));
            }
            let waits = answer.header("retry-after").is_some();
            assert_eq!(waits, expected.1 == "rate_limit_exceeded", "{state}");
        }
    }
    sim.only_call().await;
}

#[tokio::test]
async fn who_has_no_key_or_a_wrong_one_is_told_so() {
    let sim = Sim::start().await;
    let wrong = finish(sim.request(Method::GET, "models", "sk-wrong")).await;
    assert_eq!(
        (wrong.status, wrong.json()["error"]["code"].as_str()),
        (401, Some("invalid_api_key"))
    );
    let none =
        finish(reqwest::Client::new().get(format!("{}/openai/v1/models", sim.address()))).await;
    assert_eq!(none.status, 401);
    let admin = finish(sim.request(Method::GET, "models", &sim.admin_key)).await;
    assert_eq!(admin.status, 403);
}

#[tokio::test]
async fn a_key_has_so_many_calls_a_minute() {
    let sim = Sim::start().await;
    let key = json!({
        "service": "openai", "id": "key_slow", "value": "sk-sim-slow", "requestsPerMinute": 1_000,
    });
    sim.judge(Method::POST, "keys", &key).await;
    let ask = || {
        let request = sim.request(Method::POST, "embeddings", "sk-sim-slow");
        finish(request.json(&json!({"model": "text-embedding-3-small", "input": "x"})))
    };
    let first = ask().await;
    assert_eq!(first.header("x-ratelimit-limit-requests"), Some("1000"));
    assert_eq!(first.header("x-ratelimit-remaining-requests"), Some("999"));
    let change = json!({"service": "openai", "id": "key_slow", "requestsPerMinute": 0});
    sim.judge(Method::POST, "keys", &change).await;
    let refused = ask().await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.json()["error"]["code"], "rate_limit_exceeded");
    assert!(refused.header("retry-after").is_some());
}

#[tokio::test]
async fn the_bill_of_one_key_is_its_own() {
    let sim = Sim::start().await;
    let key = json!({"service": "openai", "id": "key_two", "value": "sk-sim-two"});
    sim.judge(Method::POST, "keys", &key).await;
    let body = json!({"model": "text-embedding-3-small", "input": "x"});
    for key in [sim.key.as_str(), "sk-sim-two", "sk-sim-two"] {
        finish(sim.request(Method::POST, "embeddings", key).json(&body)).await;
    }
    for (id, calls) in [(KEY_ID, 1), ("key_two", 2)] {
        let path = format!("bill?service=openai&keyId={id}");
        let bill = sim.judge(Method::GET, &path, &Value::Null).await;
        assert_eq!(bill["calls"].as_array().unwrap().len(), calls);
        // 1 × 0.02/M each
        assert_eq!(bill["totalCostUsd"], format!("0.0000000{}", 20 * calls));
    }
}
