//! The same over HTTP/2, which is taken on the same port.

use reqwest::Method;
use serde_json::json;

use super::{
    is_sound,
    provider::{Act, Provider},
    until,
};
use crate::{errors::must_be_documented, world::World};

fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .http2_prior_knowledge()
        .http2_initial_stream_window_size(65_535)
        .http2_initial_connection_window_size(65_535)
        .build()
        .unwrap()
}

#[tokio::test]
async fn what_is_refused_is_refused_over_http2_too() {
    let settings = [
        ("DIAMOND_SERVER__URL_BYTES_MAX", "1000"),
        ("DIAMOND_SERVER__HEADERS_MAX", "20"),
        ("DIAMOND_GATEWAY__BODY_BYTES_MAX", "4096"),
        ("DIAMOND_GATEWAY__JSON_DEPTH_MAX", "8"),
    ];
    let world = World::start_with(&settings).await;
    let token = world.ready_tenant("zaxon").await;
    let client = client();
    let long = format!("/gateway/openai/v1/models?{}", "a".repeat(1_000));
    let gateway = "/gateway/openai/v1/chat/completions";
    for (path, header, body, status, code) in [
        (
            "/gateway/openai/v1%2forganization/costs",
            None,
            0,
            400,
            "path_not_plain",
        ),
        (
            "/gateway/openai/v1/organization/costs",
            None,
            0,
            403,
            "management_route_refused",
        ),
        ("/gateway/nobody/v1/models", None, 0, 404, "unknown_service"),
        (long.as_str(), None, 0, 414, "url_too_long"),
        (
            gateway,
            Some(("x-diamond-user", "\u{85}")),
            0,
            400,
            "malformed_header",
        ),
        (gateway, None, 5_000, 413, "body_too_large"),
        ("/api/tenants", None, 100_000, 413, "body_too_large"),
        ("/api/nowhere", None, 0, 404, "route_not_found"),
    ] {
        let mut request = client
            .post(format!("{}{path}", world.url))
            .bearer_auth(if path.starts_with("/api/") {
                &world.operator
            } else {
                &token
            })
            .header("content-type", "application/json")
            .body(" ".repeat(body));
        if let Some((name, value)) = header {
            request = request.header(name, value.as_bytes());
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.version(), reqwest::Version::HTTP_2);
        let seen = answer.status().as_u16();
        let json: serde_json::Value = answer.json().await.unwrap();
        let said = json["error"]["code"].as_str().unwrap();
        must_be_documented(seen, said);
        assert_eq!((seen, said), (status, code), "{path}");
    }
    let mut many = client.get(format!("{}/healthz", world.url));
    for number in 0..21 {
        many = many.header(format!("x-{number}"), "y");
    }
    let answer = many.send().await.unwrap();
    assert_eq!(answer.status(), 431);
    let deep = client
        .post(format!("{}{gateway}", world.url))
        .bearer_auth(&token)
        .body("[".repeat(9));
    let answer = deep.send().await.unwrap();
    assert_eq!(answer.status(), 400);
    let said: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(said["error"]["code"], "json_too_deep", "{said}");
    // Without a token it is not said what is there.
    let nobody = client.get(format!("{}/api/tenants/zaxon", world.url));
    assert_eq!(nobody.send().await.unwrap().status(), 401);
    is_sound(&world).await;
}

#[tokio::test]
async fn a_client_that_gives_no_room_for_its_answer_is_cut() {
    let provider = Provider::start().await;
    let event = format!("data: {}\n\n", "x".repeat(16 << 10));
    provider.will([
        Act::Send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n".to_vec()),
        Act::Repeat(event.into_bytes(), 4_096),
    ]);
    let settings = [
        ("DIAMOND_SERVICES__OPENAI__BASE_URL", provider.url.as_str()),
        ("DIAMOND_SERVER__UNREAD_TIMEOUT_SECONDS", "1"),
    ];
    let world = World::start_with(&settings).await;
    world.tenant("zaxon").await;
    let key = json!({ "apiKey": "sk-sample-0001", "validate": false });
    let path = "/api/keys/openai/zaxon/dedicated";
    world.operate(Method::PUT, path, key).await.with(200);
    let token = world.token("zaxon", &["gateway"]).await;
    let body = json!({ "model": "gpt-4o-mini", "stream": true, "messages": [] });
    let answer = client()
        .post(format!("{}/gateway/openai/v1/chat/completions", world.url))
        .bearer_auth(&token)
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    // Pings are answered by the library all the while; the answer is not read.
    until("the call is cut", async || {
        !world.events("zaxon").await.is_empty()
    })
    .await;
    let events = world.events("zaxon").await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["outcome"], "cancelled", "{}", events[0]);
    assert_eq!(events[0]["partial"], true);
    assert!(answer.bytes().await.is_err());
    is_sound(&world).await;
}
