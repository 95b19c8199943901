//! Slow clients, silent clients, and very many of them.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    Raw, is_sound,
    provider::{Act, Provider},
    until,
};
use crate::{settings::full_scale, world::World};

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test]
async fn a_client_that_stops_in_the_middle_loses_its_place() {
    let settings = [
        ("DIAMOND_SERVER__HEADER_TIMEOUT_SECONDS", "1"),
        ("DIAMOND_GATEWAY__BODY_TIMEOUT_SECONDS", "1"),
        ("DIAMOND_API__TIMEOUT_SECONDS", "1"),
    ];
    let world = World::start_with(&settings).await;
    let token = world.ready_tenant("zaxon").await;
    let post = |path: &str, token: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\nconnection: close\r\ncontent-length: 50\r\n\r\n{{"
        )
    };
    for (request, status, code) in [
        (String::new(), 0, None),
        ("GET /hea".to_owned(), 0, None),
        (
            "GET /healthz HTTP/1.1\r\nhost: x\r\nx-slow: ".to_owned(),
            0,
            None,
        ),
        // HTTP/2 begins, and no frame follows.
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), 0, None),
        (
            post("/gateway/openai/v1/chat/completions", &token),
            408,
            Some("request_timeout"),
        ),
        (post("/api/tenants", &world.operator), 503, Some("timeout")),
    ] {
        let mut raw = Raw::open(&world).await;
        raw.say(&request).await;
        let heard = raw.hear().await;
        // In HTTP/2 a farewell frame may come before the end.
        let status_seen = if request.starts_with("PRI") {
            0
        } else {
            heard.status()
        };
        assert_eq!(status_seen, status, "{request}");
        assert_eq!(heard.code().as_deref(), code, "{request}");
    }
    assert!(world.events("zaxon").await.is_empty());
    is_sound(&world).await;
}

#[tokio::test]
async fn a_head_that_drips_is_cut_all_the_same() {
    let world = World::start_with(&[("DIAMOND_SERVER__HEADER_TIMEOUT_SECONDS", "1")]).await;
    let mut raw = Raw::open(&world).await;
    raw.say("GET /healthz HTTP/1.1\r\nhost: x\r\n").await;
    until("the drip is cut", async || {
        let letter = tokio::io::AsyncWriteExt::write_all(&mut raw.0, b"x: y\r\n");
        letter.await.is_err()
    })
    .await;
    is_sound(&world).await;
}

#[tokio::test]
async fn idle_connections_leave_room_for_others_and_go_in_time() {
    let number = if full_scale() { 1_000 } else { 100 };
    let settings = [("DIAMOND_SERVER__IDLE_TIMEOUT_SECONDS", "3")];
    let world = World::start_with(&settings).await;
    let mut idle = Vec::new();
    for _ in 0..number {
        let mut raw = Raw::open(&world).await;
        raw.say(HEALTH).await;
        assert_eq!(raw.hear_head().await.status(), 200);
        idle.push(raw);
    }
    let token = world.ready_tenant("zaxon").await;
    world.chat(&token, "gpt-4o-mini").await;
    assert_eq!(world.events("zaxon").await.len(), 1);
    // Each is closed by the server: reading comes to its end.
    for raw in idle {
        raw.hear().await;
    }
    is_sound(&world).await;
}

#[tokio::test]
async fn beyond_the_most_connections_others_wait_for_a_place() {
    let world = World::start_with(&[("DIAMOND_SERVER__CONNECTIONS_MAX", "8")]).await;
    let mut held = Vec::new();
    // The test's own client holds one.
    for _ in 0..7 {
        let mut raw = Raw::open(&world).await;
        raw.say(HEALTH).await;
        assert_eq!(raw.hear_head().await.status(), 200);
        held.push(raw);
    }
    let mut waiting = Raw::open(&world).await;
    waiting.say(HEALTH).await;
    // The eighth place may be free; the ninth is not.
    let mut last = Raw::open(&world).await;
    last.say(HEALTH).await;
    let log = world.server.output().matches("/healthz").count();
    drop(held);
    assert_eq!(waiting.hear_head().await.status(), 200);
    assert_eq!(last.hear_head().await.status(), 200);
    assert!(log <= 8, "{log} were served at a time");
    is_sound(&world).await;
}

#[tokio::test]
async fn a_client_that_takes_nothing_of_its_answer_is_cut() {
    let provider = Provider::start().await;
    let event = format!("data: {}\n\n", "x".repeat(16 << 10));
    provider.will([
        Act::Send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n".to_vec()),
        Act::Repeat(event.into_bytes(), 4_096),
    ]);
    let settings = [
        ("DIAMOND_SERVICES__OPENAI__BASE_URL", provider.url.as_str()),
        ("DIAMOND_SERVER__UNREAD_TIMEOUT_SECONDS", "1"),
        ("DIAMOND_SERVER__IDLE_TIMEOUT_SECONDS", "3600"),
    ];
    let world = World::start_with(&settings).await;
    world.tenant("zaxon").await;
    let key = json!({ "apiKey": "sk-sample-0001", "validate": false });
    let path = "/api/keys/openai/zaxon/dedicated";
    world.operate(Method::PUT, path, key).await.with(200);
    let token = world.token("zaxon", &["gateway"]).await;
    let body = json!({ "model": "gpt-4o-mini", "stream": true, "messages": [] }).to_string();
    let mut raw = Raw::open(&world).await;
    raw.say(format!(
        "POST /gateway/openai/v1/chat/completions HTTP/1.1\r\nhost: x\r\n\
         authorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    ))
    .await;
    assert_eq!(raw.hear_head().await.status(), 200);
    until("the call is cut", async || {
        !world.events("zaxon").await.is_empty()
    })
    .await;
    let events = world.events("zaxon").await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["outcome"], "cancelled", "{}", events[0]);
    assert_eq!(events[0]["partial"], Value::Bool(true));
    // What the system still holds for the client, and then no ending.
    assert!(!raw.hear().await.0.ends_with(b"0\r\n\r\n"));
    is_sound(&world).await;
}
