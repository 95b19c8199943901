//! Calls through the gateway, against the simulator's own bill.

use serde_json::{Value, json};

use crate::world::{World, nanos, to_end};

/// The bill's calls and our events, matched by the provider's request id; the sums and each call
/// must agree to the nano-dollar.
pub async fn agree(world: &World, tenant: &str) -> usize {
    agree_with("openai", world, tenant).await
}

/// The same for another service.
pub async fn agree_with(service: &str, world: &World, tenant: &str) -> usize {
    let bill = format!("/_sim/bill?service={service}");
    let bill = world.sim_get(&bill).await;
    let calls = bill["calls"].as_array().unwrap().clone();
    let mut events = world.events(tenant).await;
    events.retain(|event| event["service"] == service);
    let paid: Vec<&Value> = events
        .iter()
        .filter(|event| event["priceId"] != "free")
        .collect();
    let mut ours = 0;
    for call in &calls {
        let id = &call["requestId"];
        let matching: Vec<_> = events
            .iter()
            .filter(|event| event["providerRequestId"] == *id)
            .collect();
        assert_eq!(matching.len(), 1, "{id} is one event: {call}");
        let event = matching[0];
        assert_eq!(
            nanos(&event["costUsd"]),
            nanos(&call["costUsd"]),
            "{event}\n{call}"
        );
        assert_eq!(event["model"], call["model"]);
        ours += nanos(&event["costUsd"]);
    }
    assert_eq!(ours, nanos(&bill["totalCostUsd"]));
    let total: i128 = paid.iter().map(|event| nanos(&event["costUsd"])).sum();
    assert_eq!(
        total,
        nanos(&bill["totalCostUsd"]),
        "no event without a call"
    );
    calls.len()
}

#[tokio::test]
async fn every_kind_of_call_costs_what_the_provider_bills() {
    let world = World::start().await;
    let token = world.ready_tenant("zaxon").await;
    for model in [
        "gpt-4o-mini",
        "gpt-4.1",
        "gpt-5-mini",
        "gpt-6.1-sol",
        "gpt-6-luna",
    ] {
        world.chat(&token, model).await;
        let body = json!({
            "model": model, "stream": true,
            "messages": [{ "role": "user", "content": "count to ten" }],
        });
        let response = world.call("chat/completions", &token, &body).await;
        let text = response.text().await.unwrap();
        assert!(text.ends_with("data: [DONE]\n\n"));
        assert!(
            !text.contains("\"prompt_tokens\""),
            "usage that was not asked for is hidden"
        );
        let body = json!({ "model": model, "input": "hello", "stream": true });
        let response = world.call("responses", &token, &body).await;
        assert!(
            response
                .text()
                .await
                .unwrap()
                .contains("response.completed")
        );
    }
    let embed = json!({ "model": "text-embedding-3-small", "input": ["one", "two"] });
    let answer = world.call("embeddings", &token, &embed).await;
    assert_eq!(to_end(answer).await, 200);
    let speech = json!({ "model": "tts-1", "input": "Grüße aus Köln", "voice": "alloy" });
    let answer = world.call("audio/speech", &token, &speech).await;
    assert_eq!(to_end(answer).await, 200);
    let priority = json!({
        "model": "gpt-6.1-sol", "service_tier": "priority",
        "messages": [{ "role": "user", "content": "fast" }],
    });
    let answer = world.call("chat/completions", &token, &priority).await;
    assert_eq!(to_end(answer).await, 200);
    assert_eq!(agree(&world, "zaxon").await, 18);
}

#[tokio::test]
async fn an_answer_passes_byte_for_byte() {
    let world = World::start().await;
    let token = world.ready_tenant("zaxon").await;
    let body = json!({
        "model": "gpt-4o-mini", "stream": true, "stream_options": { "include_usage": true },
        "messages": [{ "role": "user", "content": "hello" }],
    });
    let response = world.call("chat/completions", &token, &body).await;
    let received = response.bytes().await.unwrap();
    let last = world.sim_get("/_sim/last?operation=chat.completions").await;
    use base64::Engine;
    let sent = base64::engine::general_purpose::STANDARD
        .decode(last["response"]["bodyBase64"].as_str().unwrap())
        .unwrap();
    assert_eq!(received, sent);
    assert_eq!(
        serde_json::from_str::<Value>(last["request"]["bodyText"].as_str().unwrap()).unwrap(),
        body
    );
}

#[tokio::test]
async fn errors_of_the_provider_pass_unchanged_and_ours_look_like_its() {
    let world = World::start().await;
    let token = world.ready_tenant("zaxon").await;
    let body = json!({ "model": "gpt-4o-mini", "messages": [{ "role": "user", "content": "x" }] });
    world
        .sim_post(
            "/_sim/faults",
            json!({ "service": "openai", "kind": "refuse", "status": 429, "code": "rate_limit_exceeded", "times": 1 }),
        )
        .await;
    let limited = world.call("chat/completions", &token, &body).await;
    assert_eq!(limited.status(), 429);
    let limited: Value = limited.json().await.unwrap();
    assert_eq!(limited["error"]["code"], "rate_limit_exceeded");

    let nobody = world.call("chat/completions", "dmd_nonsense", &body).await;
    assert_eq!(nobody.status(), 401);
    let nobody: Value = nobody.json().await.unwrap();
    assert!(nobody["error"]["message"].is_string() && nobody["error"]["type"].is_string());

    let management = world
        .client
        .get(format!(
            "{}/gateway/openai/v1/organization/admin_api_keys",
            world.url
        ))
        .bearer_auth(&token)
        .send()
        .await
        .unwrap();
    assert_eq!(
        management.status(),
        403,
        "management APIs are not the tenant's"
    );
}

#[tokio::test]
async fn users_and_tags_stand_on_the_event() {
    let world = World::start().await;
    let token = world.ready_tenant("zaxon").await;
    let body = json!({ "model": "gpt-4o-mini", "messages": [{ "role": "user", "content": "x" }] });
    let send = async |user: &str, tags: &str| {
        let answer = world
            .client
            .post(format!("{}/gateway/openai/v1/chat/completions", world.url))
            .bearer_auth(&token)
            .header("x-diamond-user", user)
            .header("x-diamond-tags", tags)
            .json(&body)
            .send()
            .await
            .unwrap();
        to_end(answer).await
    };
    assert_eq!(
        send("ada@example.com", "feature=search,team=core").await,
        200
    );
    assert_eq!(send("ada", "this is no list of tags").await, 400);
    let events = world.events("zaxon").await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["userId"], "ada@example.com");
    assert_eq!(events[0]["userSource"], "header");
    assert_eq!(
        events[0]["tags"],
        json!({ "feature": "search", "team": "core" })
    );
}

#[tokio::test]
async fn a_model_without_a_price_is_unpriced_and_rings() {
    let world = World::start().await;
    let token = world.ready_tenant("zaxon").await;
    world.chat(&token, "sim-unlisted").await;
    let events = world.events("zaxon").await;
    assert_eq!(events[0]["costBasis"], "unpriced");
    let alarms = world
        .operate(reqwest::Method::GET, "/api/alarms", Value::Null)
        .await
        .with(200);
    let codes: Vec<&Value> = alarms["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|alarm| &alarm["code"])
        .collect();
    assert!(codes.contains(&&json!("unpriced_usage")), "{codes:?}");
}

#[tokio::test]
async fn what_nobody_knows_passes_and_rings() {
    let world = World::start().await;
    let token = world.ready_tenant("zaxon").await;
    let answer = world.call("teleportations", &token, &json!({})).await;
    assert_eq!(to_end(answer).await, 404, "OpenAI's own answer");
    let events = world.events("zaxon").await;
    assert_eq!(events[0]["operation"], "unknown");
    let alarms = world
        .operate(reqwest::Method::GET, "/api/alarms", Value::Null)
        .await
        .with(200);
    assert!(alarms.to_string().contains("unknown_route"), "{alarms}");
}
