//! `incident:report` lists every use.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    revoke::newest_token,
    world::{World, to_end},
};

/// All pages of a report, as the command line prints them.
async fn report(world: &World, token: &str, arguments: &[&str]) -> (Value, Vec<Value>) {
    let mut command = world.cli(token);
    command
        .args(["admin", "incident:report", "--output", "json"])
        .args(arguments);
    let output = tokio::process::Command::from(command)
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let pages: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let uses = pages
        .iter()
        .flat_map(|page| page["items"].as_array().unwrap().clone())
        .collect();
    (pages[0]["summary"].clone(), uses)
}

#[tokio::test]
async fn every_use_of_a_version_a_token_and_an_address_is_told() {
    let world = World::start().await;
    let token = world.ready_tenant("zaxon").await;
    let id = newest_token(&world, "zaxon").await;
    let other = world.ready_tenant("coaching").await;
    for _ in 0..3 {
        let lease = world
            .send(
                Method::POST,
                "/api/keys/openai/zaxon",
                Some(&token),
                Some(&json!({ "userId": "anna", "purpose": "the night shift" })),
            )
            .await;
        lease.with(200);
    }
    for _ in 0..4 {
        world.chat(&token, "gpt-4o-mini").await;
    }
    world.chat(&other, "gpt-4o-mini").await;
    let refused = world
        .send(
            Method::POST,
            "/api/keys/hume/zaxon",
            Some(&token),
            Some(&json!({})),
        )
        .await;
    assert!(refused.status.is_client_error());

    let operator = world.operator.clone();
    let (summary, uses) = report(&world, &operator, &["--version", "openai/zaxon/1"]).await;
    let count =
        |uses: &[Value], source: &str| uses.iter().filter(|each| each["source"] == source).count();
    assert_eq!(summary["calls"], 4, "{summary}");
    assert_eq!(summary["auditEntries"], 3, "{summary}");
    assert_eq!(summary["leasesOutstanding"], 3, "{summary}");
    assert_eq!(summary["tenants"], json!({ "zaxon": 7 }));
    assert_eq!(summary["addresses"], json!({ "127.0.0.1": 7 }));
    assert_eq!(summary["tokens"], json!({ id.clone(): 7 }));
    assert_eq!(
        summary["outcomes"],
        json!({ "granted": 3, "succeeded": 4 }),
        "{summary}"
    );
    assert_eq!((count(&uses, "audit"), count(&uses, "ledger")), (3, 4));
    for each in &uses {
        assert_eq!(each["tokenId"], id.as_str(), "{each}");
        assert_eq!(each["address"], "127.0.0.1", "{each}");
    }
    let (summary, _) = report(&world, &operator, &["--token", &id]).await;
    assert_eq!(summary["calls"], 4, "{summary}");
    assert_eq!(summary["outcomes"]["refused"], 1, "{summary}");
    let (summary, _) = report(&world, &operator, &["--address", "127.0.0.1"]).await;
    assert_eq!(summary["calls"], 5, "{summary}");
    // A tenant sees its own.
    let (summary, _) = report(&world, &other, &["--address", "127.0.0.1"]).await;
    assert_eq!(summary["calls"], 1, "{summary}");
    let (summary, uses) = report(&world, &other, &["--token", &id]).await;
    assert_eq!((&summary["calls"], uses.len()), (&json!(0), 0));
    // Another kind's version is another key.
    let customer = ["--version", "openai/zaxon/1", "--kind", "customer"];
    let (summary, _) = report(&world, &operator, &customer).await;
    assert_eq!(
        (&summary["calls"], &summary["auditEntries"]),
        (&json!(0), &json!(0))
    );
    let (summary, _) = report(
        &world,
        &operator,
        &["--token", &id, "--to", "2020-01-01T00:00:00Z"],
    )
    .await;
    assert_eq!(summary["calls"], 0, "{summary}");
    // The public event tells neither token nor address.
    for event in world.events("zaxon").await {
        assert!(event.get("tokenId").is_none() && event.get("address").is_none());
    }
}

#[tokio::test]
async fn a_report_of_many_pages_has_each_use_once() {
    let world = World::start().await;
    let token = world.ready_tenant("zaxon").await;
    let id = newest_token(&world, "zaxon").await;
    let embed = json!({ "model": "text-embedding-3-small", "input": "x" });
    for _ in 0..5 {
        assert_eq!(
            to_end(world.call("embeddings", &token, &embed).await).await,
            200
        );
        world
            .send(
                Method::POST,
                "/api/keys/openai/zaxon",
                Some(&token),
                Some(&json!({})),
            )
            .await
            .with(200);
    }
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/api/incidents?tokenId={id}&limit=2{cursor}");
        let page = world
            .operate(Method::GET, &path, Value::Null)
            .await
            .with(200);
        let items = page["items"].as_array().unwrap();
        seen.extend(items.iter().map(|each| each["requestId"].to_string()));
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 10, "{seen:?}");
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 10);
}
