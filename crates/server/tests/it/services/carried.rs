//! The services that are declared in the program, through the gateway: a call of each kind, plain
//! and streamed, against the simulator's own bill.

use reqwest::{
    Method,
    multipart::{Form, Part},
};
use serde_json::{Value, json};

use crate::world::{TENANT_SCOPES, World, nanos, to_end};

/// Prices as an operator writes them: Cartesia's depends on the plan.
const PRICES: &str = r#"
[[model]]
service = "cartesia"
name = "sonic-3"
valid_from = 2026-10-01
observed = 2026-11-22
source = "a contract"
[model.rates]
characters = "39 / 1000000"
"#;

/// A service, the header of its credential and what stands before it, and calls: path and body.
type Calls = (
    &'static str,
    (&'static str, &'static str),
    Vec<(&'static str, Value)>,
);

fn chat(model: &str, stream: bool) -> Value {
    json!({
        "model": model, "stream": stream,
        "messages": [{ "role": "user", "content": "words:12 please" }],
    })
}

fn calls() -> Vec<Calls> {
    let bearer = ("authorization", "Bearer ");
    let gemini = json!({ "contents": [{ "role": "user", "parts": [{ "text": "words:9" }] }] });
    // Long enough to be read from the cache when it comes again.
    let long = "cached ".repeat(1_500);
    let cached = json!({ "model": "openai/gpt-oss-120b", "messages": [
        { "role": "system", "content": long }, { "role": "user", "content": "words:5" },
    ]});
    let generate = "v1beta/models/gemini-3.8-flash:generateContent";
    let streamed = "v1beta/models/gemini-3.8-flash:streamGenerateContent?alt=sse";
    let list = "v1beta/models/gemini-2.5-flash-lite:streamGenerateContent";
    let compatible = "v1beta/openai/chat/completions";
    vec![
        (
            "groq",
            bearer,
            vec![
                (
                    "openai/v1/chat/completions",
                    chat("openai/gpt-oss-20b", false),
                ),
                (
                    "openai/v1/chat/completions",
                    chat("openai/gpt-oss-20b", true),
                ),
                ("openai/v1/chat/completions", cached.clone()),
                ("openai/v1/chat/completions", cached),
                (
                    "openai/v1/audio/speech",
                    json!({ "model": "canopylabs/orpheus-v1-english", "input": "Grüße 🙂" }),
                ),
            ],
        ),
        (
            "mistral",
            bearer,
            vec![
                ("v1/chat/completions", chat("mistral-large-latest", false)),
                ("v1/chat/completions", chat("mistral-small-latest", true)),
                (
                    "v1/embeddings",
                    json!({ "model": "mistral-embed", "input": ["one", "two"] }),
                ),
            ],
        ),
        (
            "xai",
            bearer,
            vec![
                ("v1/chat/completions", chat("grok-4.5", false)),
                ("v1/chat/completions", chat("grok-4.5", true)),
            ],
        ),
        (
            "cohere",
            bearer,
            vec![
                ("v2/chat", chat("command-a-03-2025", false)),
                ("v2/chat", chat("command-r7b-12-2024", true)),
                (
                    "v2/embed",
                    json!({ "model": "embed-v4.0", "texts": ["one", "two"] }),
                ),
                (
                    "v2/rerank",
                    json!({ "model": "rerank-v3.5", "query": "q", "documents": vec!["d"; 150] }),
                ),
            ],
        ),
        (
            "openrouter",
            bearer,
            vec![
                (
                    "api/v1/chat/completions",
                    chat("anthropic/claude-sonnet-5", false),
                ),
                // Without a price of ours: what the answer says is taken.
                ("api/v1/chat/completions", chat("somebody/new-model", true)),
            ],
        ),
        (
            "cartesia",
            ("x-api-key", ""),
            vec![
                (
                    "tts/bytes",
                    json!({ "model_id": "sonic-3", "transcript": "Grüße 🙂 ab" }),
                ),
                (
                    "tts/sse",
                    json!({ "model_id": "sonic-3", "transcript": "Grüße" }),
                ),
            ],
        ),
        (
            "gemini",
            ("x-goog-api-key", ""),
            vec![
                (generate, gemini.clone()),
                (streamed, gemini.clone()),
                (list, gemini),
                (compatible, chat("gemini-2.5-flash-lite", false)),
                // Usage is asked for and kept from the caller.
                (compatible, chat("gemini-2.5-flash-lite", true)),
            ],
        ),
    ]
}

async fn world() -> (World, String, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("prices.toml");
    std::fs::write(&file, PRICES).unwrap();
    let file = file.display().to_string();
    let world = World::start_with(&[("DIAMOND_COSTS__PRICE_FILE", &file)]).await;
    world.tenant("zaxon").await;
    let token = world.token("zaxon", TENANT_SCOPES).await;
    (world, token, dir)
}

/// The calls on the bill and our events, in the order in which they were made.
async fn both(world: &World, service: &str) -> (Vec<Value>, Vec<Value>) {
    let bill = world
        .sim_get(&format!("/_sim/bill?service={service}"))
        .await;
    let mut events = world.events("zaxon").await;
    events.retain(|event| event["service"] == service && event["priceId"] != "free");
    (bill["calls"].as_array().unwrap().clone(), events)
}

#[tokio::test]
async fn every_declared_service_costs_what_its_provider_bills() {
    let (world, token, _dir) = world().await;
    let mut total = 0;
    for (service, (header, before), calls) in calls() {
        world.put_key_of(service, "zaxon").await;
        for (path, body) in &calls {
            let response = world
                .client
                .post(format!("{}/gateway/{service}/{path}", world.url))
                .header(header, format!("{before}{token}"))
                .json(body)
                .send()
                .await
                .unwrap();
            let status = response.status();
            let said = response.bytes().await.unwrap();
            let said = String::from_utf8_lossy(&said).into_owned();
            assert_eq!(status, 200, "{service} {path}: {said}");
            if path.starts_with("v1beta/openai") {
                let asks = body["stream"] == true;
                assert_eq!(said.contains("usage"), !asks, "{said}");
            }
        }
        let (billed, events) = both(&world, service).await;
        assert_eq!(
            (billed.len(), events.len()),
            (calls.len(), calls.len()),
            "{service}"
        );
        for (call, event) in billed.iter().zip(&events) {
            let (ours, theirs) = (nanos(&event["costUsd"]), nanos(&call["costUsd"]));
            assert!(theirs > 0, "{call}");
            assert_eq!(ours, theirs, "{event}\n{call}");
            assert_eq!(event["model"], call["model"]);
            let stated = ["xai", "openrouter"].contains(&service);
            let basis = match service {
                "cartesia" => "priced_measurement",
                _ if event["operation"] == "audio.speech" => "priced_measurement",
                _ if stated => "provider_reported",
                _ => "priced_usage",
            };
            assert_eq!(event["costBasis"], basis, "{event}");
            assert_eq!(event["partial"], false, "{event}");
            total += ours;
        }
    }
    // Nothing else was counted.
    let tpc = world
        .operate(
            Method::GET,
            "/api/analytics/tpc/zaxon?period=daily",
            Value::Null,
        )
        .await
        .with(200);
    assert_eq!(nanos(&tpc["directCostUsd"]), total);
}

#[tokio::test]
async fn sound_is_counted_and_a_later_transcript_is_no_silent_zero() {
    let (world, token, _dir) = world().await;
    for (service, path, model) in [
        ("groq", "openai/v1/audio/transcriptions", "whisper-large-v3"),
        (
            "mistral",
            "v1/audio/transcriptions",
            "voxtral-mini-transcribe-3",
        ),
    ] {
        world.put_key_of(service, "zaxon").await;
        let part = Part::bytes(super::wav(2_500, 1)).file_name("a.wav");
        let form = Form::new().text("model", model).part("file", part);
        let response = world
            .client
            .post(format!("{}/gateway/{service}/{path}", world.url))
            .bearer_auth(&token)
            .multipart(form)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
        to_end(response).await;
        let (billed, events) = both(&world, service).await;
        assert_eq!(nanos(&events[0]["costUsd"]), nanos(&billed[0]["costUsd"]));
        assert_eq!(events[0]["quantities"]["audio_milliseconds"], 2_500);
    }
    world.put_key_of("assemblyai", "zaxon").await;
    let ask = |method: Method, path: &str| {
        let url = format!("{}/gateway/assemblyai/{path}", world.url);
        world
            .client
            .request(method, url)
            .header("authorization", &token)
    };
    let body = json!({ "audio_url": "https://example.com/a.mp3", "speech_model": "universal-2" });
    let begun = ask(Method::POST, "v2/transcript").json(&body);
    let begun: Value = begun.send().await.unwrap().json().await.unwrap();
    let path = format!("v2/transcript/{}", begun["id"].as_str().unwrap());
    for _ in 0..2 {
        let looked = ask(Method::GET, &path).send().await.unwrap();
        assert_eq!(looked.status(), 200);
        to_end(looked).await;
    }
    let (billed, events) = both(&world, "assemblyai").await;
    assert_eq!((billed.len(), events.len()), (1, 1));
    assert!(nanos(&billed[0]["costUsd"]) > 0);
    assert_eq!(events[0]["costBasis"], "unpriced");
    let alarms = world
        .operate(Method::GET, "/api/alarms", Value::Null)
        .await
        .with(200);
    let codes: Vec<&Value> = alarms["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|alarm| alarm["code"] == "unpriced_usage")
        .map(|alarm| &alarm["subject"])
        .collect();
    assert_eq!(codes, ["assemblyai/universal-2"]);
}

#[tokio::test]
async fn a_key_that_is_none_is_refused_by_every_service_that_can_tell() {
    let (world, token, _dir) = world().await;
    for service in [
        "groq",
        "mistral",
        "xai",
        "cohere",
        "openrouter",
        "assemblyai",
        "cartesia",
        "gemini",
    ] {
        let path = format!("/api/keys/{service}/zaxon/customer");
        let body = json!({ "apiKey": "sk-nobody-knows-this-one-0001" });
        let refused = world.operate(Method::PUT, &path, body).await;
        assert_eq!(refused.status, 422, "{service}: {}", refused.json);
        world.put_key_of(service, "zaxon").await;
    }
    // Another company's management is out of reach, and a stream that fails says so.
    let keys = format!("{}/gateway/openrouter/api/v1/keys", world.url);
    let refused = world
        .client
        .get(keys)
        .bearer_auth(&token)
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), 403);
    let fault = json!({ "service": "openrouter", "kind": "error_in_stream", "afterChunks": 3 });
    world.sim_post("/_sim/faults", fault).await;
    let url = format!("{}/gateway/openrouter/api/v1/chat/completions", world.url);
    let response = world
        .client
        .post(url)
        .bearer_auth(&token)
        .json(&chat("anthropic/claude-sonnet-5", true))
        .send()
        .await
        .unwrap();
    to_end(response).await;
    let (_, events) = both(&world, "openrouter").await;
    assert_eq!(events[0]["partial"], true, "{}", events[0]);
    // Guessed, and a guess needs a price of ours.
    assert_eq!(events[0]["costBasis"], "unpriced", "{}", events[0]);
}
