//! The whole path with PostgreSQL as control database.

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn the_path_holds_on_postgresql_and_over_a_restart() {
    let database = diamond_test_support::postgres().await;
    let mut world = World::start_with(&[("DIAMOND_DATABASE__URL", database.url())]).await;
    assert!(!world.data().join("control.db").exists());
    let token = world.ready_tenant("zaxon").await;
    world.chat(&token, "gpt-4o-mini").await;
    world.server.terminate();
    assert!(world.server.wait().success());
    world.start_server_again().await;

    let path = "/api/keys/openai/zaxon";
    let lease = world
        .send(Method::POST, path, Some(&token), Some(&json!({})))
        .await;
    assert_eq!(lease.with(200)["apiKey"], world.sim_key().await);
    world.chat(&token, "gpt-4o-mini").await;
    assert_eq!(crate::gateway::agree(&world, "zaxon").await, 2);
    let verdict = world
        .operate(Method::GET, "/api/audit/verify", Value::Null)
        .await
        .with(200);
    assert_eq!(verdict["ok"], true, "{verdict}");
}
