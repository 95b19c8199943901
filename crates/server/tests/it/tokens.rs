//! Access tokens.

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn nobody_gives_away_what_they_do_not_hold() {
    let world = World::start().await;
    world.tenant("zaxon").await;
    let maker = world.token("zaxon", &["tokens:admin", "keys:read"]).await;
    let new = |scopes: &[&str]| {
        json!({
            "tenantId": "zaxon", "name": "n", "owner": "o", "purpose": "p", "scopes": scopes,
        })
    };
    let make = async |body: Value| {
        world
            .send(Method::POST, "/api/tokens", Some(&maker), Some(&body))
            .await
    };
    make(new(&["keys:read"])).await.with(201);
    assert_eq!(
        make(new(&["keys:reveal"])).await.refused(403),
        "scope_not_held"
    );
    assert_eq!(
        make(new(&["operator"])).await.refused(400),
        "operator_of_tenant"
    );
    let mut platform = new(&["keys:read"]);
    platform["tenantId"] = Value::Null;
    assert_eq!(make(platform).await.status, 403);
}

#[tokio::test]
async fn an_operator_without_reveal_cannot_give_itself_reveal() {
    let world = World::start().await;
    world.ready_tenant("zaxon").await;
    let platform = json!({
        "name": "n", "owner": "o", "purpose": "p", "scopes": ["operator", "tokens:admin"],
    });
    let made = world
        .operate(Method::POST, "/api/tokens", platform)
        .await
        .with(201);
    let operator = made["token"].as_str().unwrap().to_owned();
    let body = json!({
        "tenantId": "zaxon", "name": "n", "owner": "o", "purpose": "p", "scopes": ["keys:reveal"],
    });
    let answer = world
        .send(Method::POST, "/api/tokens", Some(&operator), Some(&body))
        .await;
    assert_eq!(answer.refused(403), "scope_not_held");
}

#[tokio::test]
async fn a_tenants_token_makes_none_that_outlives_it() {
    let world = World::start().await;
    world.tenant("zaxon").await;
    let new = |expires_at: &str| {
        json!({
            "tenantId": "zaxon", "name": "n", "owner": "o", "purpose": "p",
            "scopes": ["tokens:admin"], "expiresAt": expires_at,
        })
    };
    let end = "2029-01-01T00:00:00Z";
    let made = world
        .operate(Method::POST, "/api/tokens", new(end))
        .await
        .with(201);
    let maker = made["token"].as_str().unwrap().to_owned();
    let make = async |body: serde_json::Value| {
        world
            .send(Method::POST, "/api/tokens", Some(&maker), Some(&body))
            .await
    };
    assert_eq!(
        make(new("2029-01-02T00:00:00Z")).await.refused(403),
        "expiry_not_held"
    );
    make(new(end)).await.with(201);
}

#[tokio::test]
async fn a_revoked_token_stops_at_once_and_stays_revoked_over_a_restart() {
    let mut world = World::start().await;
    let token = world.ready_tenant("zaxon").await;
    let tokens = world
        .operate(Method::GET, "/api/tokens?tenantId=zaxon", Value::Null)
        .await
        .with(200);
    let id = tokens["items"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/tokens/{id}");
    let revoked = world
        .operate(Method::DELETE, &path, Value::Null)
        .await
        .with(200);
    assert!(revoked["revokedAt"].is_string());
    let lease = async |world: &World| {
        let body = json!({});
        world
            .send(
                Method::POST,
                "/api/keys/openai/zaxon",
                Some(&token),
                Some(&body),
            )
            .await
    };
    assert_eq!(lease(&world).await.refused(401), "revoked_token");
    world.server.terminate();
    assert!(world.server.wait().success());
    world.start_server_again().await;
    assert_eq!(lease(&world).await.refused(401), "revoked_token");
}

#[tokio::test]
async fn a_token_is_held_to_its_user_its_services_and_its_addresses() {
    let world = World::start().await;
    world.ready_tenant("zaxon").await;
    let make = async |restriction: Value| {
        let mut body = json!({
            "tenantId": "zaxon", "name": "n", "owner": "o", "purpose": "p",
            "scopes": ["keys:reveal", "gateway"],
        });
        for (name, value) in restriction.as_object().unwrap() {
            body[name] = value.clone();
        }
        let made = world
            .operate(Method::POST, "/api/tokens", body)
            .await
            .with(201);
        made["token"].as_str().unwrap().to_owned()
    };
    let lease = async |token: &str, body: Value| {
        world
            .send(
                Method::POST,
                "/api/keys/openai/zaxon",
                Some(token),
                Some(&body),
            )
            .await
    };
    let bound = make(json!({ "userId": "ada" })).await;
    lease(&bound, json!({ "userId": "ada" })).await.with(200);
    assert_eq!(
        lease(&bound, json!({ "userId": "bob" })).await.refused(403),
        "user_mismatch"
    );
    let elsewhere = make(json!({ "addresses": ["192.0.2.0/24"] })).await;
    assert_eq!(
        lease(&elsewhere, json!({})).await.refused(403),
        "address_not_allowed"
    );
    let here = make(json!({ "addresses": ["127.0.0.0/8"], "services": ["openai"] })).await;
    lease(&here, json!({})).await.with(200);
}

#[tokio::test]
async fn the_first_start_alone_makes_an_operators_token() {
    let mut world = World::start().await;
    let file = world.data().join("operator-token");
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(
        std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert!(
        world.server.output().contains("operator-token"),
        "the log says where it is"
    );
    assert!(
        !world.server.output().contains(&world.operator),
        "the log does not say the token"
    );
    std::fs::remove_file(&file).unwrap();
    world.server.terminate();
    assert!(world.server.wait().success());
    // Were the file gone by mistake, a second token must not appear by itself.
    let data = world.data();
    let operator = world.operator.clone();
    std::fs::write(&file, "not a token").unwrap();
    world.start_server_again().await;
    assert_eq!(
        std::fs::read_to_string(data.join("operator-token")).unwrap(),
        "not a token"
    );
    world
        .send(Method::GET, "/api/tenants", Some(&operator), None)
        .await
        .with(200);
}
