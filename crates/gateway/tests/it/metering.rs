//! What calls cost.

use std::io::Write;

use bytes::Bytes;
use diamond_domain::{CallOutcome, CostBasis, Meter, Money, UserSource};
use http_body_util::{BodyExt, Full};

use crate::support::{CHAT, CHAT_ANSWER, CHAT_STREAM, Reply, Rig, SSE, events_of, text};

#[tokio::test]
async fn a_plain_call_is_one_exactly_priced_event() {
    let rig = Rig::new(|_| Reply::json(CHAT_ANSWER).header("x-request-id", "req-1")).await;
    let request = rig
        .request("POST", "/v1/chat/completions")
        .header("x-diamond-user", "ada")
        .header("x-diamond-tags", "team=blue")
        .header(
            "traceparent",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        )
        .header("openai-organization", "org-other")
        .header("x-request-id", "mine")
        .body(Full::from(CHAT))
        .unwrap();
    let response = rig.send(request).await;
    assert_eq!(response.status(), 200);
    let request_id = response.headers()["x-diamond-request-id"]
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(response.headers()["x-request-id"], "req-1");
    assert_eq!(text(response).await, CHAT_ANSWER);

    let event = rig.sink.event().await;
    // 600 × 0.15 + 400 × 0.075 + 100 × 0.60 dollars a million = 180 millionths.
    assert_eq!(event.cost_usd, "0.00018".parse::<Money>().unwrap());
    assert_eq!(event.cost_basis, CostBasis::PricedUsage);
    assert!(event.price_id.unwrap().starts_with("openai/gpt-4o-mini"));
    assert_eq!(event.model, "gpt-4o-mini-2024-07-18");
    assert_eq!(event.operation, "chat.completions");
    assert_eq!(event.quantities.get(Meter::CachedInputTokens), 400);
    assert_eq!(
        (event.outcome, event.partial, event.status),
        (CallOutcome::Succeeded, false, Some(200))
    );
    assert_eq!(
        (event.user_id.as_str(), event.user_source),
        ("ada", UserSource::Header)
    );
    assert_eq!(event.tags["team"], "blue");
    assert_eq!(
        event.trace_id.to_string(),
        "4bf92f3577b34da6a3ce929d0e0e4736"
    );
    assert_eq!(event.request_id, request_id);
    assert_eq!(event.provider_request_id.as_deref(), Some("req-1"));
    assert!(
        event
            .provider_usage
            .unwrap()
            .starts_with(r#"{"prompt_tokens":1000"#)
    );

    let seen = rig.provider.last();
    assert_eq!(seen.method, "POST");
    assert_eq!(seen.path_and_query, "/openai/v1/chat/completions");
    assert_eq!(seen.bearer(), "sk-first");
    assert_eq!(seen.body, CHAT);
    for name in [
        "x-diamond-user",
        "x-diamond-tags",
        "openai-organization",
        "x-request-id",
    ] {
        assert!(!seen.headers.contains_key(name), "{name}");
    }
    assert_eq!(seen.headers["host"], rig.provider.address.to_string());
    rig.is_settled().await;
}

#[tokio::test]
async fn the_event_is_durable_before_the_last_byte() {
    let rig = Rig::new(|seen| {
        if seen.body.windows(6).any(|word| word == b"stream") {
            Reply::stream(events_of(SSE))
        } else {
            Reply::json(CHAT_ANSWER)
        }
    })
    .await;
    rig.sink.gate.send_replace(false);
    // A short answer leaves whole, or not at all.
    let mut whole = Box::pin(async {
        let response = rig.post("/v1/chat/completions", CHAT).await;
        crate::support::text(response).await
    });
    tokio::select! {
        biased;
        _ = &mut whole => panic!("the end came before the record was durable"),
        () = settle() => {}
    }
    rig.sink.gate.send_replace(true);
    assert_eq!(whole.await, CHAT_ANSWER);

    rig.sink.gate.send_replace(false);
    let response = rig.post("/v1/chat/completions", CHAT_STREAM).await;
    let mut body = response.into_body();
    let mut received = 0;
    for _ in 0..3 {
        let piece = body.frame().await.unwrap().unwrap();
        received += piece.into_data().unwrap().len();
    }
    // Nothing more comes while the record waits for the disk.
    tokio::select! {
        biased;
        _ = body.frame() => panic!("the end came before the record was durable"),
        () = settle() => {}
    }
    rig.sink.gate.send_replace(true);
    while let Some(more) = crate::support::within(body.frame()).await {
        received += more.unwrap().into_data().unwrap().len();
    }
    assert_eq!(received, crate::support::without_usage_chunk().len());
    rig.sink.events(2).await;
}

/// Lets everything run that can, the network's reactor among it.
async fn settle() {
    for _ in 0..2_000 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn compressed_answers_are_metered_and_untouched() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(CHAT_ANSWER.as_bytes()).unwrap();
    let compressed = Bytes::from(encoder.finish().unwrap());
    let sent = compressed.clone();
    let rig = Rig::new(move |_| {
        let pieces = sent.chunks(11).map(Bytes::copy_from_slice).collect();
        let mut reply = Reply::stream(pieces).header("content-encoding", "gzip");
        reply.headers[0].1 = "application/json".into();
        reply
    })
    .await;
    let request = rig
        .request("POST", "/v1/chat/completions")
        .header("accept-encoding", "gzip, zstd")
        .body(Full::from(CHAT))
        .unwrap();
    assert_eq!(text(rig.send(request).await).await, compressed);
    assert_eq!(rig.provider.last().headers["accept-encoding"], "gzip");
    assert_eq!(
        rig.sink.event().await.quantities.get(Meter::InputTokens),
        1000
    );
}

#[tokio::test]
async fn errors_pass_unchanged_and_cost_nothing() {
    let body = r#"{"error":{"message":"Slow down","type":"rate_limit_error","param":null,"code":"rate_limit_exceeded"}}"#;
    let rig = Rig::new(move |_| Reply::error(429, body).header("retry-after", "7")).await;
    let response = rig.post("/v1/chat/completions", CHAT).await;
    assert_eq!(
        (
            response.status().as_u16(),
            &response.headers()["retry-after"]
        ),
        (429, &"7".parse().unwrap())
    );
    assert_eq!(text(response).await, body);
    let event = rig.sink.event().await;
    assert_eq!(
        (event.outcome, event.cost_usd, event.cost_basis),
        (CallOutcome::Failed, Money::ZERO, CostBasis::PricedUsage)
    );
    assert_eq!(event.price_id.as_deref(), Some("not-billed"));
    assert_eq!(event.quantities.get(Meter::Requests), 1);
    assert!(rig.alarms.codes().is_empty());
}

#[tokio::test]
async fn free_deferred_and_unknown_routes_are_events_too() {
    let rig = Rig::new(|_| Reply::json(r#"{"object":"list","data":[]}"#)).await;
    let models = rig
        .request("GET", "/v1/models?limit=3")
        .body(Full::default())
        .unwrap();
    text(rig.send(models).await).await;
    rig.post_text("/v1/batches", "{}").await;
    rig.post_text("/v1/brand/new/thing", "{}").await;
    let events = rig.sink.events(3).await;
    assert_eq!(
        rig.provider.seen.lock()[0].path_and_query,
        "/openai/v1/models?limit=3"
    );
    assert_eq!(
        (events[0].operation.as_str(), events[0].price_id.as_deref()),
        ("models.list", Some("free"))
    );
    assert_eq!(events[1].cost_basis, CostBasis::Unpriced);
    assert_eq!(
        (events[2].operation.as_str(), events[2].cost_basis),
        ("unknown", CostBasis::Unpriced)
    );
    let alarms: Vec<_> = rig
        .alarms
        .0
        .lock()
        .iter()
        .map(|alarm| (alarm.code.as_str(), alarm.subject.clone()))
        .collect();
    assert_eq!(
        alarms,
        [
            ("unpriced_usage", "openai/batches.create".to_owned()),
            ("unknown_route", "openai POST /v1/brand".to_owned()),
        ]
    );
    rig.is_settled().await;
}

#[tokio::test]
async fn an_unknown_model_is_unpriced_and_alarmed() {
    let rig = Rig::new(|_| {
        Reply::json(r#"{"model":"gpt-99","usage":{"prompt_tokens":5,"completion_tokens":5}}"#)
    })
    .await;
    rig.post_text("/v1/chat/completions", r#"{"model":"gpt-99"}"#)
        .await;
    let event = rig.sink.event().await;
    assert_eq!(
        (event.cost_basis, event.quantities.get(Meter::OutputTokens)),
        (CostBasis::Unpriced, 5)
    );
    assert_eq!(rig.alarms.0.lock()[0].subject, "openai/gpt-99");
}

#[tokio::test]
async fn missing_usage_is_an_estimate_never_a_silent_zero() {
    let rig = Rig::new(|_| {
        Reply::json(r#"{"model":"gpt-4o-mini","choices":[{"message":{"content":"Hello there"}}]}"#)
    })
    .await;
    rig.post_text("/v1/chat/completions", CHAT).await;
    let event = rig.sink.event().await;
    assert_eq!(
        (event.cost_basis, event.partial),
        (CostBasis::Estimated, true)
    );
    // "Say hello" and "Hello there" at four bytes a token.
    assert_eq!(
        (
            event.quantities.get(Meter::InputTokens),
            event.quantities.get(Meter::OutputTokens)
        ),
        (3, 3)
    );
    assert!(event.cost_usd > Money::ZERO);
}

#[tokio::test]
async fn a_form_is_read_while_it_streams() {
    let rig =
        Rig::new(|_| Reply::json(r#"{"text":"hi","usage":{"type":"duration","seconds":9.5}}"#))
            .await;
    for size in [100, 600_000] {
        let mut form =
            b"--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\n\r\n"
                .to_vec();
        form.extend(vec![7; size]);
        form.extend(b"\r\n--b\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--b--\r\n");
        let mut request = rig
            .request("POST", "/v1/audio/transcriptions")
            .body(Full::from(form.clone()))
            .unwrap();
        request.headers_mut().insert(
            "content-type",
            "multipart/form-data; boundary=b".parse().unwrap(),
        );
        assert_eq!(rig.send(request).await.status(), 200);
        let seen = rig.provider.last();
        assert_eq!(seen.body, form);
        assert_eq!(seen.headers["content-length"], form.len().to_string());
    }
    for event in rig.sink.events(2).await {
        assert_eq!(
            (
                event.model.as_str(),
                event.quantities.get(Meter::AudioMilliseconds)
            ),
            ("whisper-1", 9_500)
        );
        // 9.5 s at 0.006 dollars a minute.
        assert_eq!(event.cost_usd, "0.00095".parse::<Money>().unwrap());
    }
}

#[tokio::test]
async fn speech_is_charged_by_its_characters() {
    let rig = Rig::new(|_| {
        let mut reply = Reply::stream(vec![Bytes::from_static(b"ID3 sound")]);
        reply.headers[0].1 = "audio/mpeg".into();
        reply
    })
    .await;
    let (_, body) = rig
        .post_text(
            "/v1/audio/speech",
            "{\"model\":\"tts-1\",\"voice\":\"alloy\",\"input\":\"h\\u00e9llo\"}",
        )
        .await;
    assert_eq!(body, "ID3 sound");
    let event = rig.sink.event().await;
    assert_eq!(
        (event.quantities.get(Meter::Characters), event.cost_basis),
        (5, CostBasis::PricedMeasurement)
    );
    // 5 × 15 dollars a million.
    assert_eq!(event.cost_usd, "0.000075".parse::<Money>().unwrap());
}
