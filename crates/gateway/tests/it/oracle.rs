//! The sum of our events beside the bill of the simulated provider, which counts and prices on its
//! own and shares no code with us.

use std::{collections::BTreeMap, net::SocketAddr};

use bytes::Bytes;
use diamond_domain::{
    Money, Payer, SecretName, SecretValue, SecretVersion, UsageEvent, VersionState,
};
use diamond_gateway::GatewaySettings;
use diamond_keyring::KeyEntry;
use diamond_sim::Simulator;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet};

use crate::support::{Provider, Reply, Rig, service, tenant, text, within};

struct World {
    rig: Rig,
    address: SocketAddr,
    _serving: JoinSet<()>,
}

impl World {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut serving = JoinSet::new();
        let simulator = Simulator::new().unwrap();
        serving.spawn(async move { simulator.serve(listener, std::future::pending()).await });
        let unused = Provider::start(|_| Reply::json("{}")).await;
        let base = format!("http://{address}/openai");
        let rig = Rig::at(GatewaySettings::default(), unused, base).await;
        let world = Self {
            rig,
            address,
            _serving: serving,
        };
        let keys = world.ask("GET", "/_sim/keys?service=openai", "").await;
        let key = keys["keys"]
            .as_array()
            .unwrap()
            .iter()
            .find(|key| key["kind"] != "admin");
        let name = SecretName::Dedicated {
            service: service(),
            tenant: tenant(),
        };
        world
            .rig
            .keyring
            .set_state(&name, SecretVersion::FIRST, VersionState::Retiring);
        world.rig.keyring.upsert(KeyEntry {
            name,
            version: SecretVersion::new(2).unwrap(),
            value: SecretValue::new(key.unwrap()["value"].as_str().unwrap().to_owned()),
            state: VersionState::Active,
            payer: Payer::Platform,
        });
        world
    }

    async fn ask(&self, method: &str, path: &str, body: &str) -> Value {
        let client: Client<HttpConnector, Full<Bytes>> =
            Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        let request = http::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header("content-type", "application/json")
            .body(Full::from(body.to_owned()))
            .unwrap();
        let response = within(client.request(request)).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice(&body).unwrap_or(Value::Null)
    }

    async fn call(&self, path: &str, body: &Value) {
        let request = self
            .rig
            .request("POST", path)
            .header("accept-encoding", "gzip, deflate, br")
            .body(Full::from(body.to_string()))
            .unwrap();
        let response = self.rig.send(request).await;
        let status = response.status();
        let answer = text(response).await;
        assert_eq!(
            status,
            200,
            "{path} {body}: {}",
            String::from_utf8_lossy(&answer)
        );
    }

    async fn upload(&self, path: &str, fields: &[(&str, &str)], wav: &[u8]) {
        let mut form = Vec::new();
        for (name, value) in fields {
            form.extend(
                format!(
                    "--b\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
                )
                .bytes(),
            );
        }
        form.extend(b"--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\ncontent-type: audio/wav\r\n\r\n");
        form.extend(wav);
        form.extend(b"\r\n--b--\r\n");
        let mut request = self
            .rig
            .request("POST", path)
            .body(Full::from(form))
            .unwrap();
        let form_data = "multipart/form-data; boundary=b".parse().unwrap();
        request.headers_mut().insert("content-type", form_data);
        let response = self.rig.send(request).await;
        let status = response.status();
        let answer = text(response).await;
        assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&answer));
    }

    /// Every billed call is one event with the same cost and quantities, and nothing else costs.
    async fn agrees(&self, calls: usize) {
        let bill = self.ask("GET", "/_sim/bill?service=openai", "").await;
        let billed = bill["calls"].as_array().unwrap();
        assert_eq!(billed.len(), calls, "{bill}");
        let events: BTreeMap<String, UsageEvent> = self
            .rig
            .sink
            .events
            .lock()
            .iter()
            .map(|event| (event.provider_request_id.clone().unwrap(), event.clone()))
            .collect();
        for call in billed {
            let event = &events[call["requestId"].as_str().unwrap()];
            let quantities = serde_json::to_value(&event.quantities).unwrap();
            assert_eq!(
                quantities, call["quantities"],
                "{}: {event:#?}",
                event.operation
            );
            let cost: Money = call["costUsd"].as_str().unwrap().parse().unwrap();
            assert_eq!(event.cost_usd, cost, "{}: {event:#?}", event.operation);
            assert_eq!(event.operation, call["operation"]);
        }
        let sum: Money = events.values().map(|event| event.cost_usd).sum();
        assert_eq!(sum, bill["totalCostUsd"].as_str().unwrap().parse().unwrap());
    }
}

fn wav(milliseconds: usize) -> Vec<u8> {
    let samples = milliseconds * 32;
    let size = u32::try_from(samples).unwrap();
    let mut file = b"RIFF".to_vec();
    file.extend((size + 36).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend(16_000_u32.to_le_bytes());
    file.extend(32_000_u32.to_le_bytes());
    file.extend([2, 0, 16, 0]);
    file.extend(b"data");
    file.extend(size.to_le_bytes());
    file.extend(vec![0; samples]);
    file
}

#[tokio::test]
async fn our_events_are_the_providers_bill() {
    let world = World::new().await;
    let long = "the same long beginning of every prompt ".repeat(300);
    let mut calls = 0;
    for model in ["gpt-4o-mini", "gpt-5-mini", "gpt-6.1-sol"] {
        for stream in [false, true] {
            for content in ["Say hello", long.as_str()] {
                let messages = json!([{"role": "user", "content": content}]);
                world
                    .call(
                        "/v1/chat/completions",
                        &json!({"model": model, "stream": stream, "messages": messages}),
                    )
                    .await;
                world
                    .call(
                        "/v1/responses",
                        &json!({"model": model, "stream": stream, "input": content}),
                    )
                    .await;
                calls += 2;
            }
        }
    }
    let messages = json!([{"role": "user", "content": "Say hello"}]);
    world.call("/v1/chat/completions", &json!({"model": "gpt-4o-mini", "stream": true, "stream_options": {"include_usage": true}, "messages": messages})).await;
    world
        .call(
            "/v1/chat/completions",
            &json!({"model": "gpt-5-mini", "service_tier": "flex", "messages": messages}),
        )
        .await;
    world
        .call(
            "/v1/chat/completions",
            &json!({"model": "gpt-5", "service_tier": "priority", "messages": messages}),
        )
        .await;
    world
        .call(
            "/v1/embeddings",
            &json!({"model": "text-embedding-3-small", "input": ["one", "two words"]}),
        )
        .await;
    world
        .call(
            "/v1/audio/speech",
            &json!({"model": "tts-1", "voice": "alloy", "input": "Héllo 😀"}),
        )
        .await;
    world.call("/v1/audio/speech", &json!({"model": "gpt-4o-mini-tts", "voice": "alloy", "input": "Hello there", "stream_format": "sse"})).await;
    world
        .call(
            "/v1/images/generations",
            &json!({"model": "gpt-image-2", "prompt": "a cat"}),
        )
        .await;
    calls += 7;
    let sound = wav(2_345);
    for fields in [
        vec![("model", "whisper-1")],
        vec![("model", "gpt-4o-transcribe")],
        vec![("model", "gpt-4o-transcribe"), ("stream", "true")],
        vec![("model", "whisper-1"), ("response_format", "srt")],
    ] {
        world
            .upload("/v1/audio/transcriptions", &fields, &sound)
            .await;
        calls += 1;
    }
    world.agrees(calls).await;
    assert!(
        world.rig.alarms.codes().is_empty(),
        "{:?}",
        world.rig.alarms.0.lock()
    );
    world.rig.is_settled().await;
}
