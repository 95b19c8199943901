//! Ways to lead the gateway, or what stands behind it, astray: raw, because no client library would
//! send them.

use super::{ask, is_sound};
use crate::world::World;

#[tokio::test]
async fn a_path_that_two_servers_could_read_differently_goes_nowhere() {
    let world = World::start().await;
    let token = world.ready_tenant("zaxon").await;
    let calls = world.sim_get("/_sim/bill?service=openai").await;
    let plain = Some("path_not_plain");
    for (line, status, code) in [
        ("GET /gateway/openai/v1/../organization/costs", 400, plain),
        ("GET /gateway/openai/v1/./models", 400, plain),
        (
            "GET /gateway/openai/v1/%2e%2e/organization/costs",
            400,
            plain,
        ),
        (
            "GET /gateway/openai/v1/%2E%2E/organization/costs",
            400,
            plain,
        ),
        ("GET /gateway/openai/v1/.%2e/organization/costs", 400, plain),
        ("GET /gateway/openai/v1/%252e%252e/organization", 400, plain),
        ("GET /gateway/openai/v1%2forganization/costs", 400, plain),
        (
            "GET /gateway/openai/v1/models%2f..%2forganization",
            400,
            plain,
        ),
        ("GET /gateway/openai/v1//organization/costs", 400, plain),
        ("GET /gateway/openai//v1/models", 400, plain),
        (
            "GET /gateway/openai/v1/models\\..\\organization",
            400,
            plain,
        ),
        (
            "GET /gateway/openai/v1/models%5c..%5corganization",
            400,
            plain,
        ),
        ("GET /gateway/openai/v1/models%00", 400, plain),
        ("GET /gateway/openai/v1/models%0d%0ax:y", 400, plain),
        ("GET /gateway/openai/v1/models;a=b%3bc", 400, plain),
        ("GET /gateway/openai/v1/%6frganization/costs", 400, plain),
        ("GET /gateway/openai/v1/models%", 400, plain),
        ("GET /gateway/openai/v1/models%zz", 400, plain),
        (
            "GET /gateway/openai/v1/organization/costs",
            403,
            Some("management_route_refused"),
        ),
        (
            "GET /gateway/openai/models",
            404,
            Some("path_without_version"),
        ),
        ("GET /gateway/openai", 404, Some("unknown_service")),
        ("GET /gateway/", 404, Some("unknown_service")),
        ("GET /gateway/../api/tenants", 404, Some("unknown_service")),
        (
            "GET /gateway/%6fpenai/v1/models",
            404,
            Some("unknown_service"),
        ),
        (
            "GET /gateway/openai%2fv1/models",
            404,
            Some("unknown_service"),
        ),
        (
            "GET /gateway/OPENAI/v1/models",
            404,
            Some("unknown_service"),
        ),
        (
            "GET /gateway/nobody/v1/models",
            404,
            Some("unknown_service"),
        ),
        (
            "GET //gateway/openai/v1/models",
            404,
            Some("route_not_found"),
        ),
        (
            "GET /./gateway/openai/v1/models",
            404,
            Some("route_not_found"),
        ),
        (
            "GET /x/../gateway/openai/v1/models",
            404,
            Some("route_not_found"),
        ),
        (
            "GET /%67ateway/openai/v1/models",
            404,
            Some("route_not_found"),
        ),
        (
            "GET http://evil.example/gateway/openai/v1/models",
            400,
            Some("absolute_uri"),
        ),
        (
            "GET https://evil.example/gateway/openai/v1/models",
            400,
            Some("absolute_uri"),
        ),
        (
            "GET http://evil.example/nowhere",
            404,
            Some("route_not_found"),
        ),
        (
            "TRACE /gateway/openai/v1/models",
            400,
            Some("method_not_supported"),
        ),
        (
            "CONNECT /gateway/openai/v1/models",
            400,
            Some("method_not_supported"),
        ),
        ("CONNECT evil.example:443", 404, Some("route_not_found")),
        ("OPTIONS *", 404, Some("route_not_found")),
        ("GET \0", 400, None),
        ("GET /gateway/openai/v1/models\0", 400, None),
        ("GET /gateway/openai/v1/mod els", 400, None),
        ("G\u{e9}T /gateway/openai/v1/models", 400, None),
        ("", 400, None),
    ] {
        let request = format!(
            "{line} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
        );
        let heard = ask(&world, request).await;
        let said = (heard.status(), heard.code());
        assert_eq!(said, (status, code.map(str::to_owned)), "{line:?}");
    }
    // None of it reached the provider, none of it is an event.
    assert_eq!(world.sim_get("/_sim/bill?service=openai").await, calls);
    assert!(world.events("zaxon").await.is_empty());
    is_sound(&world).await;
}

#[tokio::test]
async fn nothing_is_upgraded_but_to_a_websocket_that_is_known() {
    let world = World::start().await;
    let token = world.ready_tenant("zaxon").await;
    for (path, fields, status, code) in [
        (
            "/gateway/openai/v1/models",
            "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAoAAA",
            400,
            Some("upgrade_not_supported"),
        ),
        (
            "/gateway/openai/v1/models",
            "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==",
            404,
            Some("websocket_not_supported"),
        ),
        // Half a handshake.
        (
            "/gateway/openai/v1/realtime",
            "connection: upgrade\r\nupgrade: websocket",
            400,
            Some("upgrade_not_supported"),
        ),
        // Without the word in `connection` it is no upgrade, and is not carried either.
        (
            "/gateway/openai/v1/models",
            "upgrade: h2c",
            400,
            Some("upgrade_not_supported"),
        ),
        // The API has nothing to upgrade to: the request is answered as if it had not asked.
        ("/healthz", "connection: upgrade\r\nupgrade: h2c", 200, None),
    ] {
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n{fields}\r\n\
             connection: close\r\n\r\n"
        );
        let heard = ask(&world, request).await;
        let said = (heard.status(), heard.code());
        assert_eq!(said, (status, code.map(str::to_owned)), "{path} {fields}");
        assert!(!heard.head().contains("\r\nupgrade:"), "{}", heard.head());
    }
    assert!(world.events("zaxon").await.is_empty());
    is_sound(&world).await;
}

#[tokio::test]
async fn a_head_beyond_its_limits_is_refused() {
    let settings = [
        ("DIAMOND_SERVER__URL_BYTES_MAX", "1000"),
        ("DIAMOND_SERVER__HEADER_BYTES_MAX", "5000"),
        ("DIAMOND_SERVER__HEADERS_MAX", "20"),
    ];
    let world = World::start_with(&settings).await;
    for path in ["/healthz", "/gateway/openai/v1/models"] {
        for (query, fields, status, code) in [
            ("a".repeat(1_001), String::new(), 414, Some("url_too_long")),
            // Beyond what the HTTP library itself reads.
            ("a".repeat(70_000), String::new(), 414, None),
            (
                String::new(),
                format!("x: {}\r\n", "x".repeat(5_000)),
                431,
                Some("headers_too_large"),
            ),
            (
                String::new(),
                format!("x: {}\r\n", "x".repeat(500_000)),
                431,
                None,
            ),
            (String::new(), "x: y\r\n".repeat(21), 431, None),
        ] {
            let request = format!(
                "GET {path}?{query} HTTP/1.1\r\nhost: x\r\n{fields}connection: close\r\n\r\n"
            );
            let heard = ask(&world, request).await;
            let said = (heard.status(), heard.code());
            assert_eq!(said, (status, code.map(str::to_owned)), "{path} {status}");
        }
    }
    is_sound(&world).await;
}
