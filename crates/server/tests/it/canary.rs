//! A key that must be nowhere but where it was sent.

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::World;

const CANARY: &str = "sk-canary-7f3a9c5e1b8d4602-never-print-this";

#[tokio::test]
async fn the_canary_is_found_nowhere() {
    let mut world = World::start_with(&[("DIAMOND_LOG__FILTER", "trace")]).await;
    world.tenant("zaxon").await;
    world
        .sim_post(
            "/_sim/keys",
            json!({ "service": "openai", "value": CANARY, "state": "active" }),
        )
        .await;
    let path = "/api/keys/openai/zaxon/dedicated";
    world
        .operate(Method::PUT, path, json!({ "apiKey": CANARY }))
        .await
        .with(200);
    let token = world.token("zaxon", crate::world::TENANT_SCOPES).await;
    let lease = world
        .send(
            Method::POST,
            "/api/keys/openai/zaxon",
            Some(&token),
            Some(&json!({})),
        )
        .await;
    assert_eq!(lease.with(200)["apiKey"], CANARY, "the canary lives");
    world.chat(&token, "gpt-4o-mini").await;
    // Everything that could go wrong with it goes wrong.
    world
        .sim_post(
            "/_sim/keys",
            json!({ "service": "openai", "value": CANARY, "state": "revoked" }),
        )
        .await;
    let body = json!({ "model": "gpt-4o-mini", "messages": [{ "role": "user", "content": "x" }] });
    let refused = world
        .call("chat/completions", &token, &body)
        .await
        .text()
        .await
        .unwrap();
    world
        .operate(Method::PUT, path, json!({ "apiKey": CANARY }))
        .await
        .refused(422);
    let mut places = vec![("the provider's refusal", refused)];
    for path in [
        "/api/audit",
        "/api/alarms",
        "/api/usage/events",
        "/api/tenants/zaxon/keys",
        "/metrics",
        "/openapi.json",
        "/api/seal",
    ] {
        let answer = world.operate(Method::GET, path, Value::Null).await;
        places.push((path, answer.json.to_string()));
    }
    // What other processes of this machine can see of it. (The environment is root's to read: the
    // process is not dumpable.)
    let process = format!("/proc/{}", world.server.id());
    for name in ["cmdline", "environ", "comm", "status"] {
        if let Ok(bytes) = std::fs::read(format!("{process}/{name}")) {
            places.push((name, String::from_utf8_lossy(&bytes).into_owned()));
        } else {
            assert!(
                !rustix::process::geteuid().is_root(),
                "root may read {name}"
            );
        }
    }
    world.server.terminate();
    assert!(world.server.wait().success());
    places.push(("the log", world.server.output()));
    for (place, text) in &places {
        assert!(!text.contains(CANARY), "the canary is in {place}");
        assert!(!text.contains(&token), "the token is in {place}");
    }
    for entry in walk(world.dir.path()) {
        let bytes = std::fs::read(&entry).unwrap();
        let found = |needle: &str| {
            bytes
                .windows(needle.len())
                .any(|part| part == needle.as_bytes())
        };
        assert!(!found(CANARY), "the canary is in {}", entry.display());
        assert!(!found(&token), "the token is in {}", entry.display());
    }
}

fn walk(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(walk(&path));
        } else {
            files.push(path);
        }
    }
    files
}
