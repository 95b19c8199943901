//! The data folder: nothing missing from it is passed over in silence.

use std::os::unix::fs::PermissionsExt;

use crate::world::World;

#[tokio::test]
async fn a_folder_that_lacks_a_part_is_refused_by_the_parts_name() {
    let mut world = World::start().await;
    let token = world.ready_tenant("zaxon").await;
    world.chat(&token, "gpt-4o-mini").await;
    world.server.terminate();
    assert!(world.server.wait().success());
    for part in ["events", "users", "audit", "control.db", "master-key"] {
        let (there, away) = (world.data().join(part), world.dir.path().join("away"));
        std::fs::rename(&there, &away).unwrap();
        let said = world.refuses_to_start();
        assert!(said.contains(part), "{part}: {said}");
        assert!(!there.exists(), "{part} was made anew");
        std::fs::rename(&away, &there).unwrap();
    }
    world.start_server_again().await;
    assert_eq!(world.events("zaxon").await.len(), 1);
}

#[tokio::test]
async fn a_folder_of_another_installation_is_refused() {
    let mut world = World::start().await;
    let other = World::start().await;
    world.server.terminate();
    assert!(world.server.wait().success());
    let strange = other.data().join("node.json");
    std::fs::copy(strange, world.data().join("node.json")).unwrap();
    let said = world.refuses_to_start();
    assert!(said.contains("belongs to the installation"), "{said}");
}

#[tokio::test]
async fn what_is_kept_is_for_the_owners_eyes_alone() {
    let world = World::start().await;
    let token = world.ready_tenant("zaxon").await;
    world.chat(&token, "gpt-4o-mini").await;
    let mut folders = vec![world.data()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let mode = path.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", path.display());
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
}

#[tokio::test]
async fn each_node_on_one_database_has_an_audit_chain_of_its_own() {
    let database = diamond_test_support::postgres().await;
    // Sealed keys are shared, so the master key is too.
    let shared = tempfile::tempdir().unwrap();
    let key = shared.path().join("master-key");
    let environment = [
        ("DIAMOND_DATABASE__URL", database.url()),
        ("DIAMOND_SECRETS__MASTER_KEY_FILE", key.to_str().unwrap()),
    ];
    let one = World::start_with(&environment).await;
    let token = one.ready_tenant("zaxon").await;
    let other = World::join(&one, &environment).await;
    let lease = async |world: &World| {
        let body = serde_json::json!({});
        let path = "/api/keys/openai/zaxon";
        world
            .send(reqwest::Method::POST, path, Some(&token), Some(&body))
            .await
            .with(200);
    };
    lease(&one).await;
    lease(&other).await;
    for world in [&one, &other] {
        let path = "/api/audit/verify";
        let nothing = serde_json::Value::Null;
        let verdict = world
            .operate(reqwest::Method::GET, path, nothing)
            .await
            .with(200);
        assert_eq!(verdict["ok"], true, "{verdict}");
    }
}
