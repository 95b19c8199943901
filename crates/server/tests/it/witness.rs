//! Signed checkpoints of the audit chain, kept elsewhere: they tell what the anchor cannot.

use std::path::{Path, PathBuf};

use diamond_test_support::{ServerProcess, binary};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    death::SmallDisk,
    world::{Answer, World, copy_folder},
};

/// A world whose audit chain has a witness in a folder of its own.
async fn witnessed(environment: &[(&str, &str)]) -> (World, tempfile::TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let (world, file) = witnessed_in(place.path(), environment).await;
    (world, place, file)
}

async fn witnessed_in(place: &Path, environment: &[(&str, &str)]) -> (World, PathBuf) {
    let file = place.join("witness/checkpoints.jsonl");
    std::fs::create_dir(file.parent().unwrap()).unwrap();
    let mut all = vec![
        ("DIAMOND_AUDIT__WITNESS_FILE", file.to_str().unwrap()),
        ("DIAMOND_AUDIT__CHECKPOINT_SECONDS", "1"),
    ];
    all.extend_from_slice(environment);
    (World::start_with(&all).await, file)
}

async fn lease(world: &World, token: &str) -> Answer {
    world
        .send(
            Method::POST,
            "/api/keys/openai/zaxon",
            Some(token),
            Some(&json!({})),
        )
        .await
}

fn stop(server: &mut ServerProcess) {
    server.terminate();
    assert!(server.wait().success());
}

/// `audit:verify --checkpoints`: its exit status and what it said.
async fn verify(world: &World, file: &Path, more: &[&str]) -> (i32, String) {
    let mut command = world.cli(&world.operator);
    command
        .args(["admin", "audit:verify", "--checkpoints"])
        .arg(file)
        .args(more);
    let output = tokio::process::Command::from(command)
        .output()
        .await
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    (output.status.code().unwrap(), said)
}

async fn status(world: &World) -> Value {
    world
        .operate(Method::GET, "/api/audit/status", Value::Null)
        .await
        .with(200)
}

#[tokio::test]
async fn a_witness_tells_of_a_folder_that_was_rolled_back() {
    let (mut world, place, file) = witnessed(&[]).await;
    let token = world.ready_tenant("zaxon").await;
    lease(&world, &token).await.with(200);
    stop(&mut world.server);
    // A copy of everything that the server has, as it is now: log, anchor and keys.
    let older = place.path().join("older");
    copy_folder(&world.data(), &older);
    world.start_server_again().await;
    for _ in 0..5 {
        lease(&world, &token).await.with(200);
    }
    stop(&mut world.server);
    world.start_server_again().await;
    let (code, said) = verify(&world, &file, &[]).await;
    assert_eq!(code, 0, "{said}");
    let key = status(&world).await["publicKey"]
        .as_str()
        .unwrap()
        .to_owned();
    // By the public key alone.
    let (code, said) = verify(&world, &file, &["--public-key", &key, "--offline"]).await;
    assert_eq!(code, 0, "{said}");
    let wrong = "00".repeat(32);
    let (code, _) = verify(&world, &file, &["--public-key", &wrong, "--offline"]).await;
    assert_eq!(code, 7);
    let text = std::fs::read_to_string(&file).unwrap();
    let forged = text.replacen("\"sequence\":", "\"sequence\":1", 1);
    let forged_file = place.path().join("forged.jsonl");
    std::fs::write(&forged_file, forged).unwrap();
    let (code, _) = verify(&world, &forged_file, &["--public-key", &key, "--offline"]).await;
    assert_eq!(code, 7);
    stop(&mut world.server);
    // The older copy is whole in itself, its anchor agrees with its log: only the witness knows.
    std::fs::remove_dir_all(world.data()).unwrap();
    copy_folder(&older, &world.data());
    let kept = place.path().join("kept.jsonl");
    std::fs::copy(&file, &kept).unwrap();
    world.start_server_again().await;
    let (code, said) = verify(&world, &kept, &[]).await;
    assert_eq!(code, 7, "{said}");
    assert!(said.contains("was cut"), "{said}");
    // The server asks its witness by itself, and rings.
    let alarms = world
        .operate(Method::GET, "/api/alarms", Value::Null)
        .await
        .with(200);
    assert!(alarms.to_string().contains("audit_broken"), "{alarms}");
    // It does not vouch for what it does not believe.
    stop(&mut world.server);
    assert_eq!(std::fs::read(&kept).unwrap(), std::fs::read(&file).unwrap());
}

#[tokio::test]
async fn a_witness_tells_of_a_log_that_was_rewritten_together_with_its_anchor() {
    let (mut world, place, file) = witnessed(&[]).await;
    let token = world.ready_tenant("zaxon").await;
    stop(&mut world.server);
    let older = place.path().join("older");
    copy_folder(&world.data(), &older);
    world.start_server_again().await;
    lease(&world, &token).await.with(200);
    stop(&mut world.server);
    let witnessed = checkpoint_of(&file)["sequence"].as_u64().unwrap();
    // Somebody with the keys writes another history over the one that was witnessed: as long or
    // longer, whole in itself, anchored.
    std::fs::remove_dir_all(world.data()).unwrap();
    copy_folder(&older, &world.data());
    let environment = std::mem::take(&mut world.environment);
    world.start_server_again().await;
    while status(&world).await["sequence"].as_u64().unwrap() <= witnessed {
        let body = json!({ "purpose": "another history" });
        world
            .operate(Method::POST, "/api/keys/openai/zaxon", body)
            .await
            .with(200);
    }
    let path = "/api/audit/verify";
    let verdict = world
        .operate(Method::GET, path, Value::Null)
        .await
        .with(200);
    assert_eq!(verdict["ok"], true, "log and anchor agree: {verdict}");
    stop(&mut world.server);
    world.environment = environment;
    let kept = place.path().join("kept.jsonl");
    std::fs::copy(&file, &kept).unwrap();
    world.start_server_again().await;
    let verdict = world
        .operate(Method::GET, path, Value::Null)
        .await
        .with(200);
    assert_eq!(verdict["ok"], false, "{verdict}");
    let (code, said) = verify(&world, &kept, &[]).await;
    assert_eq!(code, 7, "{said}");
    let alarms = world
        .operate(Method::GET, "/api/alarms", Value::Null)
        .await
        .with(200);
    assert!(alarms.to_string().contains("audit_broken"), "{alarms}");
    // It vouches for none of the other history.
    stop(&mut world.server);
    assert_eq!(std::fs::read(&kept).unwrap(), std::fs::read(&file).unwrap());
}

#[tokio::test]
async fn another_folder_in_the_place_of_the_witnessed_one_is_not_taken_for_it() {
    let (mut world, _place, file) = witnessed(&[]).await;
    let token = world.ready_tenant("zaxon").await;
    lease(&world, &token).await.with(200);
    stop(&mut world.server);
    let other = World::start().await;
    let key = checkpoint_of(&file)["publicKey"]
        .as_str()
        .unwrap()
        .to_owned();
    let (code, said) = verify(&other, &file, &["--public-key", &key]).await;
    assert_eq!(code, 7, "{said}");
    assert!(said.contains("not this node's"), "{said}");
}

fn checkpoint_of(file: &Path) -> Value {
    let text = std::fs::read_to_string(file).unwrap();
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

#[tokio::test]
async fn without_its_required_witness_no_key_leaves_until_it_is_back() {
    let (world, _place, file) = witnessed(&[
        ("DIAMOND_AUDIT__WITNESS_REQUIRED", "true"),
        ("DIAMOND_AUDIT__WITNESS_LAG_SECONDS_MAX", "1"),
    ])
    .await;
    let token = world.ready_tenant("zaxon").await;
    lease(&world, &token).await.with(200);
    let folder = file.parent().unwrap();
    std::fs::remove_dir_all(folder).unwrap();
    // Every lease leaves an entry that waits for the witness.
    let refused = loop {
        let answer = lease(&world, &token).await;
        if answer.status != 200 {
            break answer;
        }
    };
    assert_eq!(refused.refused(503), "audit_unwritable");
    assert_eq!(status(&world).await["closed"], true);
    let alarms = world
        .operate(Method::GET, "/api/alarms", Value::Null)
        .await
        .with(200);
    assert!(
        alarms.to_string().contains("witness_unreachable"),
        "{alarms}"
    );
    std::fs::create_dir(folder).unwrap();
    while lease(&world, &token).await.status != 200 {}
    assert_eq!(status(&world).await["closed"], false);
}

#[tokio::test]
async fn a_full_disk_of_the_witness_closes_and_opens_again_and_tears_no_line() {
    let place = tempfile::tempdir().unwrap();
    let disk = SmallDisk::mount(&place.path().join("volume"), 1);
    let (mut world, file) = witnessed_in(
        &place.path().join("volume"),
        &[
            ("DIAMOND_AUDIT__WITNESS_REQUIRED", "true"),
            ("DIAMOND_AUDIT__WITNESS_LAG_SECONDS_MAX", "1"),
        ],
    )
    .await;
    let token = world.ready_tenant("zaxon").await;
    lease(&world, &token).await.with(200);
    disk.fill();
    let refused = loop {
        let answer = lease(&world, &token).await;
        if answer.status != 200 {
            break answer;
        }
    };
    assert_eq!(refused.refused(503), "audit_unwritable");
    let alarms = world
        .operate(Method::GET, "/api/alarms", Value::Null)
        .await
        .with(200)
        .to_string();
    assert!(alarms.contains("witness_unreachable"), "{alarms}");
    assert!(alarms.contains("No space left"), "it says why: {alarms}");
    disk.empty();
    while lease(&world, &token).await.status != 200 {}
    stop(&mut world.server);
    world.start_server_again().await;
    // What did not fit whole hides nothing that came after it.
    let (code, said) = verify(&world, &file, &[]).await;
    assert_eq!(code, 0, "{said}");
    let covered = checkpoint_of(&file)["sequence"].as_u64().unwrap();
    assert!(covered > 4, "{covered}");
}

#[tokio::test]
async fn production_wants_the_witness_on_another_volume() {
    let folder = tempfile::tempdir().unwrap();
    let memory = tempfile::tempdir_in("/dev/shm").unwrap();
    let data = folder.path().join("data");
    let serve = async |profile: &str, file: &Path, allow: bool| {
        let mut server = ServerProcess::spawn(&binary("diamond-server"), |command| {
            command
                .args(["serve", "--listen", "127.0.0.1:0", "--profile", profile])
                .arg("--data-dir")
                .arg(&data)
                .env(
                    "DIAMOND_SECRETS__MASTER_KEY_FILE",
                    memory.path().join("key"),
                )
                .env("DIAMOND_AUDIT__WITNESS_FILE", file)
                .env(
                    "DIAMOND_AUDIT__ALLOW_WITNESS_ON_DATA_VOLUME",
                    allow.to_string(),
                );
        });
        if server.line_with_or_end("serving").await.is_some() {
            server.terminate();
        }
        (server.wait().success(), server.output())
    };
    // In the folder, beside it, and in a folder that is not there yet.
    for place in ["data/witness", "witness", "later/witness"] {
        let place = folder.path().join(place);
        let (served, said) = serve("production", &place, false).await;
        assert!(!served, "{said}");
        for word in [
            "same volume",
            "audit.witness_file",
            "allow_witness_on_data_volume",
        ] {
            assert!(said.contains(word), "{said}");
        }
    }
    // Overridden, and said all the same; elsewhere nothing is said.
    let beside = folder.path().join("witness");
    for (profile, allow) in [("production", true), ("development", false)] {
        let (served, said) = serve(profile, &beside, allow).await;
        assert!(served && said.contains("same volume"), "{said}");
    }
    let (served, said) = serve("production", &memory.path().join("witness"), false).await;
    assert!(served && !said.contains("witness file"), "{said}");
}

#[tokio::test]
async fn a_key_leaves_only_behind_a_checkpoint_when_that_is_asked_for() {
    let (mut world, _place, file) = witnessed(&[
        ("DIAMOND_AUDIT__WITNESS_BEFORE_REVEAL", "true"),
        ("DIAMOND_AUDIT__CHECKPOINT_SECONDS", "3600"),
    ])
    .await;
    let token = world.ready_tenant("zaxon").await;
    for _ in 0..3 {
        lease(&world, &token).await.with(200);
    }
    // Sudden death: what was handed out is in the witness all the same.
    world.server.kill();
    world.server.wait();
    assert_eq!(checkpoint_of(&file)["sequence"], 6);
}

#[tokio::test]
async fn a_webhook_hears_of_everything_in_order_also_after_it_was_down() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let world = World::start_with(&[
        (
            "DIAMOND_AUDIT__WITNESS_URL",
            &format!("http://{address}/checkpoints"),
        ),
        ("DIAMOND_AUDIT__CHECKPOINT_SECONDS", "1"),
    ])
    .await;
    world.tenant("zaxon").await;
    while status(&world).await["witnesses"][0]["trouble"].is_null() {}
    // It comes up, refuses once, then takes.
    let heard = std::sync::Arc::new(std::sync::Mutex::new(Vec::<Value>::new()));
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let router = axum::Router::new().route(
        "/checkpoints",
        axum::routing::post({
            let heard = heard.clone();
            async move |headers: http::HeaderMap, body: axum::body::Bytes| {
                assert!(headers.contains_key("x-diamond-signature"));
                let mut heard = heard.lock().unwrap();
                heard.push(serde_json::from_slice(&body).unwrap());
                if heard.len() == 1 {
                    http::StatusCode::SERVICE_UNAVAILABLE
                } else {
                    http::StatusCode::NO_CONTENT
                }
            }
        }),
    );
    let mut serving = tokio::task::JoinSet::new();
    serving.spawn(async move { axum::serve(listener, router).await });
    while status(&world).await["witnesses"][0]["sequence"].is_null() {}
    world.tenant("coaching").await;
    let reached = async || {
        let status = status(&world).await;
        status["witnesses"][0]["sequence"] == status["sequence"]
    };
    while !reached().await {}
    serving.shutdown().await;
    let heard = heard.lock().unwrap();
    let sequences: Vec<u64> = heard
        .iter()
        .map(|checkpoint| checkpoint["sequence"].as_u64().unwrap())
        .collect();
    assert!(sequences.len() >= 3, "{sequences:?}");
    assert!(sequences.is_sorted(), "{sequences:?}");
}

#[tokio::test]
async fn after_a_broken_chain_another_begins_and_the_break_stays_told() {
    let mut world = World::start().await;
    let token = world.ready_tenant("zaxon").await;
    lease(&world, &token).await.with(200);
    let anew = async |world: &World| {
        let reason = json!({ "reason": "the disk was restored from a bad copy" });
        world
            .operate(Method::POST, "/api/audit/begin-anew", reason)
            .await
    };
    assert_eq!(anew(&world).await.refused(409), "chain_holds");
    stop(&mut world.server);
    let segment = crate::audit::last_segment(&world);
    let length = std::fs::metadata(&segment).unwrap().len();
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(&segment)
        .unwrap();
    file.set_len(length - 40).unwrap();
    world.start_server_again().await;
    let verdict = async |world: &World| {
        let path = "/api/audit/verify";
        world
            .operate(Method::GET, path, Value::Null)
            .await
            .with(200)
    };
    assert_eq!(verdict(&world).await["outcome"], "truncated");
    let entry = anew(&world).await.with(201);
    assert_eq!(entry["action"], "chain_begin", "{entry}");
    assert!(entry["detail"].as_str().unwrap().contains("Truncated"));
    lease(&world, &token).await.with(200);
    assert_eq!(verdict(&world).await["ok"], true);
    // Over a restart too; what happened before is still listed and the old chain is still told of.
    stop(&mut world.server);
    world.start_server_again().await;
    assert_eq!(verdict(&world).await["ok"], true);
    let now = status(&world).await;
    assert_eq!(now["chain"], 2, "{now}");
    assert_eq!(now["earlier"][0]["intact"], true, "{now}");
    let entries = world
        .operate(Method::GET, "/api/audit?limit=1000", Value::Null)
        .await
        .with(200);
    let actions = entries["items"].as_array().unwrap();
    assert!(actions.iter().any(|e| e["action"] == "tenant_create"));
    let sequences: Vec<u64> = actions
        .iter()
        .map(|entry| entry["sequence"].as_u64().unwrap())
        .collect();
    assert!(sequences.is_sorted_by(|a, b| a < b), "{sequences:?}");
    // Whoever touches the evidence breaks the chain that seals it.
    stop(&mut world.server);
    let mut bytes = std::fs::read(&segment).unwrap();
    let place = bytes.len() / 2;
    bytes[place] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    world.start_server_again().await;
    assert_eq!(verdict(&world).await["ok"], false);
    assert_eq!(status(&world).await["earlier"][0]["intact"], false);
}
