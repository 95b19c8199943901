//! Calls that are not carried.

use std::sync::atomic::Ordering;

use diamond_domain::{Clock, OnUnbounded};
use diamond_gateway::GatewaySettings;
use http_body_util::Full;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{CHAT, Reply, Rig, STALENESS, text, within};

async fn rig() -> Rig {
    Rig::with(
        GatewaySettings {
            body_bytes_max: 1_000,
            json_depth_max: 20,
            ..GatewaySettings::default()
        },
        |_| Reply::json("{}"),
    )
    .await
}

async fn error(rig: &Rig, request: http::Request<Full<bytes::Bytes>>) -> (u16, String) {
    let response = rig.send(request).await;
    let status = response.status().as_u16();
    assert!(response.headers().contains_key("x-diamond-request-id"));
    let body: Value = serde_json::from_slice(&text(response).await).unwrap();
    let error = &body["error"];
    assert!(error["message"].is_string() && error["type"].is_string() && error["param"].is_null());
    (status, error["code"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn refusals_have_the_providers_shape_and_reach_nobody() {
    let rig = rig().await;
    let post = |path: &str| rig.request("POST", path);
    let chat = "/v1/chat/completions";
    let body = || Full::from(CHAT);
    let mut no_token = post(chat).body(body()).unwrap();
    no_token.headers_mut().remove("authorization");
    let mut strange_token = post(chat).body(body()).unwrap();
    strange_token
        .headers_mut()
        .insert("authorization", "Bearer sk-proj-abc".parse().unwrap());
    for (request, status, code) in [
        (no_token, 401, "missing_token"),
        (strange_token, 401, "malformed_token"),
        (
            post("/v1/organization/projects").body(body()).unwrap(),
            403,
            "management_route_refused",
        ),
        (
            post("/v1/%6frganization/projects").body(body()).unwrap(),
            400,
            "path_not_plain",
        ),
        (
            post("/v1/x/%2e%2e/organization/projects")
                .body(body())
                .unwrap(),
            400,
            "path_not_plain",
        ),
        (
            post("/v1//organization/projects").body(body()).unwrap(),
            400,
            "path_not_plain",
        ),
        (
            post("/chat/completions").body(body()).unwrap(),
            404,
            "path_without_version",
        ),
        (
            post(chat)
                .header("x-diamond-tags", "broken")
                .body(body())
                .unwrap(),
            400,
            "malformed_header",
        ),
        (
            post(chat)
                .header("upgrade", "websocket")
                .header("connection", "upgrade")
                .body(body())
                .unwrap(),
            400,
            "upgrade_not_supported",
        ),
        (
            post(chat)
                .header("x-diamond-tenant", "other")
                .body(body())
                .unwrap(),
            404,
            "tenant_not_found",
        ),
        (
            post(chat)
                .header("content-encoding", "gzip")
                .body(body())
                .unwrap(),
            415,
            "compressed_request",
        ),
        (
            post(chat).body(Full::from(vec![b' '; 1_001])).unwrap(),
            413,
            "body_too_large",
        ),
        (
            post(chat).body(Full::from(nested(21))).unwrap(),
            400,
            "json_too_deep",
        ),
    ] {
        let uri = request.uri().clone();
        assert_eq!(
            error(&rig, request).await,
            (status, code.to_owned()),
            "{uri}"
        );
    }
    assert!(rig.provider.seen.lock().is_empty());
    assert!(rig.sink.opened.lock().is_empty());
    rig.is_settled().await;
}

/// A body whose lists stand so deep in each other, the body itself included.
fn nested(depth: usize) -> String {
    let (open, close) = ("[".repeat(depth - 1), "]".repeat(depth - 1));
    format!("{{\"model\":\"gpt-4o-mini\",\"messages\":{open}{close}}}")
}

#[tokio::test]
async fn a_body_as_deep_as_allowed_passes_as_it_came() {
    let rig = rig().await;
    let request = rig.request("POST", "/v1/chat/completions");
    let response = rig
        .send(request.body(Full::from(nested(20))).unwrap())
        .await;
    assert_eq!(response.status(), 200);
    text(response).await;
    assert_eq!(rig.provider.seen.lock().len(), 1);
}

#[tokio::test]
async fn nothing_is_carried_that_cannot_be_recorded() {
    let rig = rig().await;
    rig.sink.refuses.store(true, Ordering::SeqCst);
    let request = rig
        .request("POST", "/v1/chat/completions")
        .body(Full::from(CHAT))
        .unwrap();
    assert_eq!(
        error(&rig, request).await,
        (503, "journal_unwritable".to_owned())
    );
    assert!(rig.provider.seen.lock().is_empty());
    assert_eq!(rig.alarms.codes(), ["journal_unwritable"]);
    rig.is_settled().await;
}

#[tokio::test]
async fn tables_that_are_too_old_let_nobody_in() {
    let rig = rig().await;
    let stale = STALENESS + std::time::Duration::from_secs(1);
    rig.clock.advance(stale.try_into().unwrap());
    let request = rig
        .request("POST", "/v1/chat/completions")
        .body(Full::from(CHAT))
        .unwrap();
    let response = rig.send(request).await;
    // The official SDKs may try again, as with any other 503 of ours.
    assert_eq!(response.status(), 503);
    assert!(!response.headers().contains_key("x-should-retry"));
    let body: Value = serde_json::from_slice(&text(response).await).unwrap();
    assert_eq!(body["error"]["code"], "stale_snapshot");
    assert!(rig.provider.seen.lock().is_empty());
    rig.admission.mark_current(rig.clock.monotonic_nanos());
    let (status, _) = rig.post_text("/v1/chat/completions", CHAT).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn what_an_alarm_is_joined_by_is_short_and_printable() {
    let rig = Rig::new(|_| Reply::json("{}")).await;
    let long = "x".repeat(300);
    rig.post_text(&format!("/v1/{long}/{long}"), "{}").await;
    let chat = serde_json::json!({
        "model": format!("a\u{7}\nb{long}"),
        "messages": [{"role": "user", "content": "hi"}],
    });
    rig.post_text("/v1/chat/completions", chat.to_string())
        .await;
    rig.sink.events(2).await;
    let alarms = rig.alarms.0.lock();
    let mut codes: Vec<&str> = alarms.iter().map(|alarm| alarm.code.as_str()).collect();
    codes.sort_unstable();
    assert_eq!(codes, ["unknown_route", "unpriced_usage"]);
    for alarm in alarms.iter() {
        let subject = &alarm.subject;
        assert!(subject.len() <= "openai POST /".len() + 64, "{subject}");
        assert!(!subject.contains(char::is_control), "{subject}");
    }
}

#[tokio::test]
async fn a_budget_that_is_used_up_refuses_and_a_call_settles_it() {
    let rig = Rig::new(|_| Reply::json(crate::support::CHAT_ANSWER)).await;
    rig.budget("1", OnUnbounded::Refuse);
    rig.post_text("/v1/chat/completions", CHAT).await;
    rig.sink.event().await;
    assert_eq!(rig.spent(), "0.00018".parse().unwrap());
    rig.budget("0.0001", OnUnbounded::Refuse);
    let request = rig
        .request("POST", "/v1/chat/completions")
        .body(Full::from(CHAT))
        .unwrap();
    assert_eq!(
        error(&rig, request).await,
        (429, "budget_exceeded".to_owned())
    );
    rig.is_settled().await;
}

#[tokio::test]
async fn a_call_whose_most_cannot_be_told_does_as_its_budget_says() {
    let unpriced = CHAT.replace("gpt-4o-mini", "a-model-without-price");
    let rig = Rig::new(|_| Reply::json(crate::support::CHAT_ANSWER)).await;
    rig.budget("1", OnUnbounded::Refuse);
    let request = rig
        .request("POST", "/v1/chat/completions")
        .body(Full::from(unpriced.clone()))
        .unwrap();
    assert_eq!(
        error(&rig, request).await,
        (403, "budget_unbounded".to_owned())
    );
    // A call that costs nothing is none of them.
    let models = rig.request("GET", "/v1/models").body(Full::default());
    assert_ne!(rig.send(models.unwrap()).await.status(), 403);
    rig.budget("1", OnUnbounded::Reserve("0.6".parse().unwrap()));
    rig.post_text("/v1/chat/completions", unpriced.clone())
        .await;
    rig.is_settled().await;
    rig.budget("1", OnUnbounded::Reserve("1.1".parse().unwrap()));
    let request = rig
        .request("POST", "/v1/chat/completions")
        .body(Full::from(unpriced))
        .unwrap();
    assert_eq!(
        error(&rig, request).await,
        (429, "budget_exceeded".to_owned())
    );
    rig.is_settled().await;
}

/// What no client library would send.
#[tokio::test]
async fn raw_requests() {
    let rig = rig().await;
    let address = rig.address;
    let bearer = format!("authorization: Bearer {}\r\n", rig.token);
    for (line, status) in [
        (
            "GET http://evil.example/gateway/openai/v1/models HTTP/1.1",
            "400",
        ),
        (
            "GET /gateway/openai/v1/../organization/costs HTTP/1.1",
            "400",
        ),
        ("GET /gateway/openai HTTP/1.1", "404"),
        ("GET /gateway/nobody/v1/models HTTP/1.1", "404"),
        ("TRACE /gateway/openai/v1/models HTTP/1.1", "400"),
    ] {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("{line}\r\nhost: gateway\r\n{bearer}connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        within(stream.read_to_string(&mut answer)).await.unwrap();
        assert_eq!(answer.split(' ').nth(1), Some(status), "{line}: {answer}");
    }
    assert!(rig.provider.seen.lock().is_empty());
}

#[tokio::test]
async fn a_refusal_leaves_a_trace_of_who_and_from_where() {
    let rig = Rig::new(|_| Reply::json("{}")).await;
    let unknown = format!("dmd_{}", "0".repeat(49));
    let request = http::Request::post(format!("http://{}/gateway/openai/v1/models", rig.address))
        .header("authorization", format!("Bearer {unknown}"))
        .body(http_body_util::Full::default())
        .unwrap();
    assert_eq!(rig.send(request).await.status(), 401);
    let told = rig.refusals.0.lock().clone();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].address, Some(std::net::Ipv4Addr::LOCALHOST.into()));
    assert_eq!(told[0].token_id, None);
    assert!(told[0].detail.is_some());
}
