use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Sim, finish};

#[tokio::test]
async fn an_embedding_is_the_same_in_both_encodings() {
    let sim = Sim::start().await;
    let ask = |format: &str| {
        json!({
            "model": "text-embedding-3-small", "input": ["alpha", "beta"], "dimensions": 4,
            "encoding_format": format,
        })
    };
    let floats = sim.post("embeddings", &ask("float")).await.json();
    let packed = sim.post("embeddings", &ask("base64")).await.json();
    for index in 0..2 {
        let bytes = STANDARD
            .decode(packed["data"][index]["embedding"].as_str().unwrap())
            .unwrap();
        let unpacked: Vec<f32> = bytes
            .chunks(4)
            .map(|four| f32::from_le_bytes(four.try_into().unwrap()))
            .collect();
        assert_eq!(floats["data"][index]["embedding"], json!(unpacked));
    }
    // 5 and 4 bytes: 2 + 1 tokens
    assert_eq!(floats["usage"]["total_tokens"], 3);
    let numbers = json!({"model": "text-embedding-3-small", "input": [[1, 2, 3], [4]]});
    assert_eq!(
        sim.post("embeddings", &numbers).await.json()["usage"]["total_tokens"],
        4
    );
}

#[tokio::test]
async fn pictures_are_billed_by_token() {
    let sim = Sim::start().await;
    let draw = json!({"model": "gpt-image-2", "prompt": "a red cat", "quality": "low", "n": 2});
    let drawn = sim.post("images/generations", &draw).await.json();
    assert_eq!(drawn["data"].as_array().unwrap().len(), 2);
    assert_eq!(drawn["usage"]["output_tokens"], 544);
    // 9 bytes: 3 × 5/M; 544 × 30/M = 0.000015 + 0.01632
    let call = sim.only_call().await;
    assert_eq!(call["quantities"]["images"], 2);
    assert_eq!(call["costUsd"], "0.016335000");
}

#[tokio::test]
async fn a_file_comes_back_as_it_was_and_a_batch_moves_on() {
    let sim = Sim::start().await;
    let file = sim
        .upload("files", b"{\"a\":1}\n".to_vec(), &[("purpose", "batch")])
        .await
        .json();
    let id = file["id"].as_str().unwrap();
    assert_eq!(
        sim.get(&format!("files/{id}/content")).await.bytes,
        b"{\"a\":1}\n"
    );
    assert_eq!(sim.get("files").await.json()["data"], json!([file]));
    let order = json!({
        "input_file_id": id, "endpoint": "/v1/embeddings", "completion_window": "24h",
    });
    let batch = sim.post("batches", &order).await.json();
    assert_eq!(batch["status"], "validating");
    let path = format!("batches/{}", batch["id"].as_str().unwrap());
    assert_eq!(sim.get(&path).await.json()["status"], "in_progress");
    sim.post(&format!("{path}/cancel"), &Value::Null).await;
    assert_eq!(sim.get(&path).await.json()["status"], "cancelled");
    assert_eq!(sim.bill().await["calls"], json!([]));
    assert_eq!(sim.bill().await["unbilled"]["files.create"], 1);
    let path = format!("files/{id}");
    assert_eq!(
        finish(sim.request(Method::DELETE, &path, &sim.key))
            .await
            .json()["deleted"],
        true
    );
    assert_eq!(sim.get(&path).await.status, 404);
}

#[tokio::test]
async fn who_is_not_played_yet_says_so() {
    let sim = Sim::start().await;
    let client = reqwest::Client::new();
    for service in ["xero", "pagerduty"] {
        let address = format!("{}/{service}/v1/anything", sim.address());
        let answer = finish(client.post(address)).await;
        assert_eq!(answer.status, 501);
        assert_eq!(answer.json()["error"]["code"], "not_simulated");
        assert_eq!(answer.json()["error"]["service"], service);
    }
    let upgrade = sim.request(Method::GET, "live", &sim.key);
    let upgrade = upgrade
        .header("connection", "upgrade")
        .header("upgrade", "websocket");
    let answer = finish(upgrade).await;
    assert_eq!(
        (answer.status, answer.json()["error"]["code"].as_str()),
        (501, Some("not_simulated"))
    );
}

#[tokio::test]
async fn moderation_is_free_and_still_a_call() {
    let sim = Sim::start().await;
    let body = json!({"input": ["a fine day", "I will kill it"]});
    let answer = sim.post("moderations", &body).await.json();
    assert_eq!(answer["results"][0]["flagged"], false);
    assert_eq!(answer["results"][1]["categories"]["violence"], true);
    assert_eq!(sim.only_call().await["costUsd"], "0.000000000");
}
