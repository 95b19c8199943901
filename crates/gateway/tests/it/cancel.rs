//! Callers who leave, providers who break off.

use std::sync::Arc;

use bytes::Bytes;
use diamond_domain::{CallOutcome, CostBasis, Meter, Money};
use diamond_gateway::GatewaySettings;
use http_body_util::BodyExt;
use tokio::sync::Notify;

use crate::support::{
    CHAT, CHAT_ANSWER, CHAT_STREAM, Provider, Reply, Rig, SSE, Step, events_of, read_events, within,
};

#[tokio::test]
async fn a_caller_who_leaves_a_stream_cuts_it_at_the_provider() {
    let rig = Rig::new(|_| {
        let mut reply = Reply::stream(events_of(SSE)[..2].to_vec());
        reply.steps.push(Step::Wait(Arc::new(Notify::new())));
        reply
    })
    .await;
    let mut body = rig
        .post("/v1/chat/completions", CHAT_STREAM)
        .await
        .into_body();
    read_events(&mut body, 2).await;
    drop(body);
    let event = rig.sink.event().await;
    assert_eq!(
        (event.outcome, event.partial, event.cost_basis),
        (CallOutcome::Cancelled, true, CostBasis::Estimated)
    );
    // "Hello there" was seen.
    assert_eq!(event.quantities.get(Meter::OutputTokens), 3);
    assert!(event.cost_usd > Money::ZERO);
    let mut open = rig.provider.open.clone();
    within(open.wait_for(|open| *open == 0)).await.unwrap();
    rig.is_settled().await;
}

#[tokio::test]
async fn a_caller_who_leaves_a_plain_call_is_charged_in_full() {
    let go = Arc::new(Notify::new());
    let told = Arc::clone(&go);
    let rig = Rig::new(move |_| {
        let (head, tail) = CHAT_ANSWER.split_at(40);
        let mut reply = Reply::json("");
        reply.steps = vec![
            Step::Bytes(Bytes::from_static(head.as_bytes())),
            Step::Wait(Arc::clone(&told)),
            Step::Bytes(Bytes::from_static(tail.as_bytes())),
        ];
        reply
    })
    .await;
    let mut body = rig.post("/v1/chat/completions", CHAT).await.into_body();
    within(body.frame()).await.unwrap().unwrap();
    drop(body);
    go.notify_one();
    let event = rig.sink.event().await;
    assert_eq!(
        (event.outcome, event.partial, event.cost_basis),
        (CallOutcome::Cancelled, false, CostBasis::PricedUsage)
    );
    assert_eq!(event.cost_usd, "0.00018".parse::<Money>().unwrap());
    rig.is_settled().await;
}

#[tokio::test]
async fn a_caller_who_leaves_before_the_answer_is_charged_as_well() {
    let go = Arc::new(Notify::new());
    let told = Arc::clone(&go);
    let rig = Rig::new(move |_| Reply {
        after: Some(Arc::clone(&told)),
        ..Reply::json(CHAT_ANSWER)
    })
    .await;
    let mut arrived = rig.provider.open.clone();
    tokio::select! {
        _ = rig.post("/v1/chat/completions", CHAT) => panic!("there is no answer yet"),
        _ = arrived.wait_for(|open| *open == 1) => {}
    }
    go.notify_one();
    let event = rig.sink.event().await;
    assert_eq!(event.outcome, CallOutcome::Cancelled);
    assert_eq!(event.cost_usd, "0.00018".parse::<Money>().unwrap());
    rig.is_settled().await;
}

#[tokio::test]
async fn a_caller_who_leaves_before_a_stream_begins() {
    let rig = Rig::new(|_| Reply {
        after: Some(Arc::new(Notify::new())),
        ..Reply::stream(events_of(SSE))
    })
    .await;
    let mut arrived = rig.provider.open.clone();
    tokio::select! {
        _ = rig.post("/v1/chat/completions", CHAT_STREAM) => panic!("there is no answer yet"),
        _ = arrived.wait_for(|open| *open == 1) => {}
    }
    let event = rig.sink.event().await;
    assert_eq!(
        (event.outcome, event.partial),
        (CallOutcome::Cancelled, true)
    );
    assert_eq!(
        (event.cost_basis, event.status),
        (CostBasis::Estimated, None)
    );
    // "Say hello" was sent.
    assert_eq!(event.quantities.get(Meter::InputTokens), 3);
    rig.is_settled().await;
}

#[tokio::test]
async fn a_provider_that_cuts_a_stream() {
    let go = Arc::new(Notify::new());
    let told = Arc::clone(&go);
    let rig = Rig::new(move |_| {
        let mut reply = Reply::stream(events_of(SSE)[..2].to_vec());
        reply
            .steps
            .extend([Step::Wait(Arc::clone(&told)), Step::Cut]);
        reply
    })
    .await;
    let mut body = rig
        .post("/v1/chat/completions", CHAT_STREAM)
        .await
        .into_body();
    let mut received = Vec::new();
    let error = loop {
        match within(body.frame()).await {
            Some(Ok(frame)) => {
                received.extend(frame.into_data().unwrap());
                go.notify_one();
            }
            Some(Err(error)) => break Some(error),
            None => break None,
        }
    };
    // The caller's client must see that it broke off, after everything that came.
    assert!(error.is_some());
    assert_eq!(received, events_of(SSE)[..2].concat());
    let event = rig.sink.event().await;
    assert_eq!(
        (event.outcome, event.partial),
        (CallOutcome::Interrupted, true)
    );
    rig.is_settled().await;
}

#[tokio::test]
async fn an_error_inside_a_stream_and_a_stream_that_just_ends() {
    for stream in [
        include_str!("../../../providers/fixtures/openai/chat_stream_error.sse"),
        &SSE[..SSE.find("\n\n").unwrap() + 2],
    ] {
        let rig =
            Rig::new(move |_| Reply::stream(vec![Bytes::from_static(stream.as_bytes())])).await;
        let (status, body) = rig.post_text("/v1/chat/completions", CHAT_STREAM).await;
        assert_eq!((status.as_u16(), &body[..]), (200, stream.as_bytes()));
        let event = rig.sink.event().await;
        assert_eq!(
            (event.outcome, event.partial),
            (CallOutcome::Interrupted, true)
        );
        assert_eq!(event.cost_basis, CostBasis::Estimated);
    }
}

#[tokio::test]
async fn a_provider_that_cannot_be_reached_was_not_called() {
    let provider = Provider::start(|_| Reply::json("{}")).await;
    // A port that was just let go.
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let rig = Rig::at(
        GatewaySettings::default(),
        provider,
        format!("http://{closed}"),
    )
    .await;
    let (status, body) = rig.post_text("/v1/chat/completions", CHAT).await;
    assert_eq!(status, 502);
    assert!(
        std::str::from_utf8(&body)
            .unwrap()
            .contains("upstream_unreachable")
    );
    assert_eq!(
        (
            rig.sink.events.lock().len(),
            rig.sink.abandoned.lock().len()
        ),
        (0, 1)
    );
    rig.is_settled().await;
}

#[tokio::test]
async fn a_provider_that_breaks_off_before_answering_may_have_worked() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut rude = tokio::task::JoinSet::new();
    rude.spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut some = [0; 64];
            tokio::io::AsyncReadExt::read(&mut stream, &mut some)
                .await
                .unwrap();
        }
    });
    let provider = Provider::start(|_| Reply::json("{}")).await;
    let rig = Rig::at(
        GatewaySettings::default(),
        provider,
        format!("http://{address}"),
    )
    .await;
    let (status, _) = rig.post_text("/v1/chat/completions", CHAT).await;
    assert_eq!(status, 502);
    let event = rig.sink.event().await;
    assert_eq!(
        (event.outcome, event.partial, event.status),
        (CallOutcome::Interrupted, true, None)
    );
    assert_eq!(event.cost_basis, CostBasis::Estimated);
    rig.is_settled().await;
}
