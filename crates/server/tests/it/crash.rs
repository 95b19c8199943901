//! Sudden death.

use serde_json::{Value, json};

use crate::world::{World, nanos};

/// How many calls are under way when the server dies; the full count is the torture run's.
fn scale() -> usize {
    if crate::settings::full_scale() { 64 } else { 8 }
}

#[tokio::test]
async fn every_call_that_the_provider_served_is_one_event_after_a_kill() {
    let mut world = World::start().await;
    let token = world.ready_tenant("zaxon").await;
    for _ in 0..3 {
        world.chat(&token, "gpt-4o-mini").await;
    }
    // Streams that never end by themselves while we look.
    world
        .sim_post(
            "/_sim/faults",
            json!({ "service": "openai", "kind": "slow", "ms": 60_000, "times": "forever" }),
        )
        .await;
    let body = json!({
        "model": "gpt-4o-mini", "stream": true,
        "messages": [{ "role": "user", "content": "count to ten" }],
    });
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..scale() {
        let request = world
            .client
            .post(format!("{}/gateway/openai/v1/chat/completions", world.url))
            .bearer_auth(&token)
            .json(&body);
        calls.spawn(async move { request.send().await?.bytes().await });
    }
    // Every one of them has reached the provider.
    loop {
        let bill = world.sim_get("/_sim/bill?service=openai").await;
        let open = bill["calls"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|call| call["open"] == true);
        if open.count() >= scale() {
            break;
        }
        tokio::task::yield_now().await;
    }
    world.server.kill();
    world.server.wait();
    calls.shutdown().await;
    world.start_server_again().await;

    let events = world.events("zaxon").await;
    assert_eq!(events.len(), 3 + scale());
    let lost: Vec<&Value> = events
        .iter()
        .filter(|event| event["outcome"] == "lost")
        .collect();
    assert_eq!(lost.len(), scale());
    for event in &lost {
        assert_eq!(event["partial"], true);
        assert_eq!(event["costBasis"], "estimated");
        assert!(nanos(&event["costUsd"]) > 0, "{event}");
    }
    let sequences: Vec<u64> = events
        .iter()
        .map(|event| event["ledgerSequence"].as_u64().unwrap())
        .collect();
    assert_eq!(sequences, (1..=events.len() as u64).collect::<Vec<_>>());
    let alarms = world
        .operate(reqwest::Method::GET, "/api/alarms", Value::Null)
        .await
        .with(200);
    assert!(alarms.to_string().contains("recovered_calls"), "{alarms}");
    // A second death finds nothing more to recover.
    world.server.kill();
    world.server.wait();
    world.start_server_again().await;
    assert_eq!(world.events("zaxon").await.len(), 3 + scale());
}

#[tokio::test]
async fn a_polite_end_waits_for_the_stream() {
    let mut world = World::start().await;
    let token = world.ready_tenant("zaxon").await;
    world
        .sim_post(
            "/_sim/faults",
            json!({ "service": "openai", "kind": "slow", "ms": 20, "times": 1 }),
        )
        .await;
    let body = json!({
        "model": "gpt-4o-mini", "stream": true,
        "messages": [{ "role": "user", "content": "count to ten" }],
    });
    let response = world.call("chat/completions", &token, &body).await;
    world.server.terminate();
    let text = response.text().await.unwrap();
    assert!(
        text.ends_with("data: [DONE]\n\n"),
        "the stream was cut: {text}"
    );
    assert!(world.server.wait().success());
    world.start_server_again().await;
    let events = world.events("zaxon").await;
    assert_eq!((events.len(), &events[0]["partial"]), (1, &json!(false)));
}
