use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::harness::{Answer, Sim, finish};

const PROJECT: &str = "proj_sim_default";

fn ask(sim: &Sim, method: Method, path: &str, key: &str) -> RequestBuilder {
    sim.to("deepgram", method, &format!("v1/{path}"))
        .header("authorization", format!("Token {key}"))
}

async fn listen(sim: &Sim, key: &str, query: &str) -> Answer {
    let request = ask(sim, Method::POST, &format!("listen?{query}"), key);
    let request = request.header("content-type", "audio/mpeg");
    finish(request.body(vec![1; 16 * 60_000])).await
}

async fn manage(sim: &Sim, method: Method, path: &str, body: Value) -> Answer {
    let key = sim.key_of("deepgram", "admin").await;
    let path = format!("projects/{PROJECT}{path}");
    finish(ask(sim, method, &path, &key).json(&body)).await
}

/// A minute of silence in two channels: 8,000 samples a second of 16 bits.
fn two_channels() -> Vec<u8> {
    let mut wav =
        b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x02\0\x40\x1f\0\0\0\x7d\0\0\x04\0\x10\0data"
            .to_vec();
    let data = 60 * 32_000_u32;
    wav.extend(data.to_le_bytes());
    wav.resize(wav.len() + data as usize, 0);
    wav
}

#[tokio::test]
async fn what_is_heard_is_paid_by_its_length_and_by_what_was_wished() {
    let sim = Sim::start().await;
    let key = sim.key_of("deepgram", "project").await;
    let plain = listen(&sim, &key, "model=nova-3&tag=zaxon").await;
    let metadata = plain.json()["metadata"].clone();
    assert_eq!(metadata["duration"], 60.0);
    assert_eq!(metadata["tags"], json!(["zaxon"]));
    let id = plain.header("dg-request-id").unwrap();
    assert_eq!(metadata["request_id"], id);
    assert_eq!(id.len(), 36);
    let model = metadata["models"][0].as_str().unwrap();
    assert_eq!(metadata["model_info"][model]["arch"], "nova-3");
    listen(
        &sim,
        &key,
        "model=nova-3&diarize=true&redact=pci&smart_format=true",
    )
    .await;
    let wav = ask(
        &sim,
        Method::POST,
        "listen?model=nova-3&multichannel=true",
        &key,
    );
    let wav = wav.header("content-type", "audio/wav").body(two_channels());
    let wav = finish(wav).await.json();
    assert_eq!(
        (&wav["metadata"]["duration"], &wav["metadata"]["channels"]),
        (&json!(60.0), &json!(2))
    );
    let later = listen(&sim, &key, "model=nova-2&callback=http://example.com").await;
    assert_eq!(later.json().as_object().unwrap().len(), 1);
    let bill = sim.bill_of("deepgram").await;
    let costs: Vec<&str> = bill["calls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| call["costUsd"].as_str().unwrap())
        .collect();
    // 0.0043 a minute; with 0.0020 twice; two channels; 0.0043
    assert_eq!(
        costs,
        ["0.004300000", "0.008300000", "0.008600000", "0.004300000"]
    );
    let balances = manage(&sim, Method::GET, "/balances", Value::Null).await;
    assert_eq!(balances.json()["balances"][0]["amount"], 999.974_5);
}

#[tokio::test]
async fn what_is_said_and_read_is_paid_by_its_length() {
    let sim = Sim::start().await;
    let key = sim.key_of("deepgram", "project").await;
    let speak = ask(&sim, Method::POST, "speak?model=aura-2-thalia-en", &key);
    let said = finish(speak.json(&json!({"text": "Grüße 🙂 ab"}))).await;
    assert_eq!(said.header("dg-char-count"), Some("10"));
    assert_eq!(said.header("dg-model-name"), Some("aura-2-thalia-en"));
    assert_eq!(said.header("content-type"), Some("audio/mpeg"));
    let read = ask(&sim, Method::POST, "read?summarize=true&language=en", &key);
    let read = finish(read.json(&json!({"text": "abcdefgh"}))).await.json();
    let info = &read["metadata"]["metadata"]["summary_info"];
    assert_eq!(info["input_tokens"], 2);
    // {"text":"abcdefgh"} is 19 bytes: 5 tokens
    assert_eq!(info["output_tokens"], 5);
    let bill = sim.bill_of("deepgram").await;
    // 10 × 0.030/1,000; 2 × 0.30/M + 5 × 0.60/M
    assert_eq!(bill["calls"][0]["costUsd"], "0.000300000");
    assert_eq!(bill["calls"][1]["costUsd"], "0.000003600");
}

#[tokio::test]
async fn a_key_is_made_and_deleted_and_never_changed() {
    let sim = Sim::start().await;
    let body = json!({
        "comment": "ukm-key", "scopes": ["usage:write"], "tags": ["zaxon"],
        "time_to_live_in_seconds": 600,
    });
    let made = manage(&sim, Method::POST, "/keys", body.clone())
        .await
        .json();
    let (id, value) = (
        made["api_key_id"].as_str().unwrap(),
        made["key"].as_str().unwrap(),
    );
    assert!(made["expiration_date"].as_str().unwrap().ends_with('Z'));
    assert_eq!(listen(&sim, value, "").await.status, 200);
    let whose = finish(ask(&sim, Method::GET, "auth/token", value)).await;
    assert_eq!(whose.json()["api_key_id"], id);
    let list = manage(&sim, Method::GET, "/keys", Value::Null).await;
    assert!(!list.text().contains(value));
    let keys = list.json()["api_keys"].as_array().unwrap().clone();
    let own = keys.iter().find(|key| key["api_key"]["api_key_id"] == id);
    assert_eq!(own.unwrap()["api_key"]["comment"], "ukm-key");
    let path = format!("/keys/{id}");
    let one = manage(&sim, Method::GET, &path, Value::Null).await.json();
    assert_eq!(one["item"]["member"]["api_key"]["tags"], json!(["zaxon"]));

    // A scope that is missing is told in another shape than a key that is none.
    let refused = finish(ask(
        &sim,
        Method::GET,
        &format!("projects/{PROJECT}/keys"),
        value,
    ))
    .await;
    assert_eq!(
        (refused.status, refused.json()["category"].clone()),
        (403, json!("INSUFFICIENT_PERMISSIONS"))
    );
    sim.judge(Method::POST, "clock", &json!({"advanceSeconds": 601}))
        .await;
    let expired = listen(&sim, value, "").await;
    assert_eq!(
        (expired.status, expired.json()["err_code"].clone()),
        (401, json!("INVALID_AUTH"))
    );
    let list = manage(&sim, Method::GET, "/keys?status=expired", Value::Null).await;
    assert_eq!(list.json()["api_keys"].as_array().unwrap().len(), 1);
    for status in [200, 404] {
        let gone = manage(&sim, Method::DELETE, &path, Value::Null).await;
        assert_eq!(gone.status, status);
    }
    let told = sim.minted("deepgram", "&namePrefix=ukm-").await;
    assert_eq!(told[0]["live"], false);
    let mut both = body;
    both["expiration_date"] = json!("2099-01-01");
    assert_eq!(manage(&sim, Method::POST, "/keys", both).await.status, 400);
    let key = sim.key_of("deepgram", "admin").await;
    let foreign = finish(ask(&sim, Method::GET, "projects/other/keys", &key)).await;
    assert_eq!(foreign.status, 404);
}

#[tokio::test]
async fn a_token_opens_the_voice_and_not_the_management() {
    let sim = Sim::start().await;
    let key = sim.key_of("deepgram", "project").await;
    let grant = ask(&sim, Method::POST, "auth/grant", &key);
    let grant = finish(grant.json(&json!({"ttl_seconds": 60}))).await.json();
    assert_eq!(grant["expires_in"], 60);
    let token = grant["access_token"].as_str().unwrap();
    let with = |path: &str, scheme: &str, method: Method| {
        let request = sim.to("deepgram", method, &format!("v1/{path}"));
        let request = request.header("authorization", format!("{scheme} {token}"));
        finish(request.body(vec![1; 16]))
    };
    assert_eq!(with("listen", "Bearer", Method::POST).await.status, 200);
    assert_eq!(with("listen", "Token", Method::POST).await.status, 401);
    assert_eq!(with("projects", "Bearer", Method::GET).await.status, 403);
    sim.judge(Method::POST, "clock", &json!({"advanceSeconds": 61}))
        .await;
    assert_eq!(with("listen", "Bearer", Method::POST).await.status, 401);
    // A key that may only be used is no member.
    let body = json!({"comment": "x", "scopes": ["usage:write"]});
    let made = manage(&sim, Method::POST, "/keys", body).await.json();
    let grant = ask(
        &sim,
        Method::POST,
        "auth/grant",
        made["key"].as_str().unwrap(),
    );
    assert_eq!(finish(grant).await.status, 403);
}

#[tokio::test]
async fn a_project_listens_so_often_at_one_time() {
    let sim = Sim::start().await;
    let key = sim.key_of("deepgram", "project").await;
    let limits = json!({"service": "deepgram", "projectId": PROJECT, "concurrency": 0});
    sim.judge(Method::POST, "limits", &limits).await;
    let refused = listen(&sim, &key, "").await;
    assert_eq!(
        (refused.status, refused.json()["err_code"].clone()),
        (429, json!("TOO_MANY_REQUESTS"))
    );
    assert_eq!(refused.header("retry-after"), None);
    let limits = json!({
        "service": "deepgram", "projectId": PROJECT, "concurrency": 1, "exhausted": true,
    });
    sim.judge(Method::POST, "limits", &limits).await;
    let empty = listen(&sim, &key, "").await;
    assert_eq!(
        (empty.status, empty.json()["err_code"].clone()),
        (402, json!("ASR_PAYMENT_REQUIRED"))
    );
    let limits = json!({"service": "deepgram", "projectId": PROJECT, "exhausted": false});
    sim.judge(Method::POST, "limits", &limits).await;
    for _ in 0..3 {
        assert_eq!(listen(&sim, &key, "").await.status, 200);
    }
    let fault = json!({"service": "deepgram", "kind": "refuse", "status": 504});
    sim.judge(Method::POST, "faults", &fault).await;
    let failed = listen(&sim, &key, "").await;
    assert_eq!(
        (failed.status, failed.text().as_str()),
        (504, "upstream failed")
    );
}
