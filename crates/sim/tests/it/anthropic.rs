use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::harness::{Answer, Sim, finish};

const KEY_ID: &str = "key_anthropic_0001";

fn ask(sim: &Sim, method: Method, path: &str, key: &str) -> RequestBuilder {
    sim.to("anthropic", method, path)
        .header("x-api-key", key)
        .header("anthropic-version", "2023-06-01")
}

async fn messages(sim: &Sim, body: &Value) -> Answer {
    let key = sim.key_of("anthropic", "project").await;
    finish(ask(sim, Method::POST, "v1/messages", &key).json(body)).await
}

async fn manage(sim: &Sim, method: Method, path: &str, body: Value) -> Answer {
    let key = sim.key_of("anthropic", "admin").await;
    let path = format!("v1/organizations/{path}");
    finish(ask(sim, method, &path, &key).json(&body)).await
}

fn question(model: &str, text: &str) -> Value {
    json!({
        "model": model, "max_tokens": 1_000,
        "messages": [{"role": "user", "content": text}],
    })
}

#[tokio::test]
async fn a_message_costs_what_was_sent_and_said() {
    let sim = Sim::start().await;
    let answer = messages(&sim, &question("claude-haiku-4-5", "words:6")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.header("request-id").unwrap().starts_with("req_"));
    let reset = answer.header("anthropic-ratelimit-requests-reset").unwrap();
    assert!(reset.ends_with('Z') && reset.len() == 20, "{reset}");
    let body = answer.json();
    assert_eq!(
        body["content"][0]["text"],
        "word1 word2 word3 word4 word5 word6"
    );
    assert_eq!(body["stop_reason"], "end_turn");
    assert_eq!(body["model"], "claude-haiku-4-5-20251001");
    assert_eq!(body["usage"]["input_tokens"], 4);
    assert_eq!(body["usage"]["output_tokens"], 9);
    let bill = sim.bill_of("anthropic").await;
    let call = &bill["calls"][0];
    assert_eq!(call["requestId"], answer.header("request-id").unwrap());
    assert_eq!(call["serviceTier"], "standard");
    // 4 × 1/M + 9 × 5/M = 0.000004 + 0.000045
    assert_eq!(call["costUsd"], "0.000049000");
}

#[tokio::test]
async fn what_is_cached_stands_beside_the_input() {
    let sim = Sim::start().await;
    // "user\n" + 8,000 + "\n" = 8,006 bytes: 2,002 tokens, kept up to 1,024 + 7 × 128 = 1,920
    let mut body = question("claude-sonnet-5-5", "");
    body["messages"][0]["content"] = json!([{
        "type": "text", "text": "abcd".repeat(2_000), "cache_control": {"type": "ephemeral", "ttl": "1h"},
    }]);
    let first = messages(&sim, &body).await.json()["usage"].clone();
    assert_eq!(first["input_tokens"], 82);
    assert_eq!(first["cache_creation_input_tokens"], 1_920);
    assert_eq!(
        first["cache_creation"]["ephemeral_1h_input_tokens"],
        json!(1_920)
    );
    let second = messages(&sim, &body).await.json()["usage"].clone();
    assert_eq!(second["cache_read_input_tokens"], 1_920);
    assert_eq!(second["cache_creation_input_tokens"], 0);
    let bill = sim.bill_of("anthropic").await;
    let (one, two) = (&bill["calls"][0], &bill["calls"][1]);
    assert_eq!(one["quantities"]["input_tokens"], 2_002);
    // 82 × 2/M + 1,920 × 4/M = 0.000164 + 0.00768; the output is priced like any other
    let said = one["quantities"]["output_tokens"].as_u64().unwrap();
    let cost = |nanos: u64| format!("0.{:09}", nanos + said * 10_000);
    assert_eq!(one["costUsd"], cost(7_844_000));
    // 82 × 2/M + 1,920 × 0.10/M = 0.000164 + 0.000192
    assert_eq!(two["costUsd"], cost(356_000));
    // Without a wish nothing is cached.
    let plain = question("claude-sonnet-5-5", &"abcd".repeat(2_000));
    let usage = messages(&sim, &plain).await.json()["usage"].clone();
    assert_eq!(usage["input_tokens"], 2_002);
}

#[tokio::test]
async fn a_stream_counts_up_and_is_not_to_be_added_up() {
    let sim = Sim::start().await;
    let mut body = question("claude-opus-5", "words:60");
    body["stream"] = json!(true);
    body["thinking"] = json!({"type": "enabled", "budget_tokens": 1_024});
    let answer = messages(&sim, &body).await;
    let events = answer.events();
    let kinds: Vec<&str> = events
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds[..7],
        [
            "message_start",
            "ping",
            "content_block_start",
            "content_block_delta",
            "content_block_delta",
            "content_block_stop",
            "content_block_start",
        ]
    );
    assert!(kinds.ends_with(&["content_block_stop", "message_delta", "message_stop"]));
    let usages: Vec<u64> = events
        .iter()
        .filter(|event| event["type"] == "message_delta")
        .map(|event| event["usage"]["output_tokens"].as_u64().unwrap())
        .collect();
    assert!(usages.len() > 1 && usages.is_sorted(), "{usages:?}");
    let text: String = events
        .iter()
        .filter_map(|event| event["delta"]["text"].as_str())
        .collect();
    assert!(text.starts_with("word1 word2") && text.ends_with("word60"));
    let bill = sim.bill_of("anthropic").await;
    let billed = &bill["calls"][0]["quantities"];
    assert_eq!(billed["output_tokens"], usages[usages.len() - 1]);
    assert_eq!(billed["reasoning_tokens"], 64);
}

#[tokio::test]
async fn a_stream_may_fail_although_it_began_well() {
    let sim = Sim::start().await;
    let fault = json!({"service": "anthropic", "kind": "error_in_stream", "after_chunks": 4});
    sim.judge(Method::POST, "faults", &fault).await;
    let mut body = question("claude-opus-5", "words:60");
    body["stream"] = json!(true);
    let answer = messages(&sim, &body).await;
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("event: error\n"));
    let last = answer.events().last().unwrap().clone();
    assert_eq!(last["error"]["type"], "overloaded_error");
    let bill = sim.bill_of("anthropic").await;
    assert_eq!(bill["calls"][0]["cut"], true);
    assert_eq!(bill["calls"][0]["quantities"]["output_tokens"], 1);
}

#[tokio::test]
async fn place_and_speed_have_their_price() {
    let sim = Sim::start().await;
    let mut body = question("claude-opus-5-5", "words:6");
    body["inference_geo"] = json!("us");
    body["speed"] = json!("fast");
    let usage = messages(&sim, &body).await.json()["usage"].clone();
    assert_eq!(
        (&usage["inference_geo"], &usage["speed"]),
        (&json!("us"), &json!("fast"))
    );
    let bill = sim.bill_of("anthropic").await;
    // (4 × 4/M + 9 × 20/M) × 1.1 × 2 = 0.000196 × 2.2
    assert_eq!(bill["calls"][0]["costUsd"], "0.000431200");
}

#[tokio::test]
async fn a_tool_is_called_with_an_object() {
    let sim = Sim::start().await;
    let mut body = question("claude-sonnet-5", "please use get_weather");
    body["tools"] = json!([{
        "name": "get_weather",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
    }]);
    let answer = messages(&sim, &body).await.json();
    assert_eq!(answer["stop_reason"], "tool_use");
    assert_eq!(answer["content"][0]["input"], json!({"city": "sim"}));
}

#[tokio::test]
async fn what_is_free_is_on_no_bill() {
    let sim = Sim::start().await;
    let key = sim.key_of("anthropic", "project").await;
    let count = ask(&sim, Method::POST, "v1/messages/count_tokens", &key);
    let count = finish(count.json(&question("claude-opus-5", "words:6"))).await;
    assert_eq!(count.json(), json!({"input_tokens": 4}));
    let models = finish(ask(&sim, Method::GET, "v1/models?limit=1", &key)).await;
    assert_eq!(models.json()["data"].as_array().unwrap().len(), 1);
    assert_eq!(models.json()["has_more"], true);
    let bill = sim.bill_of("anthropic").await;
    assert_eq!(bill["calls"], json!([]));
    assert_eq!(bill["unbilled"]["models.list"], 1);
}

#[tokio::test]
async fn every_trouble_has_its_words() {
    let sim = Sim::start().await;
    let set = async |state: &str, code: Value| {
        let change = json!({"service": "anthropic", "id": KEY_ID, "state": state, "code": code});
        sim.judge(Method::POST, "keys", &change).await;
    };
    let cases = [
        ("revoked", Value::Null, 401, "authentication_error"),
        ("disabled", Value::Null, 401, "authentication_error"),
        ("expired", Value::Null, 401, "authentication_error"),
        ("restricted", Value::Null, 403, "permission_error"),
        ("exhausted", Value::Null, 402, "billing_error"),
        (
            "exhausted",
            json!("usage_limits"),
            400,
            "invalid_request_error",
        ),
        (
            "exhausted",
            json!("enforced_spend_limit_reached"),
            429,
            "rate_limit_error",
        ),
        ("rate_limited", Value::Null, 429, "rate_limit_error"),
    ];
    for (state, code, status, kind) in cases {
        set(state, code.clone()).await;
        let answer = messages(&sim, &question("claude-opus-5", "Hi")).await;
        let body = answer.json();
        assert_eq!(
            (answer.status, body["error"]["type"].as_str()),
            (status, Some(kind)),
            "{state}"
        );
        assert_eq!(body["request_id"], answer.header("request-id").unwrap());
        assert_eq!(
            answer.header("retry-after").is_some(),
            state == "rate_limited"
        );
        if code == "enforced_spend_limit_reached" {
            assert_eq!(body["error"]["details"]["error_code"], code);
        }
        if code == "usage_limits" {
            let message = body["error"]["message"].as_str().unwrap();
            assert!(message.starts_with("You have reached your specified API usage limits"));
        }
    }
    set("active", Value::Null).await;
    let fault = json!({"service": "anthropic", "kind": "refuse", "status": 529});
    sim.judge(Method::POST, "faults", &fault).await;
    let busy = messages(&sim, &question("claude-opus-5", "Hi")).await;
    assert_eq!(busy.json()["error"]["type"], "overloaded_error");
    let key = sim.key_of("anthropic", "project").await;
    let bare = sim
        .to("anthropic", Method::GET, "v1/models")
        .bearer_auth(key);
    assert_eq!(finish(bare).await.status, 400, "a version is needed");
}

#[tokio::test]
async fn keys_are_looked_at_and_switched_but_never_made() {
    let sim = Sim::start().await;
    let me = manage(&sim, Method::GET, "me", Value::Null).await.json();
    assert_eq!(me["id"], "org-sim");
    let made = manage(&sim, Method::POST, "api_keys", json!({"name": "x"})).await;
    assert_eq!(made.status, 404);

    let workspace = manage(&sim, Method::POST, "workspaces", json!({"name": "zaxon"})).await;
    let workspace = workspace.json()["id"].as_str().unwrap().to_owned();
    // What a person does at the console.
    let pasted = json!({"service": "anthropic", "name": "zaxon", "projectId": workspace});
    let pasted = sim.judge(Method::POST, "keys", &pasted).await["key"].clone();
    let value = pasted["value"].as_str().unwrap();
    let works = async || {
        let request = ask(&sim, Method::GET, "v1/models", value);
        finish(request).await.status
    };
    assert_eq!(works().await, 200);
    let list = format!("api_keys?workspace_id={workspace}");
    let list = manage(&sim, Method::GET, &list, Value::Null).await;
    assert!(!list.text().contains(value));
    assert_eq!(list.json()["data"][0]["id"], pasted["id"]);
    assert_eq!(list.json()["data"].as_array().unwrap().len(), 1);

    let path = format!("api_keys/{}", pasted["id"].as_str().unwrap());
    for (status, answers) in [("inactive", 401), ("active", 200), ("archived", 401)] {
        let changed = manage(&sim, Method::POST, &path, json!({"status": status})).await;
        assert_eq!(changed.json()["status"], status);
        assert_eq!(works().await, answers);
    }
    let again = manage(&sim, Method::POST, &path, json!({"status": "active"})).await;
    assert_eq!(again.status, 400);
    let list = manage(&sim, Method::GET, "api_keys?status=active", Value::Null).await;
    assert_eq!(list.json()["data"][0]["id"], KEY_ID);
    let told = sim.minted("anthropic", "&namePrefix=zaxon").await;
    assert_eq!(told[0]["live"], false);
}

#[tokio::test]
async fn an_archived_workspace_takes_its_keys_along() {
    let sim = Sim::start().await;
    let workspace = manage(&sim, Method::POST, "workspaces", json!({"name": "zaxon"})).await;
    let workspace = workspace.json()["id"].as_str().unwrap().to_owned();
    let pasted = json!({"service": "anthropic", "projectId": workspace});
    let pasted = sim.judge(Method::POST, "keys", &pasted).await["key"]["value"].clone();
    let path = format!("workspaces/{workspace}/archive");
    let archived = manage(&sim, Method::POST, &path, Value::Null).await;
    assert!(archived.json()["archived_at"].is_string());
    let request = ask(&sim, Method::GET, "v1/models", pasted.as_str().unwrap());
    assert_eq!(finish(request).await.status, 401);
    for (path, count) in [("workspaces", 0), ("workspaces?include_archived=true", 1)] {
        let list = manage(&sim, Method::GET, path, Value::Null).await;
        assert_eq!(list.json()["data"].as_array().unwrap().len(), count);
    }
}
