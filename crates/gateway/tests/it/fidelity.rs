//! What the caller receives is what the provider sent.

use bytes::Bytes;
use diamond_domain::Meter;
use http_body_util::Full;
use proptest::prelude::*;

use crate::support::{CHAT_STREAM, Reply, Rig, SSE, text, without_usage_chunk};

fn pieces(cuts: &[prop::sample::Index]) -> Vec<Bytes> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(SSE.len() + 1)).collect();
    places.sort_unstable();
    let mut pieces = Vec::new();
    let mut from = 0;
    for place in places {
        pieces.push(Bytes::copy_from_slice(&SSE.as_bytes()[from..place]));
        from = place;
    }
    pieces.push(Bytes::copy_from_slice(&SSE.as_bytes()[from..]));
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn streams_in_any_pieces(cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..16)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let sent = pieces(&cuts);
            let rig = Rig::new(move |_| Reply::stream(sent.clone())).await;
            let asked = CHAT_STREAM.replacen("{", r#"{"stream_options":{"include_usage":true},"#, 1);
            for (request, expected) in [(CHAT_STREAM.to_owned(), without_usage_chunk()), (asked.clone(), SSE.to_owned())] {
                let (_, body) = rig.post_text("/v1/chat/completions", request).await;
                assert_eq!(std::str::from_utf8(&body).unwrap(), expected);
                // Either way the provider is asked the same.
                assert_eq!(rig.provider.last().body, asked);
            }
            for event in rig.sink.events(2).await {
                assert_eq!(event.quantities.get(Meter::OutputTokens), 12);
                assert!(!event.partial);
            }
            rig.is_settled().await;
        });
    }
}

#[tokio::test]
async fn streams_are_asked_for_plainly_when_a_chunk_must_be_hidden() {
    let rig = Rig::new(|_| Reply::stream(vec![Bytes::from_static(SSE.as_bytes())])).await;
    let request = rig
        .request("POST", "/v1/chat/completions")
        .header("accept-encoding", "gzip, br")
        .body(Full::from(CHAT_STREAM))
        .unwrap();
    assert_eq!(text(rig.send(request).await).await, without_usage_chunk());
    assert_eq!(rig.provider.last().headers["accept-encoding"], "identity");
}

#[tokio::test]
async fn an_answer_without_a_body_is_complete() {
    let rig = Rig::new(|_| Reply {
        status: 204,
        headers: vec![],
        steps: vec![],
        sized: true,
        after: None,
    })
    .await;
    let request = rig
        .request("DELETE", "/v1/files/file-1")
        .body(Full::default())
        .unwrap();
    let response = rig.send(request).await;
    assert_eq!(response.status(), 204);
    assert_eq!(text(response).await, "");
    assert_eq!(rig.sink.event().await.operation, "files");
    rig.is_settled().await;
}

#[tokio::test]
async fn a_large_body_of_many_pieces() {
    let body: String = format!(
        r#"{{"object":"list","data":[{}],"model":"text-embedding-3-small","usage":{{"prompt_tokens":8,"total_tokens":8}}}}"#,
        vec![r#"{"embedding":[0.123456789,-0.5,1e-7]}"#; 40_000].join(",")
    );
    let sent = Bytes::from(body.clone());
    let rig = Rig::new(move |_| {
        let mut reply = Reply::stream(sent.chunks(7_001).map(Bytes::copy_from_slice).collect());
        reply.headers[0].1 = "application/json".into();
        reply.sized = true;
        reply
    })
    .await;
    let (_, received) = rig
        .post_text(
            "/v1/embeddings",
            r#"{"model":"text-embedding-3-small","input":"x"}"#,
        )
        .await;
    assert!(received == body.as_bytes());
    assert_eq!(rig.sink.event().await.quantities.get(Meter::InputTokens), 8);
}
