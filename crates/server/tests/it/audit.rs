//! The chain of who touched which key.

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::World;

/// Hands out a key some times, then stops the server cleanly, so that everything is anchored.
async fn some_history(world: &mut World) {
    let token = world.ready_tenant("zaxon").await;
    for _ in 0..5 {
        world
            .send(
                Method::POST,
                "/api/keys/openai/zaxon",
                Some(&token),
                Some(&json!({})),
            )
            .await
            .with(200);
    }
    world.server.terminate();
    assert!(world.server.wait().success());
}

async fn verify(world: &World) -> Value {
    world
        .operate(Method::GET, "/api/audit/verify", Value::Null)
        .await
        .with(200)
}

pub fn last_segment(world: &World) -> std::path::PathBuf {
    let mut segments: Vec<_> = std::fs::read_dir(world.data().join("audit"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file() && path.metadata().unwrap().len() > 0)
        .collect();
    segments.sort();
    segments.pop().unwrap()
}

#[tokio::test]
async fn a_whole_chain_is_proved() {
    let mut world = World::start().await;
    some_history(&mut world).await;
    world.start_server_again().await;
    let verdict = verify(&world).await;
    assert_eq!(verdict["ok"], true, "{verdict}");
    // A tenant, a key, a token, five reveals.
    assert_eq!(verdict["entries"], 8, "{verdict}");
}

#[tokio::test]
async fn a_cut_tail_is_found() {
    let mut world = World::start().await;
    some_history(&mut world).await;
    // The last record, cut off cleanly: in itself the rest is a perfect chain.
    let path = last_segment(&world);
    let bytes = std::fs::read(&path).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("key_reveal"), "entries are readable JSON");
    let shorter = bytes.len() - 40;
    std::fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(shorter as u64)
        .unwrap();
    world.start_server_again().await;
    let verdict = verify(&world).await;
    assert_eq!(verdict["ok"], false, "{verdict}");
    assert_eq!(verdict["outcome"], "truncated", "{verdict}");
    let status = world
        .cli(&world.operator)
        .args(["admin", "audit:verify"])
        .output()
        .unwrap();
    assert_eq!(status.status.code(), Some(7), "{status:?}");
}

#[tokio::test]
async fn a_cut_tail_stays_found_however_much_is_written_after_it() {
    let mut world = World::start().await;
    some_history(&mut world).await;
    let path = last_segment(&world);
    let length = std::fs::metadata(&path).unwrap().len();
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(length - 40).unwrap();
    world.start_server_again().await;
    // Past the place that was anchored, and over another start.
    for _ in 0..10 {
        let body = json!({ "purpose": "growing over it" });
        world
            .operate(Method::POST, "/api/keys/openai/zaxon", body)
            .await
            .with(200);
    }
    world.server.terminate();
    assert!(world.server.wait().success());
    world.start_server_again().await;
    let verdict = verify(&world).await;
    assert_eq!(verdict["ok"], false, "{verdict}");
    let alarms = world
        .operate(Method::GET, "/api/alarms", Value::Null)
        .await
        .with(200);
    assert!(alarms.to_string().contains("audit_broken"), "{alarms}");
}

#[tokio::test]
async fn nobody_is_served_when_the_chain_cannot_be_written() {
    let mut world = World::start().await;
    let token = world.ready_tenant("zaxon").await;
    let lease = async |world: &World| {
        world
            .send(
                Method::POST,
                "/api/keys/openai/zaxon",
                Some(&token),
                Some(&json!({})),
            )
            .await
    };
    lease(&world).await.with(200);
    world.server.terminate();
    assert!(world.server.wait().success());
    // A folder that is not ours any more cannot be written, whoever we are.
    let audit = world.data().join("audit");
    std::fs::rename(&audit, world.data().join("audit.away")).unwrap();
    std::fs::write(&audit, "in the way").unwrap();
    let said = world.refuses_to_start();
    assert!(said.contains("audit"), "it says why: {said}");
}

#[tokio::test]
async fn a_verdict_and_a_report_say_of_which_node_they_are_and_of_which_not() {
    let database = diamond_test_support::postgres().await;
    let url = ("DIAMOND_DATABASE__URL", database.url());
    let first = World::start_with(&[url]).await;
    let key = first.data().join("master-key");
    let key = ("DIAMOND_SECRETS__MASTER_KEY_FILE", key.to_str().unwrap());
    let second = World::join(&first, &[url, key]).await;
    let node = async |world: &World| {
        let path = "/api/audit/status";
        let status = world.operate(Method::GET, path, Value::Null).await;
        status.with(200)["node"].clone()
    };
    let (one, other) = (node(&first).await, node(&second).await);
    assert_ne!(one, other);
    for (world, own, not) in [(&first, &one, &other), (&second, &other, &one)] {
        // The other one is known as soon as it has reported.
        let coverage = loop {
            let coverage = verify(world).await["coverage"].clone();
            if coverage["notCovered"] != json!([]) {
                break coverage;
            }
        };
        assert_eq!(&coverage["node"], own);
        assert_eq!(&coverage["notCovered"][0]["node"], not);
        let path = "/api/incidents?address=127.0.0.1";
        let report = world
            .operate(Method::GET, path, Value::Null)
            .await
            .with(200);
        let told = &report["summary"]["coverage"];
        assert_eq!(&told["node"], own, "{report}");
        assert_eq!(&told["notCovered"][0]["node"], not, "{report}");
    }
    let said = first
        .cli(&first.operator)
        .args(["admin", "audit:verify"])
        .output()
        .unwrap();
    let said = String::from_utf8(said.stderr).unwrap();
    assert!(said.contains("not covered: the node"), "{said}");
    assert!(said.contains(other.as_str().unwrap()), "{said}");
}
