//! User ids and tags from outside, by header, body and query: nothing is cut, merged or let
//! through.

use reqwest::Method;
use serde_json::json;

use super::{ask, is_sound};
use crate::world::World;

#[tokio::test]
async fn a_header_that_names_the_user_is_sound_or_refused() {
    let world = World::start().await;
    let token = world.ready_tenant("zaxon").await;
    let long = format!("x-diamond-user: {}", "u".repeat(129));
    let tag = format!("x-diamond-tags: k={}", "v".repeat(257));
    let many = (0..17).map(|n| format!("k{n}=v,")).collect::<String>();
    let many = format!("x-diamond-tags: {many}");
    let cases: &[(&[u8], u16, Option<&str>)] = &[
        // A bare line end would begin a header, or a request, of the attacker's.
        ("x-diamond-user: a\rb".as_bytes(), 400, None),
        (b"x-diamond-user: a\0b", 400, None),
        (b"x-diamond-user: a\x7fb", 400, None),
        (b"x-diamond-user: a\n folded", 400, None),
        (b"x-diamond user: a", 400, None),
        (b"x-diamond-user: \xff\xfe", 400, Some("malformed_header")),
        (
            "x-diamond-user: a\u{85}b".as_bytes(),
            400,
            Some("malformed_header"),
        ),
        (b"x-diamond-user:", 400, Some("malformed_header")),
        (
            b"x-diamond-user: a\r\nx-diamond-user: b",
            400,
            Some("malformed_header"),
        ),
        (long.as_bytes(), 400, Some("malformed_header")),
        (b"x-diamond-tags: novalue", 400, Some("malformed_header")),
        (b"x-diamond-tags: a=1,a=2", 400, Some("malformed_header")),
        (
            b"x-diamond-tags: a=1\r\nx-diamond-tags: b=2",
            400,
            Some("malformed_header"),
        ),
        (b"x-diamond-tags: \xff=1", 400, Some("malformed_header")),
        (tag.as_bytes(), 400, Some("malformed_header")),
        (many.as_bytes(), 400, Some("malformed_header")),
        (b"x-diamond-tenant: ../own", 400, Some("malformed_header")),
        (b"x-diamond-tenant: other", 404, Some("tenant_not_found")),
        (
            "x-diamond-user: Zo\u{eb} \u{1f98a}\r\nx-diamond-tags: team = bl\u{fc}".as_bytes(),
            200,
            None,
        ),
    ];
    for (lines, status, code) in cases {
        let mut request = format!(
            "GET /gateway/openai/v1/models HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
             connection: close\r\n"
        )
        .into_bytes();
        request.extend_from_slice(lines);
        request.extend_from_slice(b"\r\n\r\n");
        let heard = ask(&world, request).await;
        let shown = String::from_utf8_lossy(lines);
        let said = (heard.status(), heard.code());
        assert_eq!(said, (*status, code.map(str::to_owned)), "{shown:?}");
    }
    // Only the last one was carried, under its user's whole name.
    let events = world.events("zaxon").await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["userId"], "Zo\u{eb} \u{1f98a}");
    assert_eq!(events[0]["tags"], json!({ "team": "bl\u{fc}" }));
    is_sound(&world).await;
}

#[tokio::test]
async fn a_body_or_a_query_that_names_the_user_is_sound_or_refused() {
    let world = World::start().await;
    let token = world.ready_tenant("zaxon").await;
    let long = "u".repeat(129);
    for user in [
        "",
        "a\r\nx-injected: 1",
        "a\u{0}",
        "a\u{7f}",
        "a\u{85}",
        &long,
    ] {
        let report = json!({
            "id": "a", "service": "openai", "model": "gpt-4o-mini", "userId": user,
            "quantities": { "input_tokens": 1 },
        });
        let answer = world.send(Method::POST, "/api/usage", Some(&token), Some(&report));
        assert_eq!(answer.await.refused(422), "invalid_body", "{user:?}");
        let lease = json!({ "userId": user });
        let path = "/api/keys/openai/zaxon";
        let answer = world.send(Method::POST, path, Some(&token), Some(&lease));
        assert_eq!(answer.await.refused(422), "invalid_body", "{user:?}");
        let text: String = user.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let path = format!("/api/usage/events?user={text}");
        let answer = world.send(Method::GET, &path, Some(&token), None).await;
        assert_eq!(answer.refused(400), "invalid_query", "{user:?}");
    }
    for tags in [
        json!({ "": "v" }),
        json!({ "k\r\nx": "v" }),
        json!({ "k": "v\u{0}" }),
        json!({ "k": "v".repeat(257) }),
        json!({ ("k".repeat(65)): "v" }),
        json!(
            (0..17)
                .map(|n| (n.to_string(), "v"))
                .collect::<std::collections::BTreeMap<_, _>>()
        ),
    ] {
        let report = json!({
            "id": "b", "service": "openai", "model": "gpt-4o-mini", "tags": tags,
            "quantities": { "input_tokens": 1 },
        });
        let answer = world.send(Method::POST, "/api/usage", Some(&token), Some(&report));
        let verdict = answer.await.with(200)["items"][0]["verdict"].clone();
        assert_eq!(verdict, "invalid", "{tags}");
    }
    assert!(world.events("zaxon").await.is_empty());
    is_sound(&world).await;
}
