use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Sim, finish};

#[tokio::test]
async fn a_stream_tells_the_life_of_a_response() {
    let sim = Sim::start().await;
    let question = json!({"model": "gpt-6-luna", "input": "words:6", "stream": true});
    let events = sim.post("responses", &question).await.events();
    let kinds: Vec<&str> = events
        .iter()
        .filter_map(|event| event["type"].as_str())
        .collect();
    let (start, rest) = kinds.split_at(6);
    assert_eq!(
        start,
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.output_item.done",
            "response.output_item.added",
            "response.content_part.added",
        ]
    );
    let (deltas, end) = rest.split_at(rest.len() - 4);
    assert!(
        deltas
            .iter()
            .all(|kind| *kind == "response.output_text.delta")
    );
    assert_eq!(
        end,
        [
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed",
        ]
    );
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number);
    }
    let usage = &events.last().unwrap()["response"]["usage"];
    assert_eq!(usage["output_tokens"], 73);
    assert_eq!(usage["output_tokens_details"]["reasoning_tokens"], 64);
    // "user\nwords:6\n": 4 tokens; 4 × 0.10/M + 73 × 0.50/M = 0.0000004 + 0.0000365
    let call = sim.only_call().await;
    assert_eq!(call["quantities"]["input_tokens"], 4);
    assert_eq!(call["costUsd"], "0.000036900");
}

#[tokio::test]
async fn a_response_is_kept_until_it_is_deleted() {
    let sim = Sim::start().await;
    let question = json!({"model": "gpt-4o", "input": [{"role": "user", "content": "Hello"}]});
    let made = sim.post("responses", &question).await.json();
    let path = format!("responses/{}", made["id"].as_str().unwrap());
    assert_eq!(sim.get(&path).await.json(), made);
    let deleted = finish(sim.request(Method::DELETE, &path, &sim.key)).await;
    assert_eq!(deleted.json()["deleted"], true);
    assert_eq!(sim.get(&path).await.status, 404);
    sim.only_call().await;
}

#[tokio::test]
async fn a_response_in_the_background_is_billed_although_it_tells_later() {
    let sim = Sim::start().await;
    let question = json!({"model": "gpt-4o", "input": "words:6", "background": true});
    let queued = sim.post("responses", &question).await.json();
    assert_eq!(
        (queued["status"].as_str(), &queued["usage"]),
        (Some("queued"), &Value::Null)
    );
    let path = format!("responses/{}", queued["id"].as_str().unwrap());
    let done = sim.get(&path).await.json();
    assert_eq!(done["status"], "completed");
    assert_eq!(done["usage"]["output_tokens"], 9);
    assert_eq!(sim.only_call().await["quantities"]["output_tokens"], 9);
}

#[tokio::test]
async fn what_is_kept_for_twelve_hours_is_told_apart() {
    let sim = Sim::start().await;
    let question = json!({
        "model": "gpt-6.1-sol", "input": "abcd".repeat(1_100),
        "prompt_cache_options": {"ttl": "12h"},
    });
    let usage = sim.post("responses", &question).await.json()["usage"].clone();
    let details = &usage["input_tokens_details"];
    assert_eq!(details["cache_write_tokens"], 1_024);
    let by_life = json!({"ttl_30m_tokens": 0, "ttl_12h_tokens": 1_024});
    assert_eq!(details["cache_write_tokens_details"], by_life);
    assert_eq!(
        sim.only_call().await["quantities"]["cache_write_long_tokens"],
        1_024
    );
}

#[tokio::test]
async fn a_limit_makes_a_response_incomplete() {
    let sim = Sim::start().await;
    let question = json!({"model": "gpt-4o", "input": "words:99", "max_output_tokens": 16});
    let body = sim.post("responses", &question).await.json();
    assert_eq!(body["status"], "incomplete");
    assert_eq!(body["incomplete_details"]["reason"], "max_output_tokens");
    assert_eq!(body["usage"]["output_tokens"], 16);
}
