//! True Production Cost, with the arithmetic written out.

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn the_worked_case() {
    let world = World::start().await;
    world.tenant("zaxon").await;
    let token = world
        .token("zaxon", &["usage:import", "usage:read", "cost:read"])
        .await;
    // Four users: 1.00, 2.00, 3.00 and 10.00 dollars.
    let reports: Vec<Value> = [
        ("ada", "1.00"),
        ("bob", "2.00"),
        ("cyd", "3.00"),
        ("dan", "10.00"),
    ]
    .iter()
    .map(|(user, cost)| {
        json!({
            "id": user, "userId": user, "service": "openai", "model": "gpt-4o-mini",
            "quantities": { "requests": 1 }, "costUsd": cost,
        })
    })
    .collect();
    let body = Value::from(reports);
    world
        .send(Method::POST, "/api/usage", Some(&token), Some(&body))
        .await
        .with(200);
    let path = "/api/analytics/tpc/zaxon?period=daily";
    let tpc = world
        .send(Method::GET, path, Some(&token), None)
        .await
        .with(200);
    // Direct 16.00; SG&A 10 % = 1.60; compliance 5 % = 0.80; together 18.40.
    assert_eq!(tpc["directCostUsd"], "16.000000000");
    assert_eq!(tpc["sgaUsd"], "1.600000000");
    assert_eq!(tpc["complianceUsd"], "0.800000000");
    assert_eq!(tpc["tpcUsd"], "18.400000000");
    // The plan recovers cost: charge is TPC, profit nothing.
    assert_eq!(tpc["chargeUsd"], "18.400000000");
    assert_eq!(tpc["profitUsd"], "0.000000000");
    assert_eq!(tpc["services"][0]["service"], "openai");
    assert_eq!(tpc["services"][0]["componentCode"], "15-OPENAI");
    let users = &tpc["users"];
    assert_eq!(users["users"], 4);
    // Mean 16/4; median between 2 and 3; p95 at rank 0.95 × 3 = 2.85: 3 + 0.85 × 7 = 8.95;
    // p99 at rank 2.97: 3 + 0.97 × 7 = 9.79.
    assert_eq!(users["meanUsd"], "4.000000000");
    assert_eq!(users["medianUsd"], "2.500000000");
    assert_eq!(users["p95Usd"], "8.950000000");
    assert_eq!(users["p99Usd"], "9.790000000");
    // Variance (9 + 4 + 1 + 36) / 4 = 12.5; its root is 3.5355339059327…
    assert_eq!(users["stdDevUsd"], "3.535533906");
    assert_eq!(users["top"][0]["userId"], "dan");
}

#[tokio::test]
async fn who_may_not_see_cost_sees_charges() {
    let world = World::start().await;
    let all = world.ready_tenant("zaxon").await;
    world.chat(&all, "gpt-4o-mini").await;
    let token = world.token("zaxon", &["usage:read"]).await;
    let path = "/api/analytics/tpc/zaxon?period=daily";
    let tpc = world
        .send(Method::GET, path, Some(&token), None)
        .await
        .with(200);
    for hidden in [
        "directCostUsd",
        "sgaUsd",
        "complianceUsd",
        "tpcUsd",
        "profitUsd",
    ] {
        assert!(tpc[hidden].is_null(), "{hidden} is shown: {tpc}");
    }
    assert_ne!(tpc["chargeUsd"], "0.000000000");
    let events = world
        .send(Method::GET, "/api/usage/events", Some(&token), None)
        .await
        .with(200);
    assert!(events["items"][0]["costUsd"].is_null());
}

#[tokio::test]
async fn spans_that_make_no_sense_are_refused() {
    let world = World::start().await;
    world.tenant("zaxon").await;
    for query in [
        "period=yearly",
        "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z",
        "from=yesterday&to=today",
        "from=2026-01-02T00:00:00Z",
        "period=daily&from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z",
        "perriod=daily",
    ] {
        let path = format!("/api/analytics/tpc/zaxon?{query}");
        let answer = world.operate(Method::GET, &path, Value::Null).await;
        assert_eq!(answer.status, 400, "{query}: {}", answer.json);
    }
}
