//! Bad input to the API: each with its status and its code.

use reqwest::{Method, header};
use serde_json::{Value, json};

use super::{ask, is_sound};
use crate::{
    errors::must_be_documented,
    world::{TENANT_SCOPES, World},
};

/// Sends a body as it is and gives what was said of it.
async fn put(world: &World, path: &str, form: &str, body: impl Into<reqwest::Body>) -> String {
    let method = if path.contains("/api/keys/") {
        Method::PUT
    } else {
        Method::POST
    };
    let request = world
        .client
        .request(method, format!("{}{path}", world.url))
        .bearer_auth(&world.operator)
        .header(header::CONTENT_TYPE, form)
        .body(body);
    told(request.send().await.unwrap()).await
}

/// The status and code; nothing inside of us is told.
async fn told(response: reqwest::Response) -> String {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    for inner in ["src/", ".rs", "sqlx", "panicked", "SELECT", "diamond_"] {
        assert!(!text.contains(inner), "{text}");
    }
    let json: Value = serde_json::from_str(&text).unwrap();
    let code = json["error"]["code"].as_str().unwrap();
    must_be_documented(status, code);
    format!("{status} {code}")
}

#[tokio::test]
async fn a_body_that_is_none_is_refused_by_its_code() {
    let settings = [
        ("DIAMOND_API__BODY_BYTES_MAX", "4096"),
        ("DIAMOND_API__USAGE_BODY_BYTES_MAX", "8192"),
    ];
    let world = World::start_with(&settings).await;
    world.tenant("zaxon").await;
    let (json, tenants) = ("application/json", "/api/tenants");
    let event = "application/cloudevents+json";
    let key = "/api/keys/openai/zaxon/dedicated";
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let nested = format!(r#"{{"id":{}}}"#, deep(40));
    let report = |fields: &str| format!(r#"{{"service":"openai","model":"m",{fields}}}"#);
    let cloud_event = |fields: &str| {
        format!(
            r#"{{"specversion":"1.0","type":"diamond.usage.v1","id":"a","source":"/s","data":{}}}"#,
            report(fields)
        )
    };
    let many = format!("[{}1]", "1,".repeat(1_000));
    let cases = [
        (tenants, json, String::new(), "400 malformed_json"),
        (tenants, json, "{".into(), "400 malformed_json"),
        (tenants, json, "\u{0}".into(), "400 malformed_json"),
        (
            tenants,
            json,
            "{\"id\":\"acme\",\"tier\":\"managed-starter\"} {}".into(),
            "400 malformed_json",
        ),
        (tenants, json, "null".into(), "422 invalid_body"),
        (tenants, json, "[]".into(), "422 invalid_body"),
        (tenants, json, nested, "400 json_too_deep"),
        (tenants, json, deep(2_000), "400 json_too_deep"),
        (tenants, json, " ".repeat(4_097), "413 body_too_large"),
        (
            tenants,
            json,
            r#"{"id":"acme","tier":"managed-starter","tier":"managed-starter"}"#.into(),
            "422 invalid_body",
        ),
        (
            tenants,
            json,
            r#"{"id":"acme","tier":"managed-starter","colour":"red"}"#.into(),
            "422 invalid_body",
        ),
        (
            tenants,
            json,
            r#"{"id":"Acme/..","tier":"managed-starter"}"#.into(),
            "422 invalid_body",
        ),
        (
            tenants,
            "text/plain",
            "{}".into(),
            "415 unsupported_media_type",
        ),
        (
            tenants,
            "application/xml",
            "{}".into(),
            "415 unsupported_media_type",
        ),
        (tenants, "", "{}".into(), "415 unsupported_media_type"),
        (
            key,
            json,
            r#"{"apiKey":"with space"}"#.into(),
            "400 invalid_key_text",
        ),
        (
            key,
            json,
            r#"{"apiKey":"sk-x\r\nx: y"}"#.into(),
            "400 invalid_key_text",
        ),
        (
            "/api/keys/nobody/zaxon/dedicated",
            json,
            r#"{"apiKey":"sk-sample-0001"}"#.into(),
            "404 unknown_service",
        ),
        (
            "/api/usage",
            "text/csv",
            "a,b".into(),
            "415 unsupported_media_type",
        ),
        ("/api/usage", json, deep(40), "400 json_too_deep"),
        ("/api/usage", json, " ".repeat(8_193), "413 body_too_large"),
        ("/api/usage", json, many, "422 batch_too_large"),
        (
            "/api/usage",
            json,
            report(r#""id":"a","quantities":{"input_tokens":1,"input_tokens":2}"#),
            "422 invalid_body",
        ),
        (
            "/api/usage",
            json,
            report(r#""id":"a","quantities":{"input_tokens":1},"tags":{"a":"1","a":"2"}"#),
            "422 invalid_body",
        ),
        (
            "/api/usage",
            json,
            report(r#""id":"a","quantities":{"input_tokens":-1}"#),
            "422 invalid_body",
        ),
        (
            "/api/usage",
            json,
            report(r#""id":"a","quantities":{"input_tokens":18446744073709551616}"#),
            "422 invalid_body",
        ),
        (
            "/api/usage",
            json,
            report(r#""id":"a","quantities":{"input_tokens":1.5}"#),
            "422 invalid_body",
        ),
        (
            "/api/usage",
            event,
            cloud_event(r#""quantities":{"input_tokens":1,"input_tokens":2}"#),
            "422 invalid_body",
        ),
        (
            "/api/usage",
            event,
            cloud_event(r#""model":"m","quantities":{"input_tokens":1}"#),
            "422 invalid_body",
        ),
    ];
    for (path, form, body, expected) in cases {
        let shown = body.chars().take(80).collect::<String>();
        let said = put(&world, path, form, body).await;
        assert_eq!(said, expected, "{path} {form} {shown}");
    }
    is_sound(&world).await;
}

#[tokio::test]
async fn a_whole_number_may_be_written_with_a_point() {
    let world = World::start().await;
    let token = world.ready_tenant("zaxon").await;
    let report = json!({
        "id": "a", "service": "openai", "model": "gpt-4o-mini", "status": 200.0,
        "durationMs": 5e3, "quantities": { "input_tokens": 1_400_123_917.0 },
    });
    let path = "/api/usage";
    let answer = world.send(Method::POST, path, Some(&token), Some(&report));
    let answer = answer.await.with(200);
    assert_eq!(answer["taken"], 1, "{answer}");
    let events = world.events("zaxon").await;
    assert_eq!(events[0]["quantities"]["input_tokens"], 1_400_123_917_u64);
    assert_eq!(events[0]["durationMs"], 5_000);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_however_its_length_is_told() {
    let world = World::start_with(&[("DIAMOND_API__BODY_BYTES_MAX", "4096")]).await;
    let head = format!(
        "POST /api/tenants HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\nconnection: close\r\n",
        world.operator
    );
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
    for (framing, status, code) in [
        (
            format!("transfer-encoding: chunked\r\n\r\n{chunk}{chunk}0\r\n\r\n"),
            413,
            Some("body_too_large"),
        ),
        // Announced and never sent: it is not waited for.
        (
            "content-length: 99999999999\r\n\r\n{".into(),
            413,
            Some("body_too_large"),
        ),
        // Less than was sent: the rest is not of this request.
        (
            "content-length: 2\r\n\r\n{}GARBAGE".into(),
            422,
            Some("invalid_body"),
        ),
        (
            "content-length: 2\r\ncontent-length: 3\r\n\r\n{}".into(),
            400,
            None,
        ),
        ("content-length: -1\r\n\r\n".into(), 400, None),
        ("content-length: 1e3\r\n\r\n".into(), 400, None),
        (
            "transfer-encoding: chunked\r\n\r\nzz\r\n".into(),
            400,
            Some("body_broken_off"),
        ),
        ("transfer-encoding: gzip\r\n\r\nzz\r\n".into(), 400, None),
    ] {
        let heard = ask(&world, format!("{head}{framing}")).await;
        let shown: String = framing.chars().take(60).collect();
        assert_eq!(heard.status(), status, "{shown}");
        assert_eq!(heard.code().as_deref(), code, "{shown}");
    }
    is_sound(&world).await;
}

#[tokio::test]
async fn malformed_names_are_400_and_strangers_are_404() {
    let world = World::start().await;
    let own = world.ready_tenant("own").await;
    world.tenant("zaxon").await;
    let hers = world.token("zaxon", TENANT_SCOPES).await;
    let made = world
        .operate(Method::GET, "/api/tokens?tenantId=own", Value::Null)
        .await
        .with(200);
    let id = made["items"][0]["id"].as_str().unwrap().to_owned();
    for (method, path, token, expected) in [
        (
            Method::GET,
            "/api/tenants/UPPER".into(),
            &own,
            "400 invalid_path",
        ),
        (
            Method::GET,
            "/api/tenants/a%2Fb".into(),
            &own,
            "400 invalid_path",
        ),
        (
            Method::GET,
            "/api/tenants/%00".into(),
            &own,
            "400 invalid_path",
        ),
        (
            Method::GET,
            "/api/tenants/%0d%0ax".into(),
            &own,
            "400 invalid_path",
        ),
        (
            Method::GET,
            "/api/tenants/%ff%fe".into(),
            &own,
            "400 invalid_path",
        ),
        (
            Method::GET,
            format!("/api/tenants/{}", "a".repeat(300)),
            &own,
            "400 invalid_path",
        ),
        (
            Method::GET,
            "/api/tokens/tok_1".into(),
            &own,
            "400 invalid_path",
        ),
        (
            Method::GET,
            format!("/api/tokens/{}", id.replace("tok_", "req_")),
            &own,
            "400 invalid_path",
        ),
        (
            Method::GET,
            "/api/keys/Open-AI/own/versions".into(),
            &own,
            "400 invalid_path",
        ),
        (
            Method::DELETE,
            "/api/keys/openai/own/versions/0".into(),
            &own,
            "400 invalid_path",
        ),
        (
            Method::DELETE,
            "/api/keys/openai/own/versions/99999999999".into(),
            &own,
            "400 invalid_path",
        ),
        (
            Method::DELETE,
            "/api/keys/openai/own/versions/7".into(),
            &own,
            "404 version_not_found",
        ),
        (
            Method::GET,
            "/api/usage/events?eventId=evt_x".into(),
            &own,
            "400 invalid_query",
        ),
        (
            Method::GET,
            "/api/usage/events?cursor=%00".into(),
            &own,
            "400 invalid_cursor",
        ),
        (
            Method::GET,
            "/api/usage/events?limit=1&limit=2".into(),
            &own,
            "400 invalid_query",
        ),
        (
            Method::GET,
            "/api/usage/events?user=a%0d%0ab".into(),
            &own,
            "400 invalid_query",
        ),
        (
            Method::GET,
            "/api/analytics/tpc/own/series?stepSeconds=31622401".into(),
            &own,
            "400 invalid_step",
        ),
        (Method::GET, "/api/../api/tenants/own".into(), &own, "200"),
        // A stranger's things are not there.
        (
            Method::GET,
            "/api/tenants/own".into(),
            &hers,
            "404 tenant_not_found",
        ),
        (
            Method::GET,
            "/api/keys/openai/own/versions".into(),
            &hers,
            "404 tenant_not_found",
        ),
        (
            Method::GET,
            format!("/api/tokens/{id}"),
            &hers,
            "404 token_not_found",
        ),
        (
            Method::DELETE,
            format!("/api/tokens/{id}"),
            &hers,
            "404 token_not_found",
        ),
        (
            Method::GET,
            "/api/analytics/tpc/own".into(),
            &hers,
            "404 tenant_not_found",
        ),
        (
            Method::GET,
            "/api/usage/events?tenantId=own".into(),
            &hers,
            "404 tenant_not_found",
        ),
        (
            Method::GET,
            "/api/nowhere".into(),
            &own,
            "404 route_not_found",
        ),
        (
            Method::PUT,
            "/api/tenants/own".into(),
            &own,
            "405 method_not_allowed",
        ),
    ] {
        let answer = world.send(method, &path, Some(token), None).await;
        let status = answer.status.as_u16();
        let code = answer.json["error"]["code"].as_str();
        let said = code.map_or_else(|| status.to_string(), |code| format!("{status} {code}"));
        assert_eq!(said, expected, "{path}");
    }
    is_sound(&world).await;
}

#[tokio::test]
async fn tokens_that_prove_nothing_are_told_apart() {
    let world = World::start().await;
    let token = world.ready_tenant("zaxon").await;
    let ask = async |token: Option<&str>, gateway: bool| {
        let path = if gateway {
            "/gateway/openai/v1/models"
        } else {
            "/api/tenants/zaxon"
        };
        world
            .send(Method::GET, path, token, None)
            .await
            .refused(401)
    };
    let last = if token.ends_with('a') { "b" } else { "a" };
    let wrong = format!("{}{last}", &token[..token.len() - 1]);
    for gateway in [false, true] {
        assert_eq!(ask(None, gateway).await, "missing_token");
        for text in ["sk-proj-abc", "dmd_", "dmd_ä", &"dmd_x".repeat(500), &wrong] {
            let code = ask(Some(text), gateway).await;
            let known = ["malformed_token", "unknown_token", "missing_token"];
            assert!(known.contains(&code.as_str()), "{text}: {code}");
        }
    }
    let made = |name: &str| {
        json!({
            "tenantId": "zaxon", "name": name, "owner": "o", "purpose": "p",
            "scopes": ["tenants:admin", "gateway"],
        })
    };
    let short = world
        .operate(Method::POST, "/api/tokens", made("short"))
        .await
        .with(201);
    let id = short["id"].as_str().unwrap();
    let path = format!("/api/tokens/{id}");
    world
        .operate(Method::DELETE, &path, Value::Null)
        .await
        .with(200);
    let revoked = short["token"].as_str();
    assert_eq!(ask(revoked, false).await, "revoked_token");
    assert_eq!(ask(revoked, true).await, "revoked_token");
    // One second to live; asked until it is over.
    let mut soon = made("soon");
    let end = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(2);
    soon["expiresAt"] = json!(end.to_string());
    let soon = world.operate(Method::POST, "/api/tokens", soon).await;
    let soon = soon.with(201)["token"].as_str().unwrap().to_owned();
    super::until("the token expires", async || {
        let answer = world.send(Method::GET, "/api/tenants/zaxon", Some(&soon), None);
        answer.await.status == 401
    })
    .await;
    assert_eq!(ask(Some(&soon), false).await, "expired_token");
    assert_eq!(ask(Some(&soon), true).await, "expired_token");
    is_sound(&world).await;
}
