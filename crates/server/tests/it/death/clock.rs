//! The machine's clock set back and forward, while the server runs and across a restart.

use std::fs;

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};

use super::library;
use crate::world::World;

fn report(id: &str) -> Value {
    json!({
        "id": id, "service": "openai", "model": "gpt-4o-mini", "operation": "chat.completions",
        "userId": "ada", "quantities": { "input_tokens": 10 },
    })
}

/// What must hold at any hour; the instant at which the server thinks it is.
async fn holds(world: &World, token: &str, told: &mut Vec<String>) -> Timestamp {
    world.chat(token, "gpt-4o-mini").await;
    told.push(format!("report-{}", told.len()));
    let all: Vec<Value> = told.iter().map(|id| report(id)).collect();
    let answer = world
        .send(Method::POST, "/api/usage", Some(token), Some(&json!(all)))
        .await
        .with(200);
    let items = answer["items"].as_array().unwrap();
    for (place, item) in items.iter().enumerate() {
        let new = place + 1 == told.len();
        let expected = if new { "accepted" } else { "duplicate" };
        assert_eq!(item["verdict"], expected, "{item}");
    }
    let lease = world
        .send(
            Method::POST,
            "/api/keys/openai/zaxon",
            Some(token),
            Some(&json!({})),
        )
        .await
        .with(200);
    let events = world.events("zaxon").await;
    // A call and a report each time.
    assert_eq!(events.len(), 2 * told.len());
    for (event, sequence) in events.iter().zip(1_u64..) {
        assert_eq!(event["ledgerSequence"], sequence, "{event}");
        let duration = event["durationMs"].as_u64();
        assert!(duration.is_none_or(|ms| ms < 3_600_000 / 2), "{event}");
        assert_eq!(event["partial"], false, "{event}");
    }
    let verdict = world
        .operate(Method::GET, "/api/audit/verify", Value::Null)
        .await
        .with(200);
    assert_eq!(verdict["ok"], true, "{verdict}");
    lease["expiresAt"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_clock_may_jump_either_way() {
    let dir = tempfile::tempdir().unwrap();
    let offset = dir.path().join("offset");
    // Renamed, so that nobody reads half of it.
    let set = |to: &str| {
        let new = dir.path().join("new");
        fs::write(&new, format!("{to}\n")).unwrap();
        fs::rename(&new, &offset).unwrap();
    };
    set("+0");
    let library = library(dir.path(), "clock");
    let mut world = World::start_with(&[
        ("LD_PRELOAD", library.to_str().unwrap()),
        ("DIAMOND_TEST_CLOCK_FILE", offset.to_str().unwrap()),
    ])
    .await;
    let token = world.ready_tenant("zaxon").await;
    let mut told = Vec::new();
    let begun = holds(&world, &token, &mut told).await;
    let half_an_hour = begun + SignedDuration::from_mins(-30);
    // The lease is an hour or less: from its end the server's present is known well enough.
    let body = json!({
        "tenantId": "zaxon", "name": "short", "owner": "tests", "purpose": "a test",
        "scopes": ["usage:read"], "expiresAt": (half_an_hour + SignedDuration::from_mins(60)).to_string(),
    });
    let made = world.operate(Method::POST, "/api/tokens", body).await;
    let short = made.with(201)["token"].as_str().unwrap().to_owned();
    let valid = async |world: &World| {
        let path = "/api/usage/events?limit=1";
        let answer = world.send(Method::GET, path, Some(&short), None).await;
        answer.status.as_u16()
    };
    assert_eq!(valid(&world).await, 200);

    set("-3600");
    let back = holds(&world, &token, &mut told).await;
    assert!(back < begun, "the server did not notice: {back} {begun}");
    assert_eq!(valid(&world).await, 200);
    world.server.kill();
    world.start_server_again().await;
    holds(&world, &token, &mut told).await;
    assert_eq!(valid(&world).await, 200);

    set("+7200");
    let forward = holds(&world, &token, &mut told).await;
    assert!(forward > begun, "{forward} {begun}");
    assert_eq!(valid(&world).await, 401);
    world.server.terminate();
    assert!(world.server.wait().success());
    world.start_server_again().await;
    holds(&world, &token, &mut told).await;
    assert_eq!(valid(&world).await, 401);

    // Further than facts are kept, and back.
    set("+4000000");
    holds(&world, &token, &mut told).await;
    world.server.kill();
    world.start_server_again().await;
    holds(&world, &token, &mut told).await;

    set("+0");
    holds(&world, &token, &mut told).await;
    assert_eq!(valid(&world).await, 200);
    world.server.kill();
    world.start_server_again().await;
    holds(&world, &token, &mut told).await;
    let output = world.server.output();
    assert!(!output.contains("panic"), "{output}");
}
