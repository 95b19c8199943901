use std::{io::Read, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Sim, chat, finish, read};

fn stream(words: u64) -> Value {
    let mut body = chat("gpt-4o", &format!("words:{words}"));
    body["stream"] = json!(true);
    body
}

#[tokio::test]
async fn a_refusal_costs_nothing_and_happens_as_often_as_asked() {
    let sim = Sim::start().await;
    sim.fault(json!({
        "kind": "refuse", "status": 503, "code": "server_is_overloaded", "times": 2,
    }))
    .await;
    let question = chat("gpt-4o", "Hi");
    for status in [503, 503, 200] {
        assert_eq!(sim.post("chat/completions", &question).await.status, status);
    }
    sim.only_call().await;
    assert_eq!(sim.bill().await["refused"]["server_is_overloaded"], 2);
}

#[tokio::test]
async fn a_cut_stream_costs_what_went_out() {
    let sim = Sim::start().await;
    // The role, then three tokens of text.
    sim.fault(json!({"kind": "cut", "after_chunks": 4})).await;
    let request = sim
        .request(Method::POST, "chat/completions", &sim.key)
        .json(&stream(100));
    let mut response = request.send().await.unwrap();
    let mut received = Vec::new();
    let error = loop {
        match response.chunk().await {
            Ok(Some(bytes)) => received.extend(bytes),
            Ok(None) => panic!("the stream ended as if it were whole"),
            Err(error) => break error,
        }
    };
    assert!(error.is_body() || error.is_decode(), "{error}");
    assert_eq!(
        String::from_utf8(received)
            .unwrap()
            .matches("data: ")
            .count(),
        4
    );
    let call = sim.only_call().await;
    assert_eq!(call["cut"], true);
    // "user\nwords:100\n" is 15 bytes: 4 tokens
    assert_eq!(
        call["quantities"],
        json!({"requests": 1, "input_tokens": 4, "output_tokens": 3})
    );
}

#[tokio::test]
async fn a_cut_whole_answer_costs_all_of_it() {
    let sim = Sim::start().await;
    sim.fault(json!({"kind": "cut", "after_bytes": 10})).await;
    let request = sim.request(Method::POST, "chat/completions", &sim.key);
    let response = request
        .json(&chat("gpt-4o", "words:6"))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.bytes().await.is_err());
    let call = sim.only_call().await;
    assert_eq!(call["cut"], true);
    assert_eq!(call["quantities"]["output_tokens"], 9);
}

#[tokio::test]
async fn a_client_that_leaves_pays_for_what_it_was_sent() {
    let sim = Sim::start().await;
    sim.fault(json!({"kind": "slow", "ms": 5, "times": "forever"}))
        .await;
    let request = sim
        .request(Method::POST, "chat/completions", &sim.key)
        .json(&stream(5_000));
    let mut response = request.send().await.unwrap();
    response.chunk().await.unwrap();
    drop(response);
    let closed = async {
        loop {
            let call = sim.only_call().await;
            if call["open"] == false {
                break call;
            }
        }
    };
    // Only so that a broken simulator does not hang the suite.
    let call = tokio::time::timeout(Duration::from_secs(60), closed)
        .await
        .unwrap();
    assert_eq!(call["cut"], true);
    // Of more than 10,000 tokens.
    assert!(call["quantities"]["output_tokens"].as_u64().unwrap_or(0) < 10_000);
}

#[tokio::test]
async fn a_dropped_answer_was_acted_on_and_is_billed() {
    let sim = Sim::start().await;
    for (question, tokens) in [(chat("gpt-4o", "words:6"), 9), (stream(6), 9)] {
        sim.judge(Method::POST, "reset", &Value::Null).await;
        sim.fault(json!({"kind": "drop", "operation": "chat.completions"}))
            .await;
        let request = sim.request(Method::POST, "chat/completions", &sim.key);
        assert!(request.json(&question).send().await.is_err());
        let call = sim.only_call().await;
        assert_eq!(call["quantities"]["output_tokens"], tokens);
        assert_eq!(call["cut"], true);
    }
}

#[tokio::test]
async fn a_stream_can_fail_after_its_head_said_200() {
    let sim = Sim::start().await;
    sim.fault(json!({"kind": "error_in_stream", "after_chunks": 3}))
        .await;
    let answer = sim.post("chat/completions", &stream(100)).await;
    assert_eq!(answer.status, 200);
    let events = answer.events();
    assert_eq!(events.len(), 4);
    assert_eq!(events[3]["error"]["type"], "server_error");
    let call = sim.only_call().await;
    assert_eq!(
        (&call["cut"], &call["quantities"]["output_tokens"]),
        (&json!(true), &json!(2))
    );

    sim.fault(json!({"kind": "error_in_stream", "after_chunks": 5}))
        .await;
    let question = json!({"model": "gpt-4o", "input": "words:100", "stream": true});
    let events = sim.post("responses", &question).await.events();
    let last = events.last().unwrap();
    assert_eq!(last["type"], "response.failed");
    // created, in_progress, item added, part added, one token
    assert_eq!(last["response"]["usage"]["output_tokens"], 1);
    assert_eq!(
        sim.bill().await["calls"][1]["quantities"]["output_tokens"],
        1
    );
}

#[tokio::test]
async fn an_answer_can_promise_more_than_it_sends() {
    let sim = Sim::start().await;
    sim.fault(json!({"kind": "lie_length"})).await;
    let request = sim.request(Method::POST, "embeddings", &sim.key);
    let body = json!({"model": "text-embedding-3-small", "input": "x", "dimensions": 1});
    let response = request.json(&body).send().await.unwrap();
    assert!(response.bytes().await.is_err());
}

#[tokio::test]
async fn a_stream_is_compressed_where_the_request_allows_it() {
    let sim = Sim::start().await;
    sim.fault(json!({"kind": "gzip_sse", "times": "forever"}))
        .await;
    let plain = sim.post("chat/completions", &stream(6)).await;
    assert_eq!(plain.header("content-encoding"), None);
    let request = sim.request(Method::POST, "chat/completions", &sim.key);
    let answer = finish(request.header("accept-encoding", "gzip").json(&stream(6))).await;
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(&answer.bytes[..])
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(
        text.matches("data: ").count(),
        plain.text().matches("data: ").count()
    );
}

#[tokio::test]
async fn a_call_that_hangs_is_neither_answered_nor_billed() {
    let sim = Sim::start().await;
    sim.fault(json!({"kind": "hang", "operation": "models.list"}))
        .await;
    let hanging = sim.request(Method::GET, "models", &sim.key).send();
    let look = async {
        loop {
            let bill = sim.bill().await;
            if bill["refused"]["hang"] == 1 {
                break bill;
            }
        }
    };
    tokio::select! {
        answer = hanging => panic!("it answered: {:?}", read(answer.unwrap()).await),
        bill = look => assert_eq!(bill["calls"], json!([])),
    }
}
