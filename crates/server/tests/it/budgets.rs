//! Hard limits on what a tenant may spend.

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{World, nanos, to_end};

impl World {
    async fn put_budget(&self, tenant: &str, name: &str, body: Value) -> Value {
        let path = format!("/api/budgets/{tenant}/{name}");
        let answer = self.operate(Method::PUT, &path, body).await;
        assert!(answer.status.is_success(), "{}", answer.json);
        answer.json
    }

    async fn budget(&self, tenant: &str, name: &str) -> Value {
        let path = format!("/api/budgets/{tenant}/{name}");
        let answer = self.operate(Method::GET, &path, Value::Null).await;
        answer.with(200)
    }

    /// A small call with a bound on its output; the status and our code.
    async fn small_call(&self, token: &str, model: &str, user: &str) -> (u16, String) {
        let body = json!({
            "model": model, "max_tokens": 20,
            "messages": [{ "role": "user", "content": "hello" }],
        });
        let response = self
            .client
            .post(format!("{}/gateway/openai/v1/chat/completions", self.url))
            .bearer_auth(token)
            .header("x-diamond-user", user)
            .json(&body)
            .send()
            .await
            .unwrap();
        let status = response.status().as_u16();
        let answer: Value = response.json().await.unwrap();
        let code = answer["error"]["code"].as_str().unwrap_or_default();
        (status, code.to_owned())
    }
}

fn exceeded() -> (u16, String) {
    (429, "budget_exceeded".into())
}

const FINE: (u16, String) = (200, String::new());

#[tokio::test]
async fn a_new_tenant_has_a_hard_budget_and_what_it_spends_is_what_it_is_charged() {
    let world = World::start().await;
    let token = world.ready_tenant("zaxon").await;
    let default = world.budget("zaxon", "default").await;
    assert_eq!(default["limitUsd"], "1000.000000000");
    assert_eq!(
        (
            &default["measure"],
            &default["period"],
            &default["spentUsd"]
        ),
        (&json!("charge"), &json!("monthly"), &json!("0.000000000"))
    );
    for _ in 0..3 {
        assert_eq!(world.small_call(&token, "gpt-4o-mini", "u-1").await, FINE);
    }
    let path = "/api/analytics/tpc/zaxon?period=monthly";
    let tpc = world
        .operate(Method::GET, path, Value::Null)
        .await
        .with(200);
    let now = world.budget("zaxon", "default").await;
    assert!(nanos(&now["spentUsd"]) > 0);
    assert_eq!(now["spentUsd"], tpc["chargeUsd"], "one ledger, one number");
    assert_eq!(now["reservedUsd"], "0.000000000");
    // Exactly what is spent is left: no call fits any more, whatever it costs.
    let spent = now["spentUsd"].clone();
    let body = json!({ "limitUsd": spent });
    let replaced = world.put_budget("zaxon", "default", body).await;
    assert_eq!(replaced["leftUsd"], "0.000000000");
    assert_eq!(
        world.small_call(&token, "gpt-4o-mini", "u-1").await,
        exceeded()
    );
    // What costs nothing is not held back.
    let models = world
        .client
        .get(format!("{}/gateway/openai/v1/models", world.url));
    let models = models.bearer_auth(&token).send().await.unwrap();
    assert_eq!(to_end(models).await, 200);
    let path = "/api/budgets/zaxon/default";
    world
        .operate(Method::DELETE, path, Value::Null)
        .await
        .with(200);
    assert_eq!(world.small_call(&token, "gpt-4o-mini", "u-1").await, FINE);
    let gone = world.operate(Method::GET, path, Value::Null).await;
    assert_eq!(gone.refused(404), "budget_not_found");
}

#[tokio::test]
async fn what_was_spent_is_known_after_a_death_and_to_a_budget_that_comes_later() {
    let mut world = World::start().await;
    let token = world.ready_tenant("zaxon").await;
    for _ in 0..3 {
        assert_eq!(world.small_call(&token, "gpt-4o-mini", "u-1").await, FINE);
    }
    let before = world.budget("zaxon", "default").await;
    world.server.kill();
    world.start_server_again().await;
    let after = world.budget("zaxon", "default").await;
    assert_eq!(after["spentUsd"], before["spentUsd"]);
    // A budget of another kind is told what was spent before it was there.
    let tokens = "/api/tokens?tenantId=zaxon";
    let tokens = world
        .operate(Method::GET, tokens, Value::Null)
        .await
        .with(200);
    for (name, narrow) in [
        ("by-user", json!({ "userId": "u-1" })),
        ("by-service", json!({ "service": "openai" })),
        ("by-model", json!({ "model": "gpt-4o-mini" })),
        ("by-token", json!({ "tokenId": tokens["items"][0]["id"] })),
    ] {
        let mut body = json!({ "limitUsd": "1", "period": "daily" });
        body.as_object_mut()
            .unwrap()
            .extend(narrow.as_object().unwrap().clone());
        let made = world.put_budget("zaxon", name, body).await;
        assert_eq!(made["spentUsd"], before["spentUsd"], "{name}");
    }
    let body = json!({ "limitUsd": "1", "userId": "u-2" });
    let other = world.put_budget("zaxon", "other", body).await;
    assert_eq!(other["spentUsd"], "0.000000000");
    // Reading again changes nothing.
    world.server.kill();
    world.start_server_again().await;
    for name in ["default", "by-user", "by-service", "by-model", "by-token"] {
        let now = world.budget("zaxon", name).await;
        assert_eq!(now["spentUsd"], before["spentUsd"], "{name}");
    }
}

#[tokio::test]
async fn a_budget_holds_back_what_it_counts_and_nothing_else() {
    let world = World::start().await;
    let token = world.ready_tenant("zaxon").await;
    let stranger = world.ready_tenant("coaching").await;
    let call = async |token: &str, model: &str, user: &str| {
        let (status, code) = world.small_call(token, model, user).await;
        (status, code)
    };
    for (narrow, held) in [
        (json!({ "userId": "u-1" }), (exceeded(), FINE, exceeded())),
        (json!({ "model": "gpt-4o" }), (FINE, exceeded(), FINE)),
        (json!({ "service": "anthropic" }), (FINE, FINE, FINE)),
        (json!({}), (exceeded(), exceeded(), exceeded())),
    ] {
        let mut body = json!({ "limitUsd": "0" });
        body.as_object_mut()
            .unwrap()
            .extend(narrow.as_object().unwrap().clone());
        world.put_budget("zaxon", "narrow", body).await;
        let mini = call(&token, "gpt-4o-mini", "u-1").await;
        let other = call(&token, "gpt-4o", "u-2").await;
        let again = call(&token, "gpt-4o-mini", "u-1").await;
        assert_eq!((mini, other, again), held, "{narrow}");
        assert_eq!(call(&stranger, "gpt-4o-mini", "u-1").await, FINE);
    }
}

#[tokio::test]
async fn calls_at_one_time_never_pass_the_limit_together() {
    let world = World::start().await;
    let token = world.ready_tenant("zaxon").await;
    // The most that a small call can come to is a little under 0.00002 dollars of charge.
    let body = json!({ "limitUsd": "0.0001" });
    world.put_budget("zaxon", "default", body).await;
    let calls = (0..40).map(|_| world.small_call(&token, "gpt-4o-mini", "u-1"));
    let ended = futures_util::future::join_all(calls).await;
    assert!(
        ended.contains(&FINE) && ended.contains(&exceeded()),
        "{ended:?}"
    );
    while world.small_call(&token, "gpt-4o-mini", "u-1").await == FINE {}
    let path = "/api/analytics/tpc/zaxon?period=monthly";
    let tpc = world
        .operate(Method::GET, path, Value::Null)
        .await
        .with(200);
    let (charge, limit) = (nanos(&tpc["chargeUsd"]), 100_000);
    assert!(charge <= limit, "{charge}");
    assert!(charge > limit / 2, "most of it could be used: {charge}");
}

#[tokio::test]
async fn a_call_whose_most_cannot_be_told_does_as_the_budget_says() {
    let world = World::start().await;
    let token = world.ready_tenant("zaxon").await;
    let call = async || world.small_call(&token, "sim-unlisted", "u-1").await;
    assert_eq!(call().await, FINE, "the default sets an amount aside");
    world
        .put_budget("zaxon", "default", json!({ "limitUsd": "1000" }))
        .await;
    assert_eq!(call().await, (403, "budget_unbounded".into()));
    let body = json!({ "limitUsd": "10", "onUnbounded": "reserve:20" });
    world.put_budget("zaxon", "default", body).await;
    assert_eq!(call().await, exceeded());
}

#[tokio::test]
async fn who_may_not_see_costs_sees_no_amount_of_them() {
    let world = World::start().await;
    world.tenant("zaxon").await;
    let body = json!({ "limitUsd": "7", "measure": "cost" });
    world.put_budget("zaxon", "costs", body).await;
    let limits = async |scope: &str| {
        let token = world.token("zaxon", &[scope]).await;
        let page = world
            .send(Method::GET, "/api/budgets", Some(&token), None)
            .await
            .with(200);
        let items = page["items"].as_array().unwrap().clone();
        items
            .iter()
            .map(|budget| budget["limitUsd"].clone())
            .collect::<Vec<_>>()
    };
    let (cost, charge) = (json!("7.000000000"), json!("1000.000000000"));
    assert_eq!(limits("usage:read").await, [Value::Null, charge.clone()]);
    assert_eq!(limits("cost:read").await, [cost, charge]);
    // The page of everybody goes on where it ended.
    world.tenant("coaching").await;
    let first = world
        .operate(Method::GET, "/api/budgets?limit=2", Value::Null)
        .await
        .with(200);
    let next = first["nextCursor"].as_str().unwrap();
    let path = format!("/api/budgets?limit=2&cursor={next}");
    let rest = world
        .operate(Method::GET, &path, Value::Null)
        .await
        .with(200);
    assert_eq!(rest["items"].as_array().unwrap().len(), 1);
    assert!(rest["nextCursor"].is_null());
}

#[tokio::test]
async fn what_cannot_be_a_budget_is_refused_with_the_reason() {
    let world = World::start().await;
    world.tenant("zaxon").await;
    world.tenant("coaching").await;
    let stranger = world.token("coaching", &["gateway"]).await;
    assert!(!stranger.is_empty());
    let tokens = "/api/tokens?tenantId=coaching";
    let tokens = world
        .operate(Method::GET, tokens, Value::Null)
        .await
        .with(200);
    let of_stranger = tokens["items"][0]["id"].clone();
    for (path, body, status, code, word) in [
        (
            "zaxon/b1",
            json!({ "limitUsd": "-1" }),
            400,
            "invalid_budget",
            "nothing",
        ),
        (
            "zaxon/b1",
            json!({ "limitUsd": 5 }),
            422,
            "invalid_body",
            "a string",
        ),
        ("zaxon/b1", json!({}), 422, "invalid_body", "limitUsd"),
        (
            "zaxon/b1",
            json!({ "limitUsd": "1", "period": "yearly" }),
            422,
            "invalid_body",
            "yearly",
        ),
        (
            "zaxon/b1",
            json!({ "limitUsd": "1", "onUnbounded": "clamp" }),
            422,
            "invalid_body",
            "clamp",
        ),
        (
            "zaxon/b1",
            json!({ "limitUsd": "1", "onUnbounded": "reserve:0" }),
            422,
            "invalid_body",
            "reserve",
        ),
        (
            "zaxon/b1",
            json!({ "limitUsd": "1", "surprise": 1 }),
            422,
            "invalid_body",
            "surprise",
        ),
        (
            "zaxon/b1",
            json!({ "limitUsd": "1", "service": "nobody" }),
            404,
            "unknown_service",
            "nobody",
        ),
        (
            "zaxon/b1",
            json!({ "limitUsd": "1", "tokenId": of_stranger }),
            404,
            "token_not_found",
            "token",
        ),
        (
            "nobody/b1",
            json!({ "limitUsd": "1" }),
            404,
            "tenant_not_found",
            "nobody",
        ),
        (
            "zaxon/B1",
            json!({ "limitUsd": "1" }),
            400,
            "invalid_path",
            "budget",
        ),
    ] {
        let path = format!("/api/budgets/{path}");
        let answer = world.operate(Method::PUT, &path, body.clone()).await;
        let error = &answer.json["error"];
        let message = error["message"].as_str().unwrap_or_default();
        assert_eq!(
            (answer.status.as_u16(), &error["code"]),
            (status, &json!(code)),
            "{body}"
        );
        assert!(message.contains(word), "{body}: {message}");
    }
    let all = "/api/budgets?tenantId=zaxon";
    let all = world.operate(Method::GET, all, Value::Null).await.with(200);
    assert_eq!(
        all["items"].as_array().unwrap().len(),
        1,
        "nothing was made"
    );
    let answer = world
        .operate(Method::GET, "/api/budgets?cursor=nonsense", Value::Null)
        .await;
    assert_eq!(answer.refused(400), "invalid_cursor");
}

#[tokio::test]
async fn budgets_by_the_command_line() {
    let world = World::start().await;
    let token = world.ready_tenant("zaxon").await;
    let run = |args: &[&str]| {
        let output = world.cli(&world.operator).args(args).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            output.status.code(),
            text(&output.stdout),
            text(&output.stderr),
        )
    };
    let put = [
        "admin",
        "budget:put",
        "zaxon",
        "mini",
        "--limit-usd",
        "0",
        "--model",
        "gpt-4o-mini",
    ];
    let (status, table, _) = run(&put);
    assert_eq!(status, Some(0));
    assert!(
        table.contains("gpt-4o-mini") && table.contains("refuse"),
        "{table}"
    );
    assert_eq!(
        world.small_call(&token, "gpt-4o-mini", "u-1").await,
        exceeded()
    );
    let (_, list, _) = run(&["admin", "budget:list", "--tenant", "zaxon"]);
    assert!(list.contains("default") && list.contains("mini"), "{list}");
    let (status, gone, _) = run(&["admin", "budget:delete", "zaxon", "mini"]);
    assert_eq!((status, gone.contains("is gone")), (Some(0), true));
    assert_eq!(world.small_call(&token, "gpt-4o-mini", "u-1").await, FINE);
    let (status, _, error) = run(&["admin", "budget:delete", "zaxon", "mini"]);
    assert_eq!(
        (status, error.contains("budget_not_found")),
        (Some(4), true)
    );
    let clamp = [&put[..6], &["--on-unbounded", "clamp"]].concat();
    let (status, _, error) = run(&clamp);
    assert_eq!(
        (status, error.contains("not offered")),
        (Some(2), true),
        "{error}"
    );
}
