//! Refusals are in the audit chain, and a flood of them does not fill it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{revoke::newest_token, world::World};

async fn entries(world: &World, query: &str) -> Vec<Value> {
    let path = format!("/api/audit?limit=1000&{query}");
    let page = world
        .operate(Method::GET, &path, Value::Null)
        .await
        .with(200);
    page["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_flood_of_refusals_is_counted_and_not_lost() {
    let mut world = World::start().await;
    world.ready_tenant("zaxon").await;
    let weak = world.token("zaxon", &["usage:read"]).await;
    let id = newest_token(&world, "zaxon").await;
    let lease = "/api/keys/openai/zaxon";
    for _ in 0..40 {
        let refused = world
            .send(Method::POST, lease, Some(&weak), Some(&json!({})))
            .await;
        assert_eq!(refused.refused(403), "missing_scope");
        world.send(Method::GET, "/api/tokens", None, None).await;
    }
    let own = entries(&world, &format!("tokenId={id}")).await;
    assert_eq!(
        own.len(),
        3,
        "the first ones are entries of their own: {own:?}"
    );
    world.server.terminate();
    assert!(world.server.wait().success());
    world.start_server_again().await;
    let count = |entries: &[Value]| -> u64 {
        let counted = entries.iter().filter(|entry| entry["outcome"] == "refused");
        counted.map(|e| e["count"].as_u64().unwrap_or(1)).sum()
    };
    let own = entries(&world, &format!("tokenId={id}")).await;
    assert_eq!(count(&own), 40, "{own:?}");
    assert!(own.len() <= 4, "{own:?}");
    let all = entries(&world, "").await;
    let strangers: Vec<Value> = all
        .into_iter()
        .filter(|entry| entry["action"] == "authenticate")
        .collect();
    assert_eq!(count(&strangers), 40, "{strangers:?}");
    for entry in own.iter().chain(&strangers) {
        assert_eq!(entry["address"], "127.0.0.1", "{entry}");
    }
}

#[tokio::test]
async fn refusals_of_too_many_kinds_are_counted_together() {
    let mut world = World::start_with(&[("DIAMOND_SERVER__BEHIND_PROXY", "true")]).await;
    // Each comes from a network of its own.
    for number in 0..300 {
        let answer = world
            .client
            .get(format!("{}/api/tokens", world.url))
            .header("x-forwarded-for", format!("2001:db8:{number:x}::1"));
        assert_eq!(answer.send().await.unwrap().status(), 401);
    }
    world.server.terminate();
    assert!(world.server.wait().success());
    world.start_server_again().await;
    let all = entries(&world, "").await;
    let refused: Vec<_> = all.iter().filter(|e| e["outcome"] == "refused").collect();
    let others = refused.iter().filter(|e| e["address"].is_null());
    let others: u64 = others.map(|e| e["count"].as_u64().unwrap()).sum();
    assert!(refused.len() < 300 && others > 0, "{}", refused.len());
    let own = refused.iter().filter(|e| !e["address"].is_null()).count() as u64;
    assert_eq!(own + others, 300);
}

#[tokio::test]
async fn a_revoked_tokens_attempts_are_told_by_its_name() {
    let world = World::start().await;
    world.ready_tenant("zaxon").await;
    let lost = world.token("zaxon", &["gateway", "keys:reveal"]).await;
    let id = newest_token(&world, "zaxon").await;
    let path = format!("/api/tokens/{id}");
    world
        .operate(Method::DELETE, &path, Value::Null)
        .await
        .with(200);
    let ask = json!({ "model": "gpt-4o-mini", "messages": [{ "role": "user", "content": "x" }] });
    let refused = world.call("chat/completions", &lost, &ask).await;
    assert_eq!(refused.status(), 401);
    let lease = world
        .send(
            Method::POST,
            "/api/keys/openai/zaxon",
            Some(&lost),
            Some(&json!({})),
        )
        .await;
    assert_eq!(lease.refused(401), "revoked_token");
    // They are written without making the caller wait.
    let told = loop {
        let told = entries(&world, &format!("tokenId={id}")).await;
        if told.len() >= 2 {
            break told;
        }
    };
    let actions: Vec<_> = told.iter().map(|e| e["action"].as_str().unwrap()).collect();
    assert!(actions.contains(&"gateway_call"), "{told:?}");
    assert!(actions.contains(&"authenticate"), "{told:?}");
    for entry in &told {
        assert_eq!(entry["detail"], "revoked_token", "{entry}");
    }
}
