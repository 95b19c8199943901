//! Callers who begin to send and stop.

use std::time::Duration;

use diamond_domain::CallOutcome;
use diamond_gateway::GatewaySettings;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{Reply, Rig, within};

async fn rig(body_silence_timeout: Duration) -> Rig {
    Rig::with(
        GatewaySettings {
            held_upload_bytes_max: 16,
            body_silence_timeout,
            ..GatewaySettings::default()
        },
        |_| Reply::json("{}"),
    )
    .await
}

const SHORT: Duration = Duration::from_millis(20);

/// Says that 9,999 bytes come and sends these.
async fn begin(rig: &Rig, path: &str, content_type: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(rig.address).await.unwrap();
    let head = format!(
        "POST /gateway/openai{path} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {}\r\n\
         content-type: {content_type}\r\ncontent-length: 9999\r\n\r\n{body}",
        rig.token
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

async fn answer(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    within(stream.read_to_string(&mut answer)).await.unwrap();
    answer
}

const FORM: &str =
    "--b\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--b\r\n";
const FORM_TYPE: &str = "multipart/form-data; boundary=b";

#[tokio::test]
async fn a_held_body_that_stops_arriving_is_refused_and_reaches_nobody() {
    let rig = rig(SHORT).await;
    for (path, content_type, body) in [
        ("/v1/chat/completions", "application/json", "{\"model\":"),
        ("/v1/chat/completions", "application/json", ""),
        ("/v1/audio/transcriptions", FORM_TYPE, "--b\r\n"),
    ] {
        let answer = answer(begin(&rig, path, content_type, body).await).await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{path}: {answer}");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["error"]["code"], "request_timeout");
        assert_eq!(body["error"]["type"], "invalid_request_error");
    }
    assert!(rig.provider.seen.lock().is_empty());
    assert!(rig.sink.opened.lock().is_empty());
    rig.is_settled().await;
}

#[tokio::test]
async fn a_streamed_body_that_stops_arriving_cancels_its_call() {
    let rig = rig(SHORT).await;
    let stream = begin(&rig, "/v1/audio/transcriptions", FORM_TYPE, FORM).await;
    let answer = answer(stream).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("request_timeout"), "{answer}");
    let event = rig.sink.event().await;
    assert_eq!(
        (event.outcome, event.partial, event.status),
        (CallOutcome::Cancelled, true, None)
    );
    rig.is_settled().await;
}

#[tokio::test]
async fn a_caller_who_leaves_in_the_middle_of_a_body_cancels_its_call() {
    let rig = rig(Duration::from_secs(3_600)).await;
    let stream = begin(&rig, "/v1/audio/transcriptions", FORM_TYPE, FORM).await;
    drop(stream);
    let event = rig.sink.event().await;
    assert_eq!(event.outcome, CallOutcome::Cancelled);
    rig.is_settled().await;
}
