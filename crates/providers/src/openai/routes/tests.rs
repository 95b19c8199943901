use super::*;

fn operation(method: &str, path: &str) -> Result<&'static str, &'static str> {
    match classify(&method.parse().unwrap(), path) {
        Classified::Forward(route) => Ok(route.operation),
        Classified::Refuse(refused) => Err(refused.code),
    }
}

#[test]
fn every_path_of_the_api_has_a_class() {
    // Paths and methods of OpenAI's OpenAPI document.
    let paths = include_str!("../../../fixtures/openai/paths.txt");
    for line in paths.lines() {
        let mut words = line.split(' ');
        let path = words.next().unwrap();
        let concrete: String = path
            .split('/')
            .map(|segment| {
                if segment.starts_with('{') {
                    "abc_123"
                } else {
                    segment
                }
            })
            .collect::<Vec<_>>()
            .join("/");
        for method in words {
            let class = operation(method, &format!("/v1{concrete}"));
            if path.starts_with("/organization") || path.starts_with("/projects") {
                assert_eq!(class, Err("management_route_refused"), "{method} {path}");
            } else {
                assert!(class.is_ok_and(|name| name != "unknown"), "{method} {path}");
            }
        }
    }
}

#[test]
fn ways_around_are_closed() {
    for path in [
        "/v1/organization/admin_api_keys",
        "/v1/Organization/projects",
        "/v1/organization;x=1/costs",
        "/v1/organizations",
        "/organization/users",
        "/v1//organization/users",
        "/dashboard/billing/usage",
    ] {
        assert_eq!(
            operation("GET", path),
            Err("management_route_refused"),
            "{path}"
        );
    }
    assert_eq!(
        operation("POST", "/chat/completions"),
        Err("path_without_version")
    );
    assert_eq!(operation("GET", "/v1/realtime"), Err("websocket_expected"));
    assert_eq!(operation("POST", "/v1/brand/new"), Ok("unknown"));
    assert_eq!(operation("PUT", "/v1/chat/completions"), Ok("unknown"));
    assert_eq!(
        operation("POST", "/v1/chat/completions/"),
        Ok("chat.completions")
    );
}
