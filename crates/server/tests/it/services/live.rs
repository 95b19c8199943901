//! Conversations over WebSockets through the gateway.

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    Tenant, dollars,
    socket::{Heard, Socket},
};
use crate::world::{Sim, World, nanos};

/// Opens a conversation with the token where the service's SDK puts its key.
async fn open(tenant: &Tenant, path: &str) -> Socket {
    let (name, value) = tenant.credential();
    let url = tenant.url(path);
    Socket::open(&url, &[(name, value.as_str())]).await
}

async fn deepgram() -> Tenant {
    Tenant::of("deepgram", ("authorization", "Token ")).await
}

const LISTEN: &str = "v1/listen?model=nova-3&encoding=linear16&sample_rate=16000";

#[tokio::test]
async fn sound_that_is_heard_as_it_comes_costs_what_the_provider_bills() {
    let tenant = deepgram().await;
    let mut socket = open(&tenant, LISTEN).await.must_be_open();
    assert!(!socket.head.contains("extensions"), "{}", socket.head);
    // 2.5 seconds.
    for _ in 0..5 {
        socket.send_bytes(&vec![0; 16_000]).await;
    }
    socket.send(&json!({ "type": "CloseStream" })).await;
    let (said, ended) = socket.rest().await;
    assert_eq!(ended, Heard::Close(1000));
    assert_eq!(said.last().unwrap()["type"], "Metadata");
    // The record was durable before the last words left.
    let event = tenant.event().await;
    assert_eq!(event["operation"], "listen.live");
    assert_eq!(event["outcome"], "succeeded", "{event}");
    assert_eq!(event["costBasis"], "priced_usage");
    // 2.5 seconds at 0.0048 dollars a minute.
    assert_eq!(nanos(&event["costUsd"]), dollars("0.0002"), "{event}");
    assert_eq!(event["quantities"]["audio_milliseconds"], 2_500);
    assert_eq!(tenant.agree().await, 1);
    let seen = tenant.last("listen.live").await["request"].to_string();
    // With an extension the frames could not be read.
    assert!(!seen.contains("permessage-deflate"), "{seen}");
    assert!(
        !seen.contains(&tenant.token) && seen.contains("tag=zaxon"),
        "{seen}"
    );
}

#[tokio::test]
async fn who_leaves_without_a_word_has_bought_what_was_sent() {
    let tenant = deepgram().await;
    let mut socket = open(&tenant, &format!("{LISTEN}&channels=2&multichannel=true"))
        .await
        .must_be_open();
    // A second on each of two channels, and one result of it seen, so that the provider has it.
    socket.send_bytes(&vec![0; 64_000]).await;
    socket.until("Results").await;
    drop(socket);
    let event = tenant.first_event().await;
    assert_eq!(event["outcome"], "cancelled", "{event}");
    assert_eq!(event["costBasis"], "priced_measurement");
    assert_eq!(event["quantities"]["audio_milliseconds"], 2_000);
    let bill = tenant.world.sim_get("/_sim/bill?service=deepgram").await;
    assert_eq!(
        nanos(&event["costUsd"]),
        nanos(&bill["calls"][0]["costUsd"])
    );
}

#[tokio::test]
async fn a_provider_that_breaks_off_is_told_as_that() {
    let tenant = deepgram().await;
    tenant
        .fault(json!({ "kind": "cut", "afterChunks": 1, "operation": "listen.live" }))
        .await;
    let mut socket = open(&tenant, LISTEN).await.must_be_open();
    socket.send_bytes(&vec![0; 96_000]).await;
    let (_, ended) = socket.rest().await;
    assert!(
        matches!(ended, Heard::Close(1011) | Heard::Gone),
        "{ended:?}"
    );
    let event = tenant.first_event().await;
    assert_eq!(event["outcome"], "interrupted", "{event}");
    assert_eq!(event["quantities"]["audio_milliseconds"], 3_000);
}

#[tokio::test]
async fn a_handshake_is_refused_in_the_providers_own_words_or_in_ours_like_them() {
    let tenant = deepgram().await;
    tenant
        .fault(json!({
            "kind": "refuse", "status": 429, "code": "TOO_MANY_REQUESTS", "retryAfter": 3,
            "operation": "listen.live",
        }))
        .await;
    let refused = open(&tenant, LISTEN).await;
    let (status, error) = refused.refused();
    assert_eq!(
        (status, &error["err_code"]),
        (429, &json!("TOO_MANY_REQUESTS"))
    );
    assert!(
        refused.head.contains("retry-after: 3\r\n"),
        "{}",
        refused.head
    );
    let event = tenant.event().await;
    assert_eq!(event["outcome"], "failed");
    assert_eq!(nanos(&event["costUsd"]), 0);
    let nobody = Socket::open(&tenant.url(LISTEN), &[("authorization", "Token dmd_x")]).await;
    assert_eq!(nobody.refused().0, 401);
    let unknown = open(&tenant, "v1/models").await.refused();
    assert_eq!(
        (unknown.0, &unknown.1["err_code"]),
        (404, &json!("websocket_not_supported"))
    );
    // It was no end of the key.
    let mut again = open(&tenant, LISTEN).await.must_be_open();
    again.close().await;
    assert_eq!(again.rest().await.1, Heard::Close(1000));
    let event = tenant.event().await;
    assert_eq!(
        (&event["outcome"], nanos(&event["costUsd"])),
        (&json!("succeeded"), 0)
    );
}

#[tokio::test]
async fn a_token_among_the_subprotocols_works_and_goes_no_further() {
    let tenant = deepgram().await;
    let protocols = format!("token, {}", tenant.token);
    let headers = [("sec-websocket-protocol", protocols.as_str())];
    let mut socket = Socket::open(&tenant.url(LISTEN), &headers)
        .await
        .must_be_open();
    socket.close().await;
    assert_eq!(socket.rest().await.1, Heard::Close(1000));
    let seen = tenant.last("listen.live").await["request"].to_string();
    assert!(!seen.contains(&tenant.token), "{seen}");
}

#[tokio::test]
async fn what_is_revoked_ends_with_its_conversations() {
    let tenant = deepgram().await;
    let mut socket = open(&tenant, LISTEN).await.must_be_open();
    socket.send_bytes(&vec![0; 32_000]).await;
    socket.until("Results").await;
    let suspended = tenant
        .world
        .operate(
            Method::PATCH,
            "/api/tenants/zaxon",
            json!({ "status": "suspended" }),
        )
        .await;
    assert!(suspended.status.is_success(), "{}", suspended.json);
    let (_, ended) = socket.rest().await;
    assert_eq!(ended, Heard::Close(1008));
    let event = tenant.first_event().await;
    assert_eq!(event["outcome"], "interrupted", "{event}");
    assert_eq!(event["quantities"]["audio_milliseconds"], 1_000);
    let refused = open(&tenant, LISTEN).await.refused();
    assert_eq!(
        (refused.0, &refused.1["err_code"]),
        (403, &json!("tenant_suspended"))
    );
}

#[tokio::test]
async fn a_server_that_stops_lets_conversations_end_and_then_ends_them() {
    let mut tenant = Tenant::in_world(
        World::start_with(&[("DIAMOND_SERVER__DRAIN_SECONDS", "1")]).await,
        "deepgram",
        ("authorization", "Token "),
    )
    .await;
    let mut socket = open(&tenant, LISTEN).await.must_be_open();
    socket.send_bytes(&vec![0; 32_000]).await;
    socket.until("Results").await;
    tenant.world.server.terminate();
    let (_, ended) = socket.rest().await;
    assert_eq!(ended, Heard::Close(1011));
    tenant.world.server.wait();
    tenant.world.start_server_again().await;
    let event = tenant.first_event().await;
    assert_eq!(event["outcome"], "interrupted", "{event}");
    assert_eq!(event["quantities"]["audio_milliseconds"], 1_000);
}

#[tokio::test]
async fn a_text_that_is_spoken_while_it_is_written_costs_what_the_provider_bills() {
    let tenant = Tenant::of("elevenlabs", ("xi-api-key", "")).await;
    let path =
        "v1/text-to-speech/any/stream-input?model_id=eleven_flash_v2_5&output_format=pcm_16000";
    let mut socket = open(&tenant, path).await.must_be_open();
    for text in [" ", "Nothing lost, ", "nichts verlören, ", ""] {
        socket.send(&json!({ "text": text })).await;
    }
    let (said, ended) = socket.rest().await;
    assert_eq!(ended, Heard::Close(1000));
    assert_eq!(said.last().unwrap()["isFinal"], true);
    let event = tenant.event().await;
    assert_eq!(event["outcome"], "succeeded", "{event}");
    // 14 and 17 characters at 0.04 dollars a thousand.
    assert_eq!(event["quantities"]["characters"], 31);
    assert_eq!(nanos(&event["costUsd"]), dollars("0.00124"));
    // One that is left in the middle has spoken what its sound says.
    let with_query = format!("{path}&authorization={}", tenant.token);
    let mut socket = Socket::open(&tenant.url(&with_query), &[])
        .await
        .must_be_open();
    socket.send(&json!({ "text": " " })).await;
    let half = json!({ "text": "Half of it. ", "flush": true });
    socket.send(&half).await;
    assert!(matches!(socket.next().await, Heard::Json(_)));
    socket.send(&json!({ "text": "Never spoken." })).await;
    socket.close().await;
    socket.rest().await;
    let event = tenant.event().await;
    assert_eq!(event["quantities"]["characters"], 12, "{event}");
    assert_eq!(tenant.agree().await, 2);
    let seen = tenant.last("text_to_speech.live").await["request"].to_string();
    assert!(!seen.contains(&tenant.token), "{seen}");
}

#[tokio::test]
async fn expression_is_measured_as_it_comes() {
    let tenant = super::hume::tenant().await;
    let path = "v1/expression/audio/realtime";
    let mut socket = open(&tenant, path).await.must_be_open();
    socket.until("session.created").await;
    // 12 seconds.
    socket.send_bytes(&super::wav(12_000, 1)).await;
    socket.until("prediction").await;
    socket.send(&json!({ "type": "session.close" })).await;
    assert_eq!(socket.rest().await.1, Heard::Close(1000));
    let event = tenant.event().await;
    assert_eq!(event["outcome"], "succeeded", "{event}");
    assert_eq!(nanos(&event["costUsd"]), dollars("0.012"), "{event}");
    assert_eq!(tenant.agree().await, 1);
    // The voice platform's chat is measured by its time, for which there is no price here.
    let mut chat = open(&tenant, "v0/evi/chat").await.must_be_open();
    chat.until("chat_metadata").await;
    chat.send(&json!({ "type": "user_input", "text": "Hello" }))
        .await;
    chat.until("assistant_end").await;
    chat.close().await;
    chat.rest().await;
    let event = tenant.event().await;
    assert_eq!(event["operation"], "evi.chat");
    assert_eq!(event["costBasis"], "unpriced");
    assert!(
        event["quantities"]["connection_milliseconds"].is_u64(),
        "{event}"
    );
}

#[tokio::test]
async fn a_realtime_session_is_the_sum_of_its_answers() {
    let tenant = Tenant::of("openai", ("authorization", "Bearer ")).await;
    let path = "v1/realtime?model=gpt-realtime-2";
    let protocols = format!("realtime, openai-insecure-api-key.{}", tenant.token);
    let headers = [("sec-websocket-protocol", protocols.as_str())];
    let mut socket = Socket::open(&tenant.url(path), &headers)
        .await
        .must_be_open();
    assert!(socket.head.contains("sec-websocket-protocol: realtime\r\n"));
    socket.until("session.created").await;
    let sound = STANDARD.encode(vec![0; 48_000]);
    for body in [
        json!({ "type": "input_audio_buffer.append", "audio": sound }),
        json!({ "type": "input_audio_buffer.commit" }),
        json!({ "type": "conversation.item.create", "item": { "type": "message", "role": "user",
            "content": [{ "type": "input_text", "text": "Hello world" }] } }),
    ] {
        socket.send(&body).await;
    }
    for modality in ["audio", "text"] {
        let body =
            json!({ "type": "response.create", "response": { "output_modalities": [modality] } });
        socket.send(&body).await;
        socket.until("response.done").await;
    }
    socket.close().await;
    socket.rest().await;
    let event = tenant.event().await;
    assert_eq!(event["outcome"], "succeeded", "{event}");
    assert_eq!(event["quantities"]["requests"], 2);
    assert!(nanos(&event["costUsd"]) > 0);
    assert_eq!(tenant.agree().await, 1);
    let seen = tenant.last("realtime").await["request"].to_string();
    assert!(!seen.contains(&tenant.token), "{seen}");
    let plain: Value = tenant.get(path).await.json().await.unwrap();
    assert_eq!(plain["error"]["code"], "websocket_expected");
}

#[tokio::test]
async fn a_conversation_that_a_crash_ends_is_one_partial_event() {
    let mut tenant = deepgram().await;
    let mut socket = open(&tenant, LISTEN).await.must_be_open();
    socket.send_bytes(&vec![0; 32_000]).await;
    socket.until("Results").await;
    tenant.world.server.kill();
    tenant.world.server.wait();
    assert_eq!(socket.rest().await.1, Heard::Gone);
    tenant.world.start_server_again().await;
    let events = tenant.world.events("zaxon").await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["partial"], true, "{}", events[0]);
    assert_eq!(events[0]["operation"], "listen.live");
}

#[tokio::test]
async fn a_provider_that_speaks_tls_and_http2_is_asked_for_a_websocket_over_http1() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("authority.pem");
    let file = file.to_str().unwrap();
    let sim = Sim::start(&["--tls-listen", "127.0.0.1:0", "--authority-file", file]).await;
    let base = format!("{}/deepgram", sim.tls_url().await);
    let environment = [
        ("DIAMOND_SERVICES__DEEPGRAM__BASE_URL", &*base),
        ("DIAMOND_OUTBOUND__EXTRA_CA_FILE", file),
    ];
    let world = World::start_beside(sim, &environment, None, reqwest::Client::new()).await;
    let tenant = Tenant::in_world(world, "deepgram", ("authorization", "Token ")).await;
    let mut socket = open(&tenant, LISTEN).await.must_be_open();
    socket.send_bytes(&vec![0; 16_000]).await;
    socket.send(&json!({ "type": "CloseStream" })).await;
    assert_eq!(socket.rest().await.1, Heard::Close(1000));
    assert_eq!(tenant.agree().await, 1);
}

#[tokio::test]
async fn a_conversation_keeps_its_place_among_the_connections() {
    // One for the API, two for conversations.
    let world = World::start_with(&[("DIAMOND_SERVER__CONNECTIONS_MAX", "3")]).await;
    let tenant = Tenant::in_world(world, "deepgram", ("authorization", "Token ")).await;
    let mut first = open(&tenant, LISTEN).await.must_be_open();
    let _second = open(&tenant, LISTEN).await.must_be_open();
    {
        let third = open(&tenant, LISTEN);
        tokio::pin!(third);
        // Whoever is let in is answered long before so many exchanges are over.
        let exchanges = async {
            for _ in 0..50 {
                first.send_bytes(&vec![0; 32_000]).await;
                first.until("Results").await;
            }
        };
        tokio::select! {
            _ = &mut third => panic!("a third conversation found a place"),
            () = exchanges => {}
        }
        first.close().await;
        first.rest().await;
        third.await.must_be_open();
    }
}

#[tokio::test]
async fn a_conversation_ends_when_a_budget_has_no_room_for_more_of_it() {
    let tenant = deepgram().await;
    let limit = json!({ "limitUsd": "0.05" });
    let put = tenant
        .world
        .operate(Method::PUT, "/api/budgets/zaxon/default", limit)
        .await;
    assert!(put.status.is_success(), "{}", put.json);
    let mut socket = open(&tenant, LISTEN).await.must_be_open();
    // Ten seconds at a time, 0.0008 dollars: an hour would be 0.288.
    let mut sent = 0;
    let ended = loop {
        socket.send_bytes(&vec![0; 320_000]).await;
        sent += 1;
        let heard = (0..10).map(|_| ());
        let mut ended = None;
        for () in heard {
            match socket.next().await {
                Heard::Json(_) => {}
                other => {
                    ended = Some(other);
                    break;
                }
            }
        }
        if let Some(ended) = ended {
            break ended;
        }
        assert!(sent < 400, "it goes on");
    };
    assert_eq!(ended, Heard::Close(1008));
    let event = tenant.first_event().await;
    assert_eq!(event["outcome"], "interrupted", "{event}");
    let cost = nanos(&event["costUsd"]);
    let limit = dollars("0.05");
    // Nothing passes the limit but what came between two looks, and most of it could be used.
    assert!(cost <= limit + dollars("0.001"), "{cost}");
    assert!(cost > limit / 2, "{cost}");
    let refused = open(&tenant, LISTEN).await.refused();
    assert_eq!(refused.1["err_code"], "budget_exceeded", "{}", refused.1);
}
