//! Conversations over WebSockets.

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    harness::{Sim, finish},
    socket::{Heard, Socket},
};

async fn only_call(sim: &Sim, service: &str) -> Value {
    let bill = sim.bill_of(service).await;
    assert_eq!(bill["calls"].as_array().map(Vec::len), Some(1), "{bill}");
    bill["calls"][0].clone()
}

#[tokio::test]
async fn the_handshake_is_the_standards() {
    let sim = Sim::start().await;
    let protocols = format!("realtime, openai-insecure-api-key.{}", sim.key);
    let headers = [("sec-websocket-protocol", protocols.as_str())];
    let socket = Socket::open(&sim, "openai/v1/realtime?model=gpt-realtime-2", &headers).await;
    assert!(socket.is_open(), "{}", socket.head);
    // RFC 6455, section 1.3 has this key and its answer.
    let answer = "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=";
    assert!(socket.head.contains(answer), "{}", socket.head);
    assert!(socket.head.contains("sec-websocket-protocol: realtime\r\n"));
    let nobody = Socket::open(&sim, "openai/v1/realtime?model=gpt-realtime-2", &[]).await;
    assert!(nobody.head.starts_with("http/1.1 401"), "{}", nobody.head);
    let bearer = format!("Bearer {}", sim.key);
    let headers = [("authorization", bearer.as_str())];
    let wrong = Socket::open(&sim, "openai/v1/realtime?model=gpt-4o", &headers).await;
    assert!(wrong.head.starts_with("http/1.1 400"), "{}", wrong.head);
    let plain = sim.get("realtime?model=gpt-realtime-2").await;
    assert_eq!(plain.status, 404);
}

#[tokio::test]
async fn a_realtime_session_reads_what_was_said_before_from_the_cache() {
    let sim = Sim::start().await;
    let bearer = format!("Bearer {}", sim.key);
    let headers = [("authorization", bearer.as_str())];
    let path = "openai/v1/realtime?model=gpt-realtime-2";
    let mut socket = Socket::open(&sim, path, &headers).await;
    assert_eq!(socket.json().await["type"], "session.created");
    let update = json!({"type": "session.update", "session": {
        "audio": {"input": {"transcription": {"model": "whisper-1"}}},
    }});
    socket.send(&update).await;
    socket.until("session.updated").await;
    // A second of sound: ten tokens.
    let sound = STANDARD.encode(vec![0; 48_000]);
    let append = json!({"type": "input_audio_buffer.append", "audio": sound});
    socket.send(&append).await;
    socket
        .send(&json!({"type": "input_audio_buffer.commit"}))
        .await;
    let kind = "conversation.item.input_audio_transcription.completed";
    let heard = socket.until(kind).await;
    let usage = &heard.last().unwrap()["usage"];
    assert_eq!(*usage, json!({"type": "duration", "seconds": 1.0}));
    let item = json!({"type": "message", "role": "user", "content": [
        {"type": "input_text", "text": "Hello wo"},
    ]});
    socket
        .send(&json!({"type": "conversation.item.create", "item": item}))
        .await;
    let mut usages = Vec::new();
    for modality in ["audio", "text"] {
        let body = json!({"type": "response.create",
            "response": {"output_modalities": [modality]}});
        socket.send(&body).await;
        let said = socket.until("response.done").await;
        let done = said.last().unwrap().clone();
        usages.push(done["response"]["usage"].clone());
        socket.until("rate_limits.updated").await;
    }
    // "You said “Hello wo”." has 20 characters in 24 bytes: 6 or 7 tokens as they are cut, and
    // lasts 400 ms: 8 tokens of sound.
    let first = &usages[0];
    let written = first["output_token_details"]["text_tokens"]
        .as_u64()
        .unwrap();
    assert_eq!(first["output_token_details"]["audio_tokens"], 8);
    assert_eq!(first["input_tokens"], 12);
    assert_eq!(first["input_token_details"]["cached_tokens"], 0);
    let second = &usages[1];
    assert_eq!(second["input_tokens"], 12 + written + 8);
    let cached = &second["input_token_details"]["cached_tokens_details"];
    assert_eq!(
        (&cached["text_tokens"], &cached["audio_tokens"]),
        (&json!(2), &json!(10))
    );
    socket.close().await;
    assert_eq!(socket.next().await, Heard::Close(1000));
    let bill = sim.bill().await;
    let calls = bill["calls"].as_array().unwrap();
    assert_eq!(calls.len(), 2);
    // First: 2 text at 4/M, 10 sound at 32/M; out: text at 24/M, 8 sound at 64/M.
    // Second: 2 + 10 cached at 0.40/M, the text at 4/M, 8 sound at 32/M; out: text at 24/M.
    let nanos = 2 * 4_000
        + 10 * 32_000
        + written * 24_000
        + 8 * 64_000
        + 12 * 400
        + written * 4_000
        + 8 * 32_000
        + written * 24_000;
    assert_eq!(calls[0]["costUsd"], format!("0.{nanos:09}"));
    assert_eq!(
        (&calls[0]["open"], &calls[0]["cut"]),
        (&json!(false), &json!(false))
    );
    // Whisper heard a second: 0.0001.
    assert_eq!(calls[1]["model"], "whisper-1");
    assert_eq!(calls[1]["costUsd"], "0.000100000");
}

#[tokio::test]
async fn a_realtime_secret_opens_the_session_and_nothing_else() {
    let sim = Sim::start().await;
    let secret = sim.post("realtime/client_secrets", &json!({})).await.json();
    let secret = secret["value"].as_str().unwrap();
    let bearer = format!("Bearer {secret}");
    let headers = [("authorization", bearer.as_str())];
    let path = "openai/v1/realtime?model=gpt-realtime-2";
    assert!(Socket::open(&sim, path, &headers).await.is_open());
    let models = finish(sim.request(Method::GET, "models", secret)).await;
    assert_eq!(models.status, 403);
}

#[tokio::test]
async fn sound_that_comes_in_is_paid_as_it_comes() {
    let sim = Sim::start().await;
    let key = sim.key_of("deepgram", "project").await;
    let protocols = format!("token, {key}");
    let headers = [("sec-websocket-protocol", protocols.as_str())];
    let path = "deepgram/v1/listen?model=nova-3&encoding=linear16&sample_rate=16000&diarize=true";
    let mut socket = Socket::open(&sim, path, &headers).await;
    assert!(socket.head.contains("sec-websocket-protocol: token\r\n"));
    socket.send(&json!({"type": "KeepAlive"})).await;
    // Two and a half seconds of 32,000 bytes.
    for _ in 0..5 {
        socket.send_bytes(&[0; 16_000]).await;
    }
    assert_eq!(socket.json().await["start"], 0.0);
    assert_eq!(socket.json().await["start"], 1.0);
    socket.send(&json!({"type": "Finalize"})).await;
    let last = socket.json().await;
    assert_eq!(
        (&last["duration"], &last["from_finalize"]),
        (&json!(0.5), &json!(true))
    );
    socket.send(&json!({"type": "CloseStream"})).await;
    let metadata = socket.json().await;
    assert_eq!(metadata["duration"], 2.5);
    assert_eq!(socket.next().await, Heard::Close(1000));
    let call = only_call(&sim, "deepgram").await;
    assert_eq!(call["operation"], "listen.live");
    assert_eq!(call["quantities"]["audio_milliseconds"], 2_500);
    // 0.0048 + 0.0020 a minute: 2.5 / 60 × 0.0068 = 0.000283333…
    assert_eq!(call["costUsd"], "0.000283333");
    assert_eq!(metadata["request_id"], call["requestId"]);
}

#[tokio::test]
async fn a_lost_socket_is_paid_as_far_as_it_came() {
    let sim = Sim::start().await;
    let key = sim.key_of("deepgram", "project").await;
    let token = format!("Token {key}");
    let headers = [("authorization", token.as_str())];
    let path = "deepgram/v1/listen?model=nova-3&encoding=mulaw&sample_rate=8000&channels=2\
                &multichannel=true&language=multi";
    let fault = json!({"service": "deepgram", "kind": "cut", "afterChunks": 2});
    sim.judge(Method::POST, "faults", &fault).await;
    let mut socket = Socket::open(&sim, path, &headers).await;
    // Two seconds of two channels.
    socket.send_bytes(&[0; 32_000]).await;
    assert_eq!(socket.json().await["channel_index"], json!([0, 2]));
    assert_eq!(socket.json().await["channel_index"], json!([1, 2]));
    assert_eq!(socket.next().await, Heard::Gone);
    let call = only_call(&sim, "deepgram").await;
    assert_eq!(call["cut"], true);
    // 4 seconds at 0.0058 a minute
    assert_eq!(call["costUsd"], "0.000386667");
}

#[tokio::test]
async fn a_text_is_said_while_it_is_written() {
    let sim = Sim::start().await;
    let key = sim.key_of("elevenlabs", "project").await;
    let made = sim.to(
        "elevenlabs",
        Method::POST,
        "v1/single-use-token/tts_websocket",
    );
    let token = finish(made.header("xi-api-key", &key)).await.json();
    let path = format!(
        "elevenlabs/v1/text-to-speech/anybody/stream-input?model_id=eleven_flash_v2_5\
         &output_format=pcm_24000&single_use_token={}",
        token["token"].as_str().unwrap()
    );
    let mut socket = Socket::open(&sim, &path, &[]).await;
    socket
        .send(&json!({"text": " ", "voice_settings": {}}))
        .await;
    socket.send(&json!({"text": "Grüße "})).await;
    socket.send(&json!({"text": "🙂 ", "flush": true})).await;
    let said = socket.json().await;
    assert_eq!(said["alignment"]["chars"].as_array().unwrap().len(), 8);
    socket.send(&json!({"text": "Ende "})).await;
    socket.send(&json!({"text": ""})).await;
    assert_eq!(socket.json().await["alignment"]["chars"][0], "E");
    assert_eq!(socket.json().await["isFinal"], true);
    assert_eq!(socket.next().await, Heard::Close(1000));
    let call = only_call(&sim, "elevenlabs").await;
    assert_eq!(call["quantities"]["characters"], 13);
    // 13 × 0.04 / 1,000
    assert_eq!(call["costUsd"], "0.000520000");
    // The token was for one conversation.
    let again = Socket::open(&sim, &path, &[]).await;
    assert!(again.head.starts_with("http/1.1 401"), "{}", again.head);
}

#[tokio::test]
async fn an_error_can_stand_inside_a_conversation() {
    let sim = Sim::start().await;
    let bearer = format!("Bearer {}", sim.key);
    let headers = [("authorization", bearer.as_str())];
    sim.fault(json!({"kind": "error_in_stream", "afterChunks": 3}))
        .await;
    let path = "openai/v1/realtime?model=gpt-realtime-2";
    let mut socket = Socket::open(&sim, path, &headers).await;
    socket.send(&json!({"type": "response.create"})).await;
    let heard = socket.until("error").await;
    assert_eq!(heard.len(), 4);
    assert_eq!(socket.next().await, Heard::Close(1011));
    let call = only_call(&sim, "openai").await;
    // One piece of text went out before: 24/M.
    assert_eq!(
        (&call["cut"], &call["costUsd"]),
        (&json!(true), &json!("0.000024000"))
    );
}
