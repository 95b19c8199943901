//! Now means now: what is revoked ends at once, on every node, also what is under way.

use std::collections::BTreeSet;

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::world::{World, nanos};

/// How many streams run at the same time on a node.
fn streams() -> usize {
    if crate::settings::full_scale() { 64 } else { 8 }
}

/// Makes the simulator's streams slow: one that has begun does not end by itself in this test.
async fn slow(world: &World) {
    let fault = json!({ "service": "openai", "kind": "slow", "ms": 600_000, "times": "forever" });
    world.sim_post("/_sim/faults", fault).await;
}

/// Streams that have begun: of each the head of the answer has arrived.
async fn begin(world: &World, token: &str, count: usize) -> Vec<Response> {
    let body = json!({
        "model": "gpt-4o-mini", "stream": true,
        "messages": [{ "role": "user", "content": "count to ten thousand, slowly" }],
    });
    let one = async || {
        let response = world.call("chat/completions", token, &body).await;
        assert_eq!(response.status(), 200);
        response
    };
    futures_util::future::join_all((0..count).map(|_| one())).await
}

/// Every stream breaks, and none pretends to have ended well.
async fn all_break(streams: Vec<Response>) {
    for mut stream in streams {
        let mut seen = Vec::new();
        loop {
            match stream.chunk().await {
                Ok(Some(piece)) => seen.extend_from_slice(&piece),
                Ok(None) => panic!("it ended well: {}", String::from_utf8_lossy(&seen)),
                Err(_) => break,
            }
        }
        assert!(!String::from_utf8_lossy(&seen).contains("[DONE]"));
    }
}

/// Two nodes on one database.
async fn two_nodes(database: &str) -> (World, World) {
    let first = World::start_with(&[("DIAMOND_DATABASE__URL", database)]).await;
    let key = first.data().join("master-key");
    let second = World::join(
        &first,
        &[
            ("DIAMOND_DATABASE__URL", database),
            ("DIAMOND_SECRETS__MASTER_KEY_FILE", key.to_str().unwrap()),
        ],
    )
    .await;
    (first, second)
}

/// Waits until the node has heard of the token: it follows the others within half a second.
async fn known(node: &World, token: &str) {
    let ask = async || {
        node.send(Method::GET, "/api/tokens", Some(token), None)
            .await
    };
    while ask().await.status != 200 {}
}

/// The tenant's events, which all were cut: one for each call, partial, and the calls' sum.
async fn cut_events(world: &World, tenant: &str, count: usize) {
    let events = world.events(tenant).await;
    assert_eq!(events.len(), count, "{events:?}");
    let names: BTreeSet<_> = events
        .iter()
        .map(|event| event["eventId"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), count);
    for event in &events {
        assert_eq!(event["outcome"], "interrupted", "{event}");
        assert_eq!(event["partial"], true, "{event}");
        assert!(nanos(&event["costUsd"]) > 0, "{event}");
    }
    let path = format!("/api/analytics/tpc/{tenant}?period=monthly");
    let tpc = world
        .operate(Method::GET, &path, Value::Null)
        .await
        .with(200);
    let sum: i128 = events.iter().map(|event| nanos(&event["costUsd"])).sum();
    assert_eq!(nanos(&tpc["directCostUsd"]), sum, "{tpc}");
}

/// The id of the newest token of a tenant.
pub async fn newest_token(world: &World, tenant: &str) -> String {
    let path = format!("/api/tokens?tenantId={tenant}&limit=1000");
    let tokens = world
        .operate(Method::GET, &path, Value::Null)
        .await
        .with(200);
    let last = tokens["items"].as_array().unwrap().last().unwrap();
    last["id"].as_str().unwrap().to_owned()
}

async fn run(world: &World, arguments: &[&str]) -> Value {
    let mut command = world.cli(&world.operator);
    command.args(arguments).args(["--output", "json"]);
    let output = tokio::process::Command::from(command).output();
    let output = output.await.unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Every node refuses, and all calls were cut.
fn seen_through(revocation: &Value, nodes: usize, cut: usize) {
    assert_eq!(revocation["callsCut"], cut, "{revocation}");
    assert!(
        revocation["refusedEverywhereAt"].is_string(),
        "{revocation}"
    );
    let told = revocation["nodes"].as_array().unwrap();
    assert_eq!(told.len(), nodes, "{revocation}");
    for node in told {
        assert_eq!(node["standing"], "refuses", "{revocation}");
    }
}

#[tokio::test]
async fn a_key_that_is_revoked_now_cuts_its_calls_on_every_node() {
    let database = diamond_test_support::postgres().await;
    let (first, second) = two_nodes(database.url()).await;
    let token = first.ready_tenant("zaxon").await;
    let other = first.ready_tenant("coaching").await;
    known(&second, &token).await;
    slow(&first).await;
    slow(&second).await;
    let here = begin(&first, &token, streams()).await;
    let there = begin(&second, &token, streams() / 2).await;
    let strangers = begin(&first, &other, 1).await;
    let cut = here.len() + there.len();
    let told = run(
        &first,
        &["ai", "keys:revoke", "openai", "zaxon", "1", "--now"],
    )
    .await;
    assert_eq!(told["state"], "revoked", "{told}");
    seen_through(&told["revocation"], 2, cut);
    all_break(here).await;
    all_break(there).await;
    cut_events(&first, "zaxon", streams()).await;
    cut_events(&second, "zaxon", streams() / 2).await;
    // New calls find no key, on either node; somebody else's go on.
    let ask = json!({ "model": "gpt-4o-mini", "messages": [{ "role": "user", "content": "x" }] });
    for node in [&first, &second] {
        let answer = node.call("chat/completions", &token, &ask).await;
        assert_eq!(answer.status(), 409, "{}", answer.text().await.unwrap());
    }
    assert!(first.events("coaching").await.is_empty());
    drop(strangers);
    // The revocation can be asked for again, at any node.
    let id = told["revocation"]["id"].as_str().unwrap();
    let again = run(&second, &["admin", "revocation:show", id]).await;
    seen_through(&again, 2, cut);
}

#[tokio::test]
async fn a_token_that_is_revoked_stops_everywhere_with_its_calls() {
    let database = diamond_test_support::postgres().await;
    let (first, second) = two_nodes(database.url()).await;
    let kept = first.ready_tenant("zaxon").await;
    let lost = first.token("zaxon", crate::world::TENANT_SCOPES).await;
    let id = newest_token(&first, "zaxon").await;
    known(&second, &lost).await;
    slow(&first).await;
    slow(&second).await;
    let here = begin(&first, &lost, streams() / 2).await;
    let there = begin(&second, &lost, streams()).await;
    let others = begin(&second, &kept, 1).await;
    let told = run(&first, &["admin", "token:revoke", &id]).await;
    assert!(told["revokedAt"].is_string(), "{told}");
    seen_through(&told["revocation"], 2, here.len() + there.len());
    all_break(here).await;
    all_break(there).await;
    assert_eq!(second.events("zaxon").await.len(), streams());
    drop(others);
    for node in [&first, &second] {
        let refused = node
            .send(Method::GET, "/api/tokens", Some(&lost), None)
            .await;
        assert_eq!(refused.refused(401), "revoked_token");
    }
}

#[tokio::test]
async fn a_suspended_tenant_is_cut_off_and_comes_back() {
    let world = World::start().await;
    let token = world.ready_tenant("zaxon").await;
    slow(&world).await;
    let running = begin(&world, &token, streams()).await;
    let told = run(&world, &["admin", "tenant:suspend", "zaxon"]).await;
    assert_eq!(told["status"], "suspended", "{told}");
    seen_through(&told["revocation"], 1, running.len());
    all_break(running).await;
    cut_events(&world, "zaxon", streams()).await;
    let lease = async || {
        let path = "/api/keys/openai/zaxon";
        world
            .send(Method::POST, path, Some(&token), Some(&json!({})))
            .await
    };
    assert_eq!(lease().await.refused(403), "tenant_suspended");
    let ask = json!({ "model": "gpt-4o-mini", "messages": [{ "role": "user", "content": "x" }] });
    let refused = world.call("chat/completions", &token, &ask).await;
    assert_eq!(refused.status(), 403);
    let told = run(&world, &["admin", "tenant:resume", "zaxon"]).await;
    assert_eq!(told["status"], "active", "{told}");
    assert_eq!(told["revocation"], Value::Null, "{told}");
    lease().await.with(200);
    let resumed = begin(&world, &token, 1).await;
    drop(resumed);
}

#[tokio::test]
async fn without_now_calls_finish_and_a_second_word_cuts_them() {
    let world = World::start().await;
    let token = world.ready_tenant("zaxon").await;
    slow(&world).await;
    let running = begin(&world, &token, 2).await;
    let told = run(&world, &["ai", "keys:revoke", "openai", "zaxon", "1"]).await;
    assert_eq!(told["revocation"], Value::Null, "{told}");
    assert!(world.events("zaxon").await.is_empty(), "they go on");
    let told = run(
        &world,
        &["ai", "keys:revoke", "openai", "zaxon", "1", "--now"],
    )
    .await;
    seen_through(&told["revocation"], 1, 2);
    all_break(running).await;
}

#[tokio::test]
async fn a_node_that_does_not_answer_is_named_and_rings() {
    let database = diamond_test_support::postgres().await;
    let (first, mut second) = two_nodes(database.url()).await;
    first.ready_tenant("zaxon").await;
    let doomed = first.token("zaxon", &["usage:read"]).await;
    assert!(!doomed.is_empty());
    let id = newest_token(&first, "zaxon").await;
    second.server.kill();
    second.server.wait();
    let told = run(&first, &["admin", "token:revoke", &id, "--wait", "1"]).await;
    let revocation = &told["revocation"];
    assert_eq!(revocation["refusedEverywhereAt"], Value::Null, "{told}");
    let standings: BTreeSet<_> = revocation["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["standing"].as_str().unwrap())
        .collect();
    assert!(standings.contains("refuses"), "{told}");
    assert!(
        standings.contains("waiting") || standings.contains("silent"),
        "{told}"
    );
    let alarms = first
        .operate(Method::GET, "/api/alarms", Value::Null)
        .await
        .with(200);
    assert!(
        alarms.to_string().contains("revocation_unacknowledged"),
        "{alarms}"
    );
    // It comes back, knows of it at once, and is missing no longer.
    second.start_server_again().await;
    let id = revocation["id"].as_str().unwrap();
    loop {
        let again = run(&first, &["admin", "revocation:show", id]).await;
        if again["refusedEverywhereAt"].is_string() {
            seen_through(&again, 2, 0);
            break;
        }
    }
    // One that stops in peace is waited for by nobody.
    second.server.terminate();
    assert!(second.server.wait().success());
    first.token("zaxon", &["usage:read"]).await;
    let id = newest_token(&first, "zaxon").await;
    let told = run(&first, &["admin", "token:revoke", &id]).await;
    seen_through(&told["revocation"], 1, 0);
}
