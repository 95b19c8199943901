//! Calls that are cut because what they use was revoked.

use std::sync::Arc;

use bytes::Bytes;
use diamond_admission::CutTarget;
use diamond_domain::{CallOutcome, Meter, Money, SecretVersion};
use http_body_util::BodyExt;
use tokio::sync::Notify;

use crate::support::{
    CHAT, CHAT_STREAM, Reply, Rig, SSE, Step, events_of, read_events, tenant, text, within,
};

/// A stream of two events that then waits for ever.
fn endless() -> Reply {
    let mut reply = Reply::stream(events_of(SSE)[..2].to_vec());
    reply.steps.push(Step::Wait(Arc::new(Notify::new())));
    reply
}

#[tokio::test]
async fn a_stream_ends_at_once_for_both_sides() {
    let rig = Rig::new(|_| endless()).await;
    let mut body = rig
        .post("/v1/chat/completions", CHAT_STREAM)
        .await
        .into_body();
    read_events(&mut body, 2).await;
    // Another version of the same key is another matter.
    let name: diamond_domain::SecretName = "ai-openai-zaxon".parse().unwrap();
    let second = SecretVersion::new(2).unwrap();
    let calls = rig.admission.calls();
    assert_eq!(calls.cut(&CutTarget::Key(name.clone(), second)), 0);
    assert_eq!(calls.cut(&CutTarget::Key(name, SecretVersion::FIRST)), 1);
    assert!(within(body.frame()).await.unwrap().is_err());
    let event = rig.sink.event().await;
    assert_eq!(
        (event.outcome, event.partial),
        (CallOutcome::Interrupted, true)
    );
    // "Hello there" was seen.
    assert_eq!(event.quantities.get(Meter::OutputTokens), 3);
    assert!(event.cost_usd > Money::ZERO);
    let mut open = rig.provider.open.clone();
    within(open.wait_for(|open| *open == 0)).await.unwrap();
    rig.is_settled().await;
    assert_eq!(calls.count(), 0);
}

#[tokio::test]
async fn a_call_without_an_answer_yet_is_told_why() {
    let rig = Rig::new(|_| Reply {
        after: Some(Arc::new(Notify::new())),
        ..Reply::json("{}")
    })
    .await;
    let mut arrived = rig.provider.open.clone();
    let cut = async {
        within(arrived.wait_for(|open| *open == 1)).await.unwrap();
        let cut = rig.admission.calls().cut(&CutTarget::Tenant(tenant()));
        assert_eq!(cut, 1);
    };
    let (answer, ()) = tokio::join!(rig.post("/v1/chat/completions", CHAT), cut);
    assert_eq!(answer.status(), 403);
    let error: serde_json::Value = serde_json::from_slice(&text(answer).await).unwrap();
    assert_eq!(error["error"]["code"], "tenant_suspended", "{error}");
    let event = rig.sink.event().await;
    assert_eq!(
        (event.outcome, event.partial),
        (CallOutcome::Interrupted, true)
    );
    rig.is_settled().await;
}

#[tokio::test]
async fn a_call_whose_caller_left_is_cut_all_the_same() {
    let rig = Rig::new(|_| {
        let mut reply = Reply::json("");
        reply.sized = false;
        reply.steps = vec![
            Step::Bytes(Bytes::from_static(b"{")),
            Step::Wait(Arc::new(Notify::new())),
        ];
        reply
    })
    .await;
    let mut body = rig.post("/v1/chat/completions", CHAT).await.into_body();
    within(body.frame()).await.unwrap().unwrap();
    drop(body);
    assert_eq!(
        rig.admission.calls().cut(&CutTarget::Tenant(tenant())),
        1,
        "it goes on without its caller, because it is billed in full"
    );
    let event = rig.sink.event().await;
    assert!(event.partial);
    let mut open = rig.provider.open.clone();
    within(open.wait_for(|open| *open == 0)).await.unwrap();
    rig.is_settled().await;
}

#[tokio::test]
async fn every_call_says_whose_token_and_from_where() {
    let rig = Rig::new(|_| Reply::json(crate::support::CHAT_ANSWER)).await;
    let answer = rig.post("/v1/chat/completions", CHAT).await;
    assert_eq!(answer.status(), 200);
    text(answer).await;
    let event = rig.sink.event().await;
    let opened = rig
        .sink
        .opened
        .lock()
        .get(&event.event_id)
        .cloned()
        .unwrap();
    assert!(event.token_id.is_some());
    assert_eq!(event.token_id, opened.token_id);
    assert_eq!(event.address, Some(std::net::Ipv4Addr::LOCALHOST.into()));
    assert_eq!(event.address, opened.address);
}
