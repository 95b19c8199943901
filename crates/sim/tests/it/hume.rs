use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::{
    Method,
    multipart::{Form, Part},
};
use serde_json::{Value, json};

use crate::{
    harness::{Answer, Sim, finish},
    socket::{Heard, Socket},
};

async fn key(sim: &Sim) -> String {
    sim.key_of("hume", "project").await
}

async fn get(sim: &Sim, path: &str, key: &str) -> Answer {
    let request = sim.to("hume", Method::GET, path);
    finish(request.header("x-hume-api-key", key)).await
}

async fn upload(sim: &Sim, path: &str, key: &str, bytes: usize, decisions: &str) -> Answer {
    let part = Part::bytes(vec![1; bytes]).file_name("a.mp3");
    let form = Form::new()
        .part("file", part)
        .text("decisions", decisions.to_owned());
    let request = sim.to("hume", Method::POST, path).multipart(form);
    finish(request.header("x-hume-api-key", key)).await
}

async fn costs(sim: &Sim) -> Vec<String> {
    let bill = sim.bill_of("hume").await;
    let calls = bill["calls"].as_array().unwrap().clone();
    let cost = |call: &Value| call["costUsd"].as_str().unwrap().to_owned();
    calls.iter().map(cost).collect()
}

#[tokio::test]
async fn a_key_and_its_secret_are_exchanged_for_a_token() {
    let sim = Sim::start().await;
    let key = key(&sim).await;
    let exchange = |secret: String| {
        let request = sim.to("hume", Method::POST, "oauth2-cc/token");
        let request = request.basic_auth(&key, Some(secret));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        finish(request.body("grant_type=client_credentials"))
    };
    assert_eq!(exchange("wrong".to_owned()).await.status, 401);
    let token = exchange(format!("{key}-secret")).await.json();
    assert_eq!(token["expires_in"], 1_800);
    let token = token["access_token"].as_str().unwrap().to_owned();
    let body = json!({"utterances": [{"text": "Grüße 🙂"}, {"text": "ab"}], "num_generations": 2});
    let say = || {
        let request = sim.to("hume", Method::POST, "v0/tts").bearer_auth(&token);
        finish(request.json(&body))
    };
    let said = say().await;
    assert_eq!(said.status, 200, "{}", said.text());
    let said = said.json();
    assert_eq!(said["generations"].as_array().unwrap().len(), 2);
    assert_eq!(said["generations"][0]["duration"], 0.18);
    // 9 characters twice at 0.15 per 1,000
    assert_eq!(costs(&sim).await, ["0.002700000"]);
    // A token opens no decisions, and it ends.
    let runs = sim.to("hume", Method::GET, "v0/decisions/run");
    assert_eq!(finish(runs.bearer_auth(&token)).await.status, 403);
    sim.judge(Method::POST, "clock", &json!({"advanceSeconds": 1_801}))
        .await;
    assert_eq!(say().await.status, 401);
}

#[tokio::test]
async fn speech_streams_in_lines_and_as_sound() {
    let sim = Sim::start().await;
    let key = key(&sim).await;
    let body = json!({"utterances": [{"text": "x".repeat(40)}], "format": {"type": "wav"}});
    for (path, content_type) in [
        ("v0/tts/stream/json", "application/x-ndjson"),
        ("v0/tts/stream/file", "audio/wav"),
        ("v0/tts/file", "audio/wav"),
    ] {
        let request = sim.to("hume", Method::POST, path).json(&body);
        let said = finish(request.header("x-hume-api-key", &key)).await;
        assert_eq!(said.header("content-type"), Some(content_type));
        if content_type == "application/x-ndjson" {
            let lines: Vec<Value> = said
                .text()
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
            assert_eq!(lines.last().unwrap()["is_last_chunk"], true);
        }
    }
    assert_eq!(costs(&sim).await, ["0.006000000"; 3]);
}

#[tokio::test]
async fn a_chat_is_paid_by_the_time() {
    let sim = Sim::start().await;
    let key = key(&sim).await;
    let path = format!("hume/v0/evi/chat?api_key={key}");
    let mut socket = Socket::open(&sim, &path, &[]).await;
    let metadata = socket.json().await;
    assert_eq!(metadata["type"], "chat_metadata");
    socket
        .send(&json!({"type": "user_input", "text": "Hello"}))
        .await;
    let said = socket.until("assistant_end").await;
    assert_eq!(said[0]["message"]["content"], "Hello");
    let data = STANDARD.encode(vec![1; 16_000]);
    socket
        .send(&json!({"type": "audio_input", "data": data}))
        .await;
    socket.until("assistant_end").await;
    sim.judge(Method::POST, "clock", &json!({"advanceSeconds": 90}))
        .await;
    socket.send(&json!({"type": "nonsense"})).await;
    assert_eq!(socket.json().await["slug"], "invalid_input");
    socket.close().await;
    assert_eq!(socket.next().await, Heard::Close(1000));
    // 1.5 minutes at 0.07
    assert_eq!(costs(&sim).await, ["0.105000000"]);
    let path = format!("v0/evi/chats/{}", metadata["chat_id"].as_str().unwrap());
    let chat = get(&sim, &path, &key).await.json();
    let time = |name: &str| chat[name].as_i64().unwrap();
    assert!(
        time("end_timestamp") - time("start_timestamp") >= 90_000,
        "{chat}"
    );
    // A chat in which nobody moved the clock lasts as long as what was said into it.
    let mut socket = Socket::open(&sim, "hume/v0/evi/chat", &[("x-hume-api-key", &key)]).await;
    let data = STANDARD.encode(vec![1; 16 * 6_000]);
    socket
        .send(&json!({"type": "audio_input", "data": data}))
        .await;
    socket.until("assistant_end").await;
    socket.close().await;
    assert_eq!(socket.next().await, Heard::Close(1000));
    // 0.1 minutes
    assert_eq!(costs(&sim).await[1], "0.007000000");
}

#[tokio::test]
async fn decisions_are_paid_by_what_goes_in_and_runs_are_the_ledger() {
    let sim = Sim::start().await;
    let key = key(&sim).await;
    let questions = r#"["calm?"]"#;
    let path = "v0/decisions/file/input_tokens";
    let estimate = upload(&sim, path, &key, 16_000, questions).await.json();
    // A second of sound and nine characters: ten tokens and three.
    assert_eq!(estimate["input_tokens"], 13);
    assert!(costs(&sim).await.is_empty());
    let decided = upload(&sim, "v0/decisions/file", &key, 16_000, questions).await;
    assert_eq!(decided.json()["received"]["input_tokens"], 13);
    assert_eq!(costs(&sim).await, ["0.000013000"]);
    let runs = get(&sim, "v0/decisions/run", &key).await.json();
    assert_eq!(runs["data"][0]["received"]["input_tokens"], 13);

    let heard = upload(&sim, "v1/expression/audio/file", &key, 16_000, "").await;
    assert_eq!(heard.json()["received"]["audio_duration_ms"], 1_000);
    let seen = upload(&sim, "v1/expression/video/file", &key, 16 * 15_000, "").await;
    // Ten seconds at least: 10 / 60 × 0.06; 15 / 60 × 0.08.
    assert_eq!(costs(&sim).await[1..], ["0.010000000", "0.020000000"]);
    let id = seen.json()["run_id"].as_str().unwrap().to_owned();
    let run = get(&sim, &format!("v1/expression/run/{id}"), &key).await;
    assert_eq!(run.json()["metered_seconds"], 15.0);
}

#[tokio::test]
async fn a_session_is_a_run_whether_it_is_closed_or_lost() {
    let sim = Sim::start().await;
    let key = key(&sim).await;
    let headers = [("x-hume-api-key", key.as_str())];
    let path = "hume/v1/expression/audio/realtime";
    let mut socket = Socket::open(&sim, path, &headers).await;
    assert_eq!(socket.json().await["type"], "session.created");
    socket.send_bytes(&vec![1; 16 * 12_000]).await;
    socket.json().await;
    socket.send(&json!({"type": "session.close"})).await;
    let closed = socket.json().await;
    assert_eq!(closed["received"]["audio_duration_ms"], 12_000);
    assert_eq!(socket.next().await, Heard::Close(1000));
    assert_eq!(costs(&sim).await, ["0.012000000"]);
    let runs = get(&sim, "v1/expression/run", &key).await.json();
    assert_eq!(runs["data"][0]["metered_seconds"], 12.0);
    // The address carries no key here.
    let path = format!("{path}?api_key={key}");
    let refused = Socket::open(&sim, &path, &[]).await;
    assert!(refused.head.starts_with("http/1.1 401"), "{}", refused.head);
}

#[tokio::test]
async fn the_gateway_says_a_message_and_a_service_says_a_code() {
    let sim = Sim::start().await;
    let key = key(&sim).await;
    let none = finish(sim.to("hume", Method::GET, "v1/expression/run")).await;
    assert_eq!(
        (none.status, none.json()),
        (401, json!({"message": "Unauthorized"}))
    );
    let bad = get(&sim, "v1/expression/run", "no-such-key").await.json();
    assert!(bad["request_id"].is_string(), "{bad}");
    let both = sim.to("hume", Method::GET, "v1/expression/run");
    let both = both.header("x-hume-api-key", &key).bearer_auth(&key);
    assert_eq!(finish(both).await.status, 401);
    let change = json!({"service": "hume", "id": "key_hume_0001", "scopes": ["expression"]});
    sim.judge(Method::POST, "keys", &change).await;
    assert_eq!(get(&sim, "v1/expression/run", &key).await.status, 200);
    let forbidden = get(&sim, "v0/decisions/run", &key).await;
    assert_eq!(
        (forbidden.status, forbidden.json()["code"].clone()),
        (403, json!("forbidden"))
    );
    let fault = json!({"service": "hume", "kind": "refuse", "status": 429});
    sim.judge(Method::POST, "faults", &fault).await;
    let fast = get(&sim, "v1/expression/run", &key).await;
    assert_eq!(fast.json()["message"], "API rate limit exceeded");
    assert_eq!(get(&sim, "v9/nothing", &key).await.status, 404);
}
