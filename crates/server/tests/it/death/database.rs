//! The control database lost for a while, under load.

use diamond_test_support::PostgresServer;
use reqwest::Method;
use serde_json::{Value, json};

use super::library;
use crate::world::{Answer, World};

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

async fn refuses_changes(world: &World) {
    for (method, path, body) in [
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
}

/// Administration says what is wrong, each part of it.
async fn waits(world: &World) {
    for path in ["/api/tenants", "/api/tokens"] {
        let answer = world.operate(Method::GET, path, Value::Null).await;
        assert_eq!(answer.refused(503), "database_unreachable", "{path}");
    }
    refuses_changes(world).await;
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

/// What a change is answered once the server has noticed that the database is back.
async fn change(world: &World, method: Method, path: &str, body: Value) -> Answer {
    loop {
        let answer = world.operate(method.clone(), path, body.clone()).await;
        if answer.status != 503 {
            return answer;
        }
        assert_eq!(answer.refused(503), "database_unreachable");
    }
}

/// Everything is as it was, and changes flow again.
async fn is_back(world: &World, used: &str, after: &str) {
    let tenant = |id: &str| json!({ "id": id, "tier": "managed-enterprise" });
    // An answer that was lost may have been a success.
    let made = change(world, Method::POST, "/api/tenants", tenant(after)).await;
    assert!(made.status == 201 || made.status == 409, "{made:?}");
    let id = format!("{after}-too");
    change(world, Method::POST, "/api/tenants", tenant(&id)).await;
    let key = json!({ "apiKey": world.sim_key().await });
    let path = format!("/api/keys/openai/{id}/dedicated");
    change(world, Method::PUT, &path, key).await.with(200);
    let body = json!({
        "tenantId": id, "name": "test", "owner": "tests", "purpose": "a test",
        "scopes": ["gateway"],
    });
    let token = change(world, Method::POST, "/api/tokens", body).await;
    let token = token.with(201)["token"].as_str().unwrap().to_owned();
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
        // A database that has just come back may be slow once more.
        let tokens = change(world, Method::GET, path, Value::Null).await;
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
    // Somebody has tried to write that down, and could not.
    world.server.line_with("keep_last_uses").await;
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
        // A database that has just come back may be slow once more.
        let tokens = change(&world, Method::GET, path, Value::Null).await;
        let tokens = tokens.with(200);
        let mut tokens = tokens["items"].as_array().unwrap().iter();
        if !tokens.any(|token| token["name"] == "held" && token["lastUsedAt"].is_null()) {
            break;
        }
        tokio::task::yield_now().await;
    }
}

/// Reads and writes of the alarms, until one says this.
async fn is_told(world: &World, words: &str) {
    loop {
        let alarms = world.operate(Method::GET, "/api/alarms", Value::Null).await;
        if alarms.with(200).to_string().contains(words) {
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn sqlite_may_be_moved_away_and_is_missed_rather_than_made_anew() {
    let mut world = World::start().await;
    let token = world.ready_tenant("zaxon").await;
    world.chat(&token, "gpt-4o-mini").await;
    let used = token_for(&world, "moved").await;
    let (file, away) = (
        world.data().join("control.db"),
        world.data().join("control.db.away"),
    );
    std::fs::rename(&file, &away).unwrap();
    // At once, before anybody looked: a write into a file that is somewhere else is no write.
    let body = json!({ "id": "lost", "tier": "managed-enterprise" });
    let refused = world.operate(Method::POST, "/api/tenants", body).await;
    assert_eq!(refused.refused(503), "database_unreachable");
    use_once(&world, &used).await;
    is_told(&world, "moved away or replaced").await;
    // Reading on is harmless, and may be refused as well; nothing is written.
    refuses_changes(&world).await;
    goes_on(&world, &token).await;
    assert!(!file.exists(), "an empty one was made in its place");
    // Another file under its name is not the one that is in use.
    std::fs::copy(&away, &file).unwrap();
    goes_on(&world, &token).await;
    refuses_changes(&world).await;
    std::fs::rename(&away, &file).unwrap();
    is_back(&world, "moved", "after-move").await;
    world.server.kill();
    world.start_server_again().await;
    let path = "/api/tenants/after-move";
    world
        .operate(Method::GET, path, Value::Null)
        .await
        .with(200);
    let path = "/api/tenants/lost";
    world
        .operate(Method::GET, path, Value::Null)
        .await
        .with(404);
    assert_eq!(world.events("zaxon").await.len(), 11);
}

#[tokio::test]
async fn the_disk_under_sqlite_may_fail_and_come_right() {
    let dir = tempfile::tempdir().unwrap();
    let (library, fails) = (library(dir.path(), "disk"), dir.path().join("fails"));
    let mut world = World::start_with(&[
        ("LD_PRELOAD", library.to_str().unwrap()),
        ("DIAMOND_TEST_DISK_FAILS_FILE", fails.to_str().unwrap()),
    ])
    .await;
    let token = world.ready_tenant("zaxon").await;
    world.chat(&token, "gpt-4o-mini").await;
    let mut made = vec!["zaxon".to_owned()];
    for round in 0..3 {
        std::fs::write(&fails, "").unwrap();
        for number in 0..5 {
            let id = format!("failed-{round}-{number}");
            let body = json!({ "id": id, "tier": "managed-enterprise" });
            let refused = world.operate(Method::POST, "/api/tenants", body).await;
            let code = refused.refused(503);
            // SQLite calls a file damaged that its disk does not give.
            assert!(
                ["database_unreachable", "database_damaged"].contains(&code.as_str()),
                "{code}"
            );
        }
        goes_on(&world, &token).await;
        std::fs::remove_file(&fails).unwrap();
        // What was refused may be made after all, as after any lost answer; what was acknowledged
        // is there.
        for number in 0..5 {
            let id = format!("made-{round}-{number}");
            let body = json!({ "id": id, "tier": "managed-enterprise" });
            loop {
                let answer = world.operate(Method::POST, "/api/tenants", body.clone());
                match answer.await {
                    answer if answer.status == 201 || answer.status == 409 => break,
                    answer => drop(answer.refused(503)),
                }
            }
            made.push(id);
        }
    }
    world.server.kill();
    world.start_server_again().await;
    for id in made {
        let path = format!("/api/tenants/{id}");
        world
            .operate(Method::GET, &path, Value::Null)
            .await
            .with(200);
    }
    assert_eq!(world.events("zaxon").await.len(), 16);
    let verdict = world.operate(Method::GET, "/api/audit/verify", Value::Null);
    assert_eq!(verdict.await.with(200)["ok"], true);
    let output = world.server.output();
    assert!(!output.contains("panic"), "{output}");
}
