//! Usage reported by callers who do not use the gateway.

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::World;

fn report(id: &str, input_tokens: u64) -> Value {
    json!({
        "id": id, "service": "openai", "model": "gpt-4o-mini", "operation": "chat.completions",
        "userId": "ada", "quantities": { "input_tokens": input_tokens, "output_tokens": 10 },
    })
}

#[tokio::test]
async fn a_report_is_priced_once_however_often_it_is_told() {
    let mut world = World::start().await;
    world.tenant("zaxon").await;
    let token = world
        .token("zaxon", &["usage:write", "usage:read", "cost:read"])
        .await;
    let tell = async |world: &World, body: Value| {
        let answer = world
            .send(Method::POST, "/api/usage", Some(&token), Some(&body))
            .await;
        let verdicts = answer.with(200);
        verdicts["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|verdict| verdict["verdict"].clone())
            .collect::<Vec<_>>()
    };
    let batch = json!([report("a", 1000), report("b", 2000), report("a", 1000)]);
    assert_eq!(
        tell(&world, batch.clone()).await,
        ["accepted", "accepted", "duplicate"]
    );
    assert_eq!(tell(&world, report("a", 1000)).await, ["duplicate"]);
    assert_eq!(tell(&world, report("a", 1001)).await, ["conflict"]);
    world.server.terminate();
    assert!(world.server.wait().success());
    world.start_server_again().await;
    assert_eq!(
        tell(&world, batch).await,
        ["duplicate", "duplicate", "duplicate"]
    );

    let events = world.events("zaxon").await;
    assert_eq!(events.len(), 2);
    // 1,000 × 0.15 $/M + 10 × 0.60 $/M = 0.00015 + 0.000006.
    assert_eq!(events[0]["costUsd"], "0.000156000");
    assert_eq!(events[0]["costBasis"], "priced_usage");
    assert_eq!(events[0]["userId"], "ada");
    assert_eq!(events[0]["source"], "api");
    assert_eq!(events[0]["ledgerSequence"], 1);
}

#[tokio::test]
async fn a_bad_report_does_not_stop_the_good_ones() {
    let world = World::start().await;
    world.tenant("zaxon").await;
    let token = world.token("zaxon", &["usage:write"]).await;
    let mut future = report("future", 1);
    future["timestamp"] = json!("2100-01-01T00:00:00Z");
    let mut priced = report("priced", 1);
    priced["costUsd"] = json!("1.00");
    let mut unknown = report("unknown", 1);
    unknown["model"] = json!("a-model-of-the-future");
    let mut impossible = report("impossible", 10);
    impossible["quantities"]["cached_input_tokens"] = json!(11);
    let body = json!([future, priced, unknown, report("good", 1), impossible]);
    let answer = world
        .send(Method::POST, "/api/usage", Some(&token), Some(&body))
        .await
        .with(200);
    let items = answer["items"].as_array().unwrap();
    let verdicts: Vec<&Value> = items.iter().map(|verdict| &verdict["verdict"]).collect();
    assert_eq!(
        verdicts,
        ["invalid", "invalid", "accepted", "accepted", "invalid"]
    );
    assert!(
        items[1]["message"]
            .as_str()
            .unwrap()
            .contains("usage:import")
    );
    assert_eq!(items[2]["costBasis"], "unpriced");
    let alarms = world
        .operate(Method::GET, "/api/alarms", Value::Null)
        .await
        .with(200);
    assert_eq!(alarms["items"][0]["code"], "unpriced_usage");
    assert_eq!(
        alarms["items"][0]["subject"],
        "openai/a-model-of-the-future"
    );
}

#[tokio::test]
async fn only_importers_say_what_it_cost() {
    let world = World::start().await;
    world.tenant("zaxon").await;
    let token = world
        .token("zaxon", &["usage:write", "usage:import", "cost:read"])
        .await;
    let mut imported = report("import", 1);
    imported["costUsd"] = json!("1.000000001");
    imported["timestamp"] = json!("2026-11-22T10:00:00Z");
    let answer = world
        .send(Method::POST, "/api/usage", Some(&token), Some(&imported))
        .await
        .with(200);
    assert_eq!(answer["items"][0]["costUsd"], "1.000000001");
    let events = world.events("zaxon").await;
    assert_eq!(events[0]["costBasis"], "provider_reported");
    assert_eq!(events[0]["source"], "import");
}

#[tokio::test]
async fn cloud_events_are_reports_too() {
    let world = World::start().await;
    world.tenant("zaxon").await;
    let token = world.token("zaxon", &["usage:write"]).await;
    let event = json!({
        "specversion": "1.0", "id": "ce-1", "source": "billing-service",
        "type": "com.diamond.usage.v1", "time": "2026-11-22T10:00:00Z",
        "data": {
            "service": "openai", "model": "gpt-4o-mini", "userId": "ada",
            "quantities": { "input_tokens": 5, "output_tokens": 5 },
        },
    });
    let documented = diamond_api_types::CLOUD_EVENT_TYPE;
    let mut event = event;
    event["type"] = json!(documented);
    let send = async || {
        world
            .client
            .post(format!("{}/api/usage", world.url))
            .bearer_auth(&token)
            .header("content-type", "application/cloudevents+json")
            .body(event.to_string())
            .send()
            .await
            .unwrap()
            .json::<Value>()
            .await
            .unwrap()
    };
    assert_eq!(send().await["items"][0]["verdict"], "accepted");
    assert_eq!(send().await["items"][0]["verdict"], "duplicate");
}
