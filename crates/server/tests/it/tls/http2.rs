//! HTTP/2 from the caller to us.

use serde_json::{Value, json};

use super::{Authority, start};
use crate::world::{Sim, World};

fn stream_body() -> Value {
    json!({
        "model": "gpt-4o-mini", "stream": true,
        "messages": [{ "role": "user", "content": "count to ten" }],
    })
}

/// Many calls at once on one connection, each metered as the provider bills it.
async fn many_at_once(world: &World) {
    let token = world.ready_tenant("zaxon").await;
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..64 {
        let body = if number % 2 == 0 {
            stream_body()
        } else {
            json!({ "model": "gpt-4.1", "messages": [{ "role": "user", "content": "hello" }] })
        };
        let request = world
            .client
            .post(format!("{}/gateway/openai/v1/chat/completions", world.url))
            .bearer_auth(&token)
            .json(&body);
        calls.spawn(async move {
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 200);
            assert_eq!(answer.version(), reqwest::Version::HTTP_2);
            answer.text().await.unwrap()
        });
    }
    while let Some(text) = calls.join_next().await {
        assert!(!text.unwrap().is_empty());
    }
    assert_eq!(crate::gateway::agree(world, "zaxon").await, 64);
}

#[tokio::test]
async fn sixty_four_calls_on_one_tls_connection_are_sixty_four_events() {
    let authority = Authority::new();
    many_at_once(&start(&authority, &[]).await).await;
}

#[tokio::test]
async fn a_client_that_begins_with_http2_needs_no_tls() {
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    let sim = Sim::start(&[]).await;
    many_at_once(&World::start_beside(sim, &[], None, client).await).await;
}

#[tokio::test]
async fn a_stream_that_is_reset_is_a_partial_event_and_the_connection_goes_on() {
    let authority = Authority::new();
    let world = start(&authority, &[]).await;
    let token = world.ready_tenant("zaxon").await;
    world
        .sim_post(
            "/_sim/faults",
            json!({ "service": "openai", "kind": "slow", "ms": 20, "times": 1 }),
        )
        .await;
    let mut answer = world.call("chat/completions", &token, &stream_body()).await;
    assert!(answer.chunk().await.unwrap().is_some());
    drop(answer);
    world.chat(&token, "gpt-4o-mini").await;
    let events = loop {
        let events = world.events("zaxon").await;
        if events.len() == 2 {
            break events;
        }
        tokio::task::yield_now().await;
    };
    let left = events
        .iter()
        .find(|event| event["outcome"] == "cancelled")
        .unwrap();
    assert_eq!(left["partial"], true);
}

#[tokio::test]
async fn the_end_of_the_server_lets_streams_end() {
    let authority = Authority::new();
    let mut world = start(&authority, &[]).await;
    let token = world.ready_tenant("zaxon").await;
    world
        .sim_post(
            "/_sim/faults",
            json!({ "service": "openai", "kind": "slow", "ms": 20, "times": "forever" }),
        )
        .await;
    let mut answers = Vec::new();
    for _ in 0..8 {
        answers.push(world.call("chat/completions", &token, &stream_body()).await);
    }
    world.server.terminate();
    for answer in answers {
        let text = answer.text().await.unwrap();
        assert!(text.ends_with("data: [DONE]\n\n"), "it was cut: {text}");
    }
    assert!(world.server.wait().success());
    world.start_server_again().await;
    let events = world.events("zaxon").await;
    assert_eq!(events.len(), 8);
    assert!(events.iter().all(|event| event["partial"] == false));
}

#[tokio::test]
async fn a_large_upload_passes_over_http2() {
    let authority = Authority::new();
    let world = start(&authority, &[]).await;
    let token = world.ready_tenant("zaxon").await;
    let long = "word ".repeat(1 << 20);
    let body = json!({ "model": "gpt-4.1", "messages": [{ "role": "user", "content": long }] });
    let answer = world.call("chat/completions", &token, &body).await;
    assert_eq!(answer.status(), 200);
    answer.bytes().await.unwrap();
    assert_eq!(crate::gateway::agree(&world, "zaxon").await, 1);
}
