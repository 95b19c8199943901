//! Companies with plain APIs.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::harness::{Answer, Sim, finish};

async fn ask(sim: &Sim, service: &str, path: &str, body: &Value) -> Answer {
    let key = sim.key_of(service, "project").await;
    let request = sim.to(service, Method::POST, path).json(body);
    let request = match service {
        "assemblyai" => request.header("authorization", key),
        "gemini" => request.header("x-goog-api-key", key),
        "cartesia" => request
            .bearer_auth(key)
            .header("cartesia-version", "2026-03-01"),
        _ => request.bearer_auth(key),
    };
    finish(request).await
}

fn manage(sim: &Sim, method: Method, path: &str, key: &str) -> RequestBuilder {
    sim.to("openrouter", method, &format!("api/v1/{path}"))
        .bearer_auth(key)
}

#[tokio::test]
async fn each_company_states_its_usage_in_its_own_place() {
    let sim = Sim::start().await;
    let chat = |model: &str, stream: bool| {
        let messages = json!([{"role": "user", "content": "words:4"}]);
        json!({"model": model, "stream": stream, "messages": messages})
    };
    let path = "openai/v1/chat/completions";
    let plain = ask(&sim, "groq", path, &chat("openai/gpt-oss-20b", false)).await;
    let usage = plain.json()["usage"].clone();
    // 64 of thinking and "word1 word2 word3 word4", 23 bytes: 6 tokens.
    assert_eq!(usage["completion_tokens"], 70);
    let stream = ask(&sim, "groq", path, &chat("openai/gpt-oss-20b", true)).await;
    let events = stream.events();
    assert_eq!(
        events.last().unwrap()["x_groq"]["usage"]["completion_tokens"],
        70
    );
    let bill = sim.bill_of("groq").await;
    // "user\nwords:4\n" is 13 bytes, 4 tokens, at 0.075/M; 70 at 0.30/M
    assert_eq!(bill["calls"][0]["costUsd"], "0.000021300");
    assert_eq!(bill["calls"][1]["costUsd"], "0.000021300");

    let said = ask(&sim, "xai", "v1/chat/completions", &chat("grok-4.5", false)).await;
    let usage = said.json()["usage"].clone();
    assert_eq!(usage["completion_tokens"], 6);
    assert_eq!(usage["completion_tokens_details"]["reasoning_tokens"], 64);
    // 4 at 2/M and 70 at 6/M: 0.000428 dollars, in ten billionths
    assert_eq!(usage["cost_in_usd_ticks"], 4_280_000);
    let path = "api/v1/chat/completions";
    let stream = ask(&sim, "openrouter", path, &chat("somebody/new-model", true)).await;
    let last = stream.events().last().unwrap().clone();
    let bill = sim.bill_of("openrouter").await;
    let cost = bill["calls"][0]["costUsd"].as_str().unwrap().to_owned();
    // 4 × 0.123/M + 70 × 0.456/M
    assert_eq!(cost, "0.000032412");
    assert_eq!(last["usage"]["cost"], 0.000_032_412);

    let said = ask(&sim, "cohere", "v2/chat", &chat("command-a-03-2025", true)).await;
    let end = said.events().last().unwrap().clone();
    let units = &end["delta"]["usage"]["billed_units"];
    assert_eq!(
        (&units["input_tokens"], &units["output_tokens"]),
        (&json!(4), &json!(6))
    );
    let ranked = json!({"model": "rerank-v3.5", "query": "q", "documents": vec!["d"; 101]});
    let ranked = ask(&sim, "cohere", "v2/rerank", &ranked).await;
    assert_eq!(ranked.json()["meta"]["billed_units"]["search_units"], 2);
    let bill = sim.bill_of("cohere").await;
    assert_eq!(bill["calls"][1]["costUsd"], "0.004000000");
}

#[tokio::test]
async fn gemini_counts_thoughts_apart_and_streams_in_two_ways() {
    let sim = Sim::start().await;
    let body = json!({"contents": [{"parts": [{"text": "words:4"}]}]});
    let path = "v1beta/models/gemini-3.8-flash";
    let plain = ask(&sim, "gemini", &format!("{path}:generateContent"), &body).await;
    let usage = plain.json()["usageMetadata"].clone();
    assert_eq!(
        (&usage["candidatesTokenCount"], &usage["thoughtsTokenCount"]),
        (&json!(6), &json!(64))
    );
    let events = ask(
        &sim,
        "gemini",
        &format!("{path}:streamGenerateContent?alt=sse"),
        &body,
    )
    .await;
    let events = events.events();
    assert_eq!(events.len(), 6);
    assert_eq!(events[5]["usageMetadata"], usage);
    let list = ask(
        &sim,
        "gemini",
        &format!("{path}:streamGenerateContent"),
        &body,
    )
    .await;
    let list = list.json();
    assert_eq!(list.as_array().unwrap().len(), 6);
    assert_eq!(list[5]["usageMetadata"], usage);
    let bill = sim.bill_of("gemini").await;
    for call in bill["calls"].as_array().unwrap() {
        // 4 × 0.75/M + 70 × 3.75/M
        assert_eq!(call["costUsd"], "0.000265500");
    }
    let bad = sim.to("gemini", Method::GET, "v1beta/models");
    let bad = finish(bad.header("x-goog-api-key", "AQ.none")).await;
    assert_eq!(bad.status, 400);
    assert_eq!(
        bad.json()["error"]["details"][0]["reason"],
        "API_KEY_INVALID"
    );
}

#[tokio::test]
async fn openrouter_makes_keys_by_one_that_calls_no_model() {
    let sim = Sim::start().await;
    let admin = sim.key_of("openrouter", "admin").await;
    let body = json!({"name": "ukm-key", "limit": 5, "expires_at": "2099-01-01T00:00:00Z"});
    let made = finish(manage(&sim, Method::POST, "keys", &admin).json(&body)).await;
    assert_eq!(made.status, 201);
    let (hash, value) = (
        made.json()["data"]["hash"].clone(),
        made.json()["key"].clone(),
    );
    let (hash, value) = (hash.as_str().unwrap(), value.as_str().unwrap());
    let key = |value: &str| finish(manage(&sim, Method::GET, "key", value));
    assert_eq!(key(value).await.json()["data"]["is_management_key"], false);
    assert_eq!(key(&admin).await.json()["data"]["is_management_key"], true);
    let chat = json!({"model": "somebody/new-model", "messages": []});
    let call =
        |value: &str| finish(manage(&sim, Method::POST, "chat/completions", value).json(&chat));
    assert_eq!(call(value).await.status, 200);
    assert_eq!(call(&admin).await.status, 403);
    let path = format!("keys/{hash}");
    let off = json!({"disabled": true});
    let off = finish(manage(&sim, Method::PATCH, &path, &admin).json(&off)).await;
    assert_eq!(off.json()["data"]["disabled"], true);
    assert_eq!(call(value).await.status, 401);
    let list = |query: &'static str| {
        let path = format!("keys{query}");
        let request = manage(&sim, Method::GET, &path, &admin);
        async move {
            finish(request).await.json()["data"]
                .as_array()
                .unwrap()
                .len()
        }
    };
    assert_eq!(
        (list("").await, list("?include_disabled=true").await),
        (1, 2)
    );
    assert_eq!(list("?include_disabled=true&offset=2").await, 0);
    for status in [200, 404] {
        let gone = finish(manage(&sim, Method::DELETE, &path, &admin)).await;
        assert_eq!(gone.status, status);
    }
    assert_eq!(
        sim.minted("openrouter", "&namePrefix=ukm-").await[0]["live"],
        false
    );
}

#[tokio::test]
async fn each_company_refuses_in_its_own_words() {
    let sim = Sim::start().await;
    let check = sim.to("cohere", Method::POST, "v1/check-api-key");
    let check = finish(check.bearer_auth("nobody")).await;
    assert_eq!(
        (check.status, check.json()["valid"].clone()),
        (200, json!(false))
    );
    let fault = json!({"service": "mistral", "kind": "refuse", "status": 429});
    sim.judge(Method::POST, "faults", &fault).await;
    let fast = ask(&sim, "mistral", "v1/embeddings", &json!({})).await;
    assert_eq!(
        (fast.status, fast.json()["code"].clone()),
        (429, json!("1300"))
    );
    let key = sim.key_of("cartesia", "project").await;
    let old = sim.to("cartesia", Method::GET, "voices").bearer_auth(key);
    let old = finish(old).await;
    assert_eq!(
        (old.status, old.header("content-type")),
        (400, Some("text/plain; charset=utf-8"))
    );
    let limits = json!({"service": "openrouter", "organizationId": "org-sim", "exhausted": true});
    sim.judge(Method::POST, "limits", &limits).await;
    let body = json!({"model": "somebody/new-model", "messages": []});
    let empty = ask(&sim, "openrouter", "api/v1/chat/completions", &body).await;
    assert_eq!(empty.status, 402);
    assert_eq!(
        empty.json()["error"]["metadata"]["limit_source"],
        "openrouter_credits"
    );
}
