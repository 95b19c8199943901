//! What is written by the programs is what is committed.

use std::path::Path;

fn committed(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn openapi_json_is_current() {
    assert_eq!(
        committed("openapi.json"),
        diamond_api::openapi_json(),
        "run `make generate` and commit openapi.json"
    );
}

#[test]
fn the_configuration_reference_is_current() {
    assert_eq!(
        committed("docs/configuration.md"),
        diamond_server::config::reference(),
        "run `make generate` and commit docs/configuration.md"
    );
}

#[test]
fn the_document_and_the_router_name_the_same_routes() {
    let document: serde_json::Value = serde_json::from_str(&diamond_api::openapi_json()).unwrap();
    assert_eq!(document["openapi"].as_str().unwrap().get(..3), Some("3.1"));
    let mut documented = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            if ["get", "put", "post", "delete", "patch"].contains(&method.as_str()) {
                documented.push(format!("{} {path}", method.to_uppercase()));
            }
        }
    }
    let mut routed: Vec<String> = diamond_api::routes()
        .iter()
        .map(|route| format!("{} {}", route.method, route.path))
        .collect();
    documented.sort();
    routed.sort();
    assert_eq!(documented, routed);
}

#[test]
fn every_service_that_is_built_in_has_an_address_by_default() {
    let defaults: toml::Table = diamond_server::config::DEFAULT_FILE.parse().unwrap();
    for service in diamond_providers::all().services() {
        let address = &defaults["services"][service.as_str()]["base_url"];
        assert!(
            address.as_str().unwrap().starts_with("https://"),
            "{service}"
        );
    }
}
