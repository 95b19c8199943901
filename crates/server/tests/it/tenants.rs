//! Tenants.

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn a_tenant_is_made_once_looked_at_and_suspended() {
    let world = World::start().await;
    let body = json!({ "id": "zaxon", "tier": "managed-enterprise", "displayName": "Zaxon Ltd" });
    let made = world
        .operate(Method::POST, "/api/tenants", body.clone())
        .await
        .with(201);
    assert_eq!(made["displayName"], "Zaxon Ltd");
    let again = world.operate(Method::POST, "/api/tenants", body).await;
    assert_eq!(again.refused(409), "tenant_exists");

    world.put_key("zaxon").await;
    let token = world.token("zaxon", &["keys:reveal", "gateway"]).await;
    let lease = async || {
        world
            .send(
                Method::POST,
                "/api/keys/openai/zaxon",
                Some(&token),
                Some(&json!({})),
            )
            .await
    };
    lease().await.with(200);
    let suspend = json!({ "status": "suspended" });
    world
        .operate(Method::PATCH, "/api/tenants/zaxon", suspend)
        .await
        .with(200);
    assert_eq!(lease().await.refused(403), "tenant_suspended");
    let call = world.call("models", &token, &json!({})).await;
    assert_eq!(call.status(), 403);
    let resume = json!({ "status": "active" });
    world
        .operate(Method::PATCH, "/api/tenants/zaxon", resume)
        .await
        .with(200);
    lease().await.with(200);
}

#[tokio::test]
async fn names_that_would_confuse_secrets_are_refused_with_the_rule() {
    let world = World::start().await;
    for (id, rule) in [
        ("coaching-customer", "-customer"),
        ("coaching-admin", "-admin"),
        ("admin", "reserved"),
        ("a--b", "hyphens"),
        ("ab", "3 to 23"),
        ("Abc", "lower-case"),
    ] {
        let body = json!({ "id": id, "tier": "managed-starter" });
        let refused = world
            .operate(Method::POST, "/api/tenants", body)
            .await
            .with(422);
        let message = refused["error"]["message"].as_str().unwrap();
        assert!(message.contains(rule), "{id}: {message}");
    }
}

#[tokio::test]
async fn lists_go_on_where_the_page_ended() {
    let world = World::start().await;
    for id in ["aaa", "bbb", "ccc"] {
        world.tenant(id).await;
    }
    let mut path = "/api/tenants?limit=2".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = world
            .operate(Method::GET, &path, Value::Null)
            .await
            .with(200);
        seen.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|t| t["id"].clone()),
        );
        match page["nextCursor"].as_str() {
            Some(cursor) => path = format!("/api/tenants?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, ["aaa", "bbb", "ccc"]);
}
