//! The control database lost for a while, under load.

use diamond_test_support::PostgresServer;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::World;

/// Keys and the gateway go on as if nothing were.
async fn goes_on(world: &World, token: &str) {
    for _ in 0..5 {
        world.chat(token, "gpt-4o-mini").await;
        let lease = world
            .send(
                Method::POST,
                "/api/keys/openai/zaxon",
                Some(token),
                Some(&json!({})),
            )
            .await;
        assert_eq!(lease.with(200)["apiKey"], world.sim_key().await);
    }
    let ready = world.send(Method::GET, "/readyz", None, None).await;
    ready.with(200);
}

/// Administration says what is wrong, each part of it.
async fn waits(world: &World) {
    for (method, path, body) in [
        (Method::GET, "/api/tenants", Value::Null),
        (Method::GET, "/api/tokens", Value::Null),
        (
            Method::POST,
            "/api/tenants",
            json!({ "id": "during", "tier": "managed-enterprise" }),
        ),
        (
            Method::PUT,
            "/api/keys/openai/zaxon/dedicated",
            json!({ "apiKey": world.sim_key().await }),
        ),
    ] {
        let answer = world.operate(method, path, body).await;
        assert_eq!(answer.refused(503), "database_unreachable", "{path}");
    }
    // What is wrong is in the alarms, though they cannot be written down.
    loop {
        let alarms = world.operate(Method::GET, "/api/alarms", Value::Null).await;
        if alarms
            .with(200)
            .to_string()
            .contains("database_unreachable")
        {
            break;
        }
        tokio::task::yield_now().await;
    }
}

/// Everything is as it was, and changes flow again.
async fn is_back(world: &World, used: &str, after: &str) {
    loop {
        let path = "/api/tenants";
        let body = json!({ "id": after, "tier": "managed-enterprise" });
        let answer = world.operate(Method::POST, path, body).await;
        match answer.status.as_u16() {
            // An answer that was lost may have been a success.
            201 | 409 => break,
            _ => assert_eq!(answer.refused(503), "database_unreachable"),
        }
    }
    let token = world.ready_tenant(&format!("{after}-too")).await;
    world.chat(&token, "gpt-4o-mini").await;
    let alarms = async || {
        let alarms = world.operate(Method::GET, "/api/alarms", Value::Null).await;
        alarms.with(200).to_string()
    };
    while alarms().await.contains("alm_waiting") {
        tokio::task::yield_now().await;
    }
    assert!(alarms().await.contains("database_unreachable"));
    // The uses of tokens in between were kept in mind.
    loop {
        let path = "/api/tokens?tenantId=zaxon&limit=100";
        let tokens = world.operate(Method::GET, path, Value::Null).await;
        let tokens = tokens.with(200);
        let tokens = tokens["items"].as_array().unwrap();
        let token = tokens.iter().find(|token| token["name"] == used).unwrap();
        if !token["lastUsedAt"].is_null() {
            break;
        }
        tokio::task::yield_now().await;
    }
}

/// A token that is used only while the database is away.
async fn token_for(world: &World, name: &str) -> String {
    let body = json!({
        "tenantId": "zaxon", "name": name, "owner": "tests", "purpose": "a test",
        "scopes": ["usage:read"],
    });
    let made = world.operate(Method::POST, "/api/tokens", body).await;
    made.with(201)["token"].as_str().unwrap().to_owned()
}

async fn use_once(world: &World, token: &str) {
    let path = "/api/usage/events?limit=1";
    world
        .send(Method::GET, path, Some(token), None)
        .await
        .with(200);
}

#[tokio::test]
async fn postgresql_may_stop_or_hang_and_come_back() {
    let mut database = PostgresServer::start().await;
    let url = database.url();
    let world = World::start_with(&[("DIAMOND_DATABASE__URL", &url)]).await;
    let token = world.ready_tenant("zaxon").await;
    world.chat(&token, "gpt-4o-mini").await;
    let mut calls = 1;

    let used = token_for(&world, "stopped").await;
    database.stop();
    use_once(&world, &used).await;
    waits(&world).await;
    goes_on(&world, &token).await;
    calls += 5;
    database.start_again().await;
    is_back(&world, "stopped", "after-stop").await;

    let used = token_for(&world, "frozen").await;
    database.freeze();
    use_once(&world, &used).await;
    waits(&world).await;
    goes_on(&world, &token).await;
    calls += 5;
    database.thaw();
    is_back(&world, "frozen", "after-freeze").await;
    assert_eq!(world.events("zaxon").await.len(), calls);
}

#[tokio::test]
async fn sqlite_may_be_held_by_somebody_else() {
    let world = World::start().await;
    let token = world.ready_tenant("zaxon").await;
    world.chat(&token, "gpt-4o-mini").await;
    let used = token_for(&world, "held").await;
    // A copy tool of an operator, say, that holds the file's write lock.
    let mut holder =
        diamond_test_support::ServerProcess::spawn(std::path::Path::new("python3"), |command| {
            command
                .args([
                    "-uc",
                    "import sqlite3, sys, time\n\
                     held = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
                     held.execute('BEGIN IMMEDIATE')\n\
                     print('held')\n\
                     time.sleep(3600)",
                ])
                .arg(world.data().join("control.db"));
        });
    holder.line_with("held").await;
    use_once(&world, &used).await;
    let body = json!({ "id": "during", "tier": "managed-enterprise" });
    let refused = world.operate(Method::POST, "/api/tenants", body).await;
    assert_eq!(refused.refused(503), "database_unreachable");
    goes_on(&world, &token).await;
    holder.kill();
    let body = json!({ "id": "after", "tier": "managed-enterprise" });
    let made = world.operate(Method::POST, "/api/tenants", body).await;
    made.with(201);
    loop {
        let path = "/api/tokens?tenantId=zaxon&limit=100";
        let tokens = world.operate(Method::GET, path, Value::Null).await;
        let tokens = tokens.with(200);
        let mut tokens = tokens["items"].as_array().unwrap().iter();
        if !tokens.any(|token| token["name"] == "held" && token["lastUsedAt"].is_null()) {
            break;
        }
        tokio::task::yield_now().await;
    }
}
