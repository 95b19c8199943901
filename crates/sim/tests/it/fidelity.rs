use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{KEY_ID, Sim, chat, finish};

#[tokio::test]
async fn the_last_exchange_can_be_seen_byte_for_byte_but_for_the_key() {
    let sim = Sim::start().await;
    let body =
        r#"{ "model":"gpt-4o-mini" ,"messages":[{"role":"user","content":"Hi"}],"stream":true}"#;
    let request = sim.request(Method::POST, "chat/completions?x=1", &sim.key);
    let request = request
        .header("content-type", "application/json")
        .header("x-own", "kept");
    let answer = finish(request.body(body)).await;
    let last = sim
        .judge(Method::GET, "last?operation=chat.completions", &Value::Null)
        .await;
    assert_eq!(last["keyId"], KEY_ID);
    assert_eq!(last["requestId"], answer.header("x-request-id").unwrap());
    assert_eq!(last["request"]["bodyText"], body);
    assert_eq!(last["request"]["path"], "/openai/v1/chat/completions?x=1");
    let headers = last["request"]["headers"].as_array().unwrap();
    assert!(headers.contains(&json!(["x-own", "kept"])));
    assert!(headers.contains(&json!(["authorization", "***"])));
    assert!(!last.to_string().contains(&sim.key));
    let sent = STANDARD
        .decode(last["response"]["bodyBase64"].as_str().unwrap())
        .unwrap();
    assert_eq!(sent, answer.bytes);
    assert_eq!(last["response"]["complete"], true);
}

#[tokio::test]
async fn a_large_answer_is_compressed_for_who_asks() {
    let sim = Sim::start().await;
    let question = chat("gpt-4o-mini", "words:400");
    for encoding in ["gzip", "deflate", "br"] {
        let request = sim.request(Method::POST, "chat/completions", &sim.key);
        let answer = finish(request.header("accept-encoding", encoding).json(&question)).await;
        assert_eq!(answer.header("content-encoding"), Some(encoding));
        assert!(answer.bytes.len() < 1_500);
    }
    let plain = sim.post("chat/completions", &question).await;
    assert_eq!(plain.header("content-encoding"), None);
    assert!(plain.bytes.len() > 2_000);
}

#[tokio::test]
async fn keys_and_bill_outlive_the_program_where_a_file_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.json");
    let first = Sim::start().await;
    first.set_key(json!({"state": "exhausted"})).await;
    let embed = json!({"model": "text-embedding-3-small", "input": "x"});
    assert_eq!(first.post("embeddings", &embed).await.status, 429);
    first.set_key(json!({"state": "active"})).await;
    first.post("embeddings", &embed).await;
    let project = first
        .manage(Method::POST, "projects", &json!({"name": "zaxon"}))
        .await
        .json();
    let bill = first.bill().await;
    first.simulator.save(&file).unwrap();

    let again = diamond_sim::Simulator::new().unwrap();
    again.load(&file).unwrap();
    let second = Sim::serve(again).await;
    assert_eq!(second.bill().await, bill);
    let path = format!("projects/{}", project["id"].as_str().unwrap());
    assert_eq!(
        second.manage(Method::GET, &path, &Value::Null).await.json(),
        project
    );
    assert_eq!(second.post("embeddings", &embed).await.status, 200);
}
