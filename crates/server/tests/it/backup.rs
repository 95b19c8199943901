//! Backups: taken under load, brought back elsewhere, compared, released.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Output,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use diamond_test_support::{ServerProcess, binary, postgres};
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{TENANT_SCOPES, World, to_end};

/// A canary that must not be readable in any archive.
const CANARY: &str = "sk-canary-0123456789-backup";

fn take(world: &World, to: &Path) -> Output {
    let mut command = world.cli(&world.operator);
    command.args(["admin", "backup", "--to"]).arg(to);
    command.output().unwrap()
}

/// Calls, reports, keys and tokens without a pause, until it is stopped.
fn load(world: &World, token: &str, stop: &Arc<AtomicBool>) -> tokio::task::JoinSet<()> {
    let mut callers = tokio::task::JoinSet::new();
    for number in 0..6 {
        let (client, url, stop) = (world.client.clone(), world.url.clone(), Arc::clone(stop));
        let (token, operator) = (token.to_owned(), world.operator.clone());
        callers.spawn(async move {
            for round in 0.. {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let (path, body, token) = match number % 3 {
                    0 => (
                        "/gateway/openai/v1/chat/completions".to_owned(),
                        json!({ "model": "gpt-4o-mini",
                                "messages": [{ "role": "user", "content": "hello" }] }),
                        &token,
                    ),
                    1 => (
                        "/api/usage".to_owned(),
                        json!({ "id": format!("report-{number}-{round}"), "service": "openai",
                                "model": "gpt-4o-mini", "quantities": { "input_tokens": 7 },
                                "userId": format!("user-{round}") }),
                        &token,
                    ),
                    _ => (
                        "/api/tokens".to_owned(),
                        json!({ "tenantId": "zaxon", "name": "n", "owner": "o", "purpose": "p",
                                "scopes": ["keys:read"] }),
                        &operator,
                    ),
                };
                let request = client
                    .post(format!("{url}{path}"))
                    .bearer_auth(token)
                    .json(&body);
                assert!(to_end(request.send().await.unwrap()).await < 300);
            }
        });
    }
    callers
}

fn restore(archive: &Path, data: &Path, environment: &[(String, String)]) -> (Option<i32>, String) {
    let mut process = ServerProcess::spawn(&binary("diamond-server"), |command| {
        command
            .args(["restore", "--from"])
            .arg(archive)
            .arg("--data-dir")
            .arg(data)
            .envs(environment.iter().map(|(name, value)| (name, value)));
    });
    let status = process.wait();
    (status.code(), process.output())
}

/// A folder in which nothing is but the master key of another.
fn with_key_of(data: &Path) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("data");
    fs::create_dir(&folder).unwrap();
    fs::copy(data.join("master-key"), folder.join("master-key")).unwrap();
    (dir, folder)
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

async fn all_events(world: &World) -> BTreeMap<u64, Value> {
    let mut events = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/api/usage/events?tenantId=zaxon&limit=1000{cursor}");
        let page = world
            .operate(Method::GET, &path, Value::Null)
            .await
            .with(200);
        for event in page["items"].as_array().unwrap() {
            events.insert(event["ledgerSequence"].as_u64().unwrap(), event.clone());
        }
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return events,
        }
    }
}

async fn restored(world: &World) -> Value {
    world
        .operate(Method::GET, "/api/restore", Value::Null)
        .await
        .with(200)
}

#[tokio::test]
async fn a_backup_under_load_is_one_moment_and_comes_back_into_quarantine() {
    let mut world = World::start().await;
    let token = world.ready_tenant("zaxon").await;
    world.tenant("canary").await;
    let body = json!({ "apiKey": CANARY, "validate": false });
    world
        .operate(Method::PUT, "/api/keys/openai/canary/dedicated", body)
        .await
        .with(200);
    let stop = Arc::new(AtomicBool::new(false));
    let mut callers = load(&world, &token, &stop);
    while all_events(&world).await.len() < 20 {}
    let kept = tempfile::tempdir().unwrap();
    let archive = kept.path().join("backup.tar");
    let taken = take(&world, &archive);
    assert!(taken.status.success(), "{taken:?}");
    let again = take(&world, &archive);
    assert_eq!(again.status.code(), Some(2), "it takes nobody's place");
    stop.store(true, Ordering::Relaxed);
    while let Some(caller) = callers.join_next().await {
        caller.unwrap();
    }
    let before = all_events(&world).await;
    world.server.kill();
    world.server.wait();

    // What is secret is not readable in it, and the master key is not in it at all.
    let bytes = fs::read(&archive).unwrap();
    let key = fs::read_to_string(world.data().join("master-key")).unwrap();
    let key = key.trim().rsplit(':').next().unwrap();
    for secret in [CANARY, key, world.operator.as_str(), token.as_str()] {
        let found = bytes
            .windows(secret.len())
            .any(|text| text == secret.as_bytes());
        assert!(!found, "a secret stands in the archive");
    }

    let (dir, folder) = with_key_of(&world.data());
    let (status, said) = restore(&archive, &folder, &[]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("quarantine"), "{said}");
    world.dir = dir;
    world.start_server_again().await;

    let status = restored(&world).await;
    assert_eq!(status["quarantined"], true);
    let counted = &status["comparison"]["counted"];
    let cut = counted["ledgerSequence"].as_u64().unwrap();
    let after = all_events(&world).await;
    assert!(after.len() as u64 >= cut && cut >= 20);
    for (sequence, event) in &after {
        if let Some(known) = before
            .get(sequence)
            .filter(|known| known["outcome"] == event["outcome"])
        {
            assert_eq!(known, event);
        } else {
            // Under way at the moment of the backup: lost to this installation, and booked so.
            assert!(*sequence > cut && event["outcome"] == "lost", "{event}");
        }
    }
    let found = &status["comparison"];
    assert_eq!(found["unreadableVersions"], 0);
    assert_eq!(found["tenants"], counted["rows"]["tenants"]);
    assert_eq!(found["liveTokens"], counted["rows"]["tokens"]);
    assert!(found["auditEntries"].as_u64() >= counted["auditSequence"].as_u64());
    assert!(
        found["recent"]
            .as_array()
            .unwrap()
            .iter()
            .any(|change| change["kind"] == "key"),
        "what may have been revoked since is named"
    );
    // Keys open, calls are carried; what cannot be taken back waits.
    let lease = world
        .send(
            Method::POST,
            "/api/keys/openai/canary",
            Some(&world.operator),
            Some(&json!({ "purpose": "drill" })),
        )
        .await
        .with(200);
    assert_eq!(lease["apiKey"], CANARY);
    world.chat(&token, "gpt-4o-mini").await;
    let refused = world
        .operate(Method::POST, "/api/seal/rekey", Value::Null)
        .await
        .refused(409);
    assert_eq!(refused, "restore_quarantine");
    let alarms = world
        .operate(Method::GET, "/api/alarms", Value::Null)
        .await
        .with(200);
    assert!(alarms.to_string().contains("restore_quarantine"));

    // A restart does not release; nor does whoever has not looked.
    world.server.kill();
    world.server.wait();
    world.start_server_again().await;
    let digest = restored(&world).await["digest"]
        .as_str()
        .unwrap()
        .to_owned();
    let release = |digest: &str| {
        let mut command = world.cli(&world.operator);
        command.args([
            "admin",
            "restore:release",
            "--reason",
            "compared",
            "--digest",
            digest,
        ]);
        command.output().unwrap()
    };
    assert_eq!(release("0000000000000000").status.code(), Some(5));
    let shown = world
        .cli(&world.operator)
        .args(["admin", "restore:status"])
        .output()
        .unwrap();
    assert!(String::from_utf8(shown.stderr).unwrap().contains(&digest));
    assert!(release(&digest).status.success());
    let status = restored(&world).await;
    assert_eq!(status["quarantined"], false);
    assert_eq!(status["released"]["reason"], "compared");
    let verdict = world
        .operate(Method::GET, "/api/audit/verify", Value::Null)
        .await
        .with(200);
    assert_eq!(verdict["ok"], true);
}

/// A small installation, its archive, and its folder.
async fn small() -> (World, tempfile::TempDir, PathBuf) {
    let mut world = World::start().await;
    let token = world.ready_tenant("zaxon").await;
    world.chat(&token, "gpt-4o-mini").await;
    let kept = tempfile::tempdir().unwrap();
    let archive = kept.path().join("backup.tar");
    assert!(take(&world, &archive).status.success());
    world.server.terminate();
    world.server.wait();
    (world, kept, archive)
}

#[tokio::test]
async fn what_is_not_whole_or_not_ours_is_refused_and_leaves_nothing() {
    let (world, kept, archive) = small().await;
    let verified = |path: &Path| {
        let mut process = ServerProcess::spawn(&binary("diamond-server"), |command| {
            command.arg("backup:verify").arg(path);
        });
        process.wait().success()
    };
    assert!(verified(&archive));
    let (_dir, folder) = with_key_of(&world.data());
    let good = fs::read(&archive).unwrap();
    let bad = kept.path().join("bad.tar");
    let steps = if crate::settings::full_scale() { 64 } else { 6 };
    for step in 0..steps {
        let place = good.len() * step / steps;
        fs::write(&bad, &good[..place]).unwrap();
        let (status, said) = restore(&bad, &folder, &[]);
        assert_eq!(status, Some(1), "cut at {place}: {said}");
        assert_eq!(names_in(&folder), ["master-key"], "cut at {place}");
        assert!(!verified(&bad));
    }
    // A bit of the rows, which stand near the beginning.
    let rows = good
        .windows(9)
        .position(|text| text == b"\"tenants\"")
        .unwrap();
    let mut changed = good.clone();
    changed[rows + 1] ^= 1;
    fs::write(&bad, changed).unwrap();
    let (status, said) = restore(&bad, &folder, &[]);
    assert_eq!(status, Some(1), "{said}");
    assert_eq!(names_in(&folder), ["master-key"]);

    // Another installation's master key opens nothing.
    let other = World::start().await;
    let (_other_dir, wrong) = with_key_of(&other.data());
    let (status, said) = restore(&archive, &wrong, &[]);
    assert_eq!(status, Some(3), "{said}");
    assert_eq!(names_in(&wrong), ["master-key"]);

    // Nothing takes the place of what is there.
    fs::write(folder.join("somebody.txt"), "mine").unwrap();
    let (status, said) = restore(&archive, &folder, &[]);
    assert_eq!(status, Some(1));
    assert!(said.contains("not empty"), "{said}");
    fs::remove_file(folder.join("somebody.txt")).unwrap();
    assert_eq!(restore(&archive, &folder, &[]).0, Some(0));
    assert_eq!(restore(&archive, &folder, &[]).0, Some(1), "twice");
}

#[tokio::test]
async fn a_restore_that_dies_is_never_served_and_can_be_done_again() {
    let (mut world, _kept, archive) = small().await;
    let rounds = if crate::settings::full_scale() { 40 } else { 4 };
    for round in 0..rounds {
        let (dir, folder) = with_key_of(&world.data());
        let mut process = ServerProcess::spawn(&binary("diamond-server"), |command| {
            command
                .args(["restore", "--from"])
                .arg(&archive)
                .arg("--data-dir")
                .arg(&folder);
        });
        // Dead at some moment between its first file and its end.
        let places = [
            "restoring",
            "restoring/events",
            "restoring/control.db",
            "node.json",
        ];
        let place = folder.join(places[round % places.len()]);
        while !place.exists() && !folder.join("node.json").exists() {}
        process.kill();
        process.wait();
        if folder.join("restoring").exists() {
            world.dir = dir;
            assert!(world.refuses_to_start().contains("not finished"));
            let folder = world.data();
            // What has moved already goes back to where it came from: begin with an empty folder.
            for name in names_in(&folder) {
                let path = folder.join(&name);
                if name != "master-key" && path.is_dir() {
                    fs::remove_dir_all(path).unwrap();
                } else if name != "master-key" {
                    fs::remove_file(path).unwrap();
                }
            }
            assert_eq!(restore(&archive, &folder, &[]).0, Some(0));
        } else {
            world.dir = dir;
        }
        world.start_server_again().await;
        assert_eq!(world.events("zaxon").await.len(), 1);
        world.server.kill();
        world.server.wait();
    }
}

#[tokio::test]
async fn a_backup_moves_between_sqlite_and_postgresql() {
    let (mut world, kept, archive) = small().await;
    let place = postgres().await;
    let url = vec![("DIAMOND_DATABASE__URL".to_owned(), place.url().to_owned())];
    let (dir, folder) = with_key_of(&world.data());
    let (status, said) = restore(&archive, &folder, &url);
    assert_eq!(status, Some(0), "{said}");
    assert!(!folder.join("control.db").exists());
    world.dir = dir;
    world.environment = url.clone();
    world.start_server_again().await;
    assert_eq!(world.events("zaxon").await.len(), 1);
    let token = world.token("zaxon", TENANT_SCOPES).await;
    world.chat(&token, "gpt-4o-mini").await;
    let second = kept.path().join("second.tar");
    let taken = take(&world, &second);
    assert!(taken.status.success(), "{taken:?}");
    world.server.terminate();
    world.server.wait();

    // A database in which somebody is is not overwritten.
    let (_dir, elsewhere) = with_key_of(&world.data());
    let (status, said) = restore(&second, &elsewhere, &url);
    assert_eq!(status, Some(1));
    assert!(said.contains("is not empty"), "{said}");
    assert_eq!(names_in(&elsewhere), ["master-key"]);

    let (dir, folder) = with_key_of(&world.data());
    let (status, said) = restore(&second, &folder, &[]);
    assert_eq!(status, Some(0), "{said}");
    world.dir = dir;
    world.environment = Vec::new();
    world.start_server_again().await;
    assert_eq!(world.events("zaxon").await.len(), 2);
    world.chat(&token, "gpt-4o-mini").await;
}

#[tokio::test]
async fn a_backup_that_breaks_off_leaves_no_file() {
    let mut world = World::start().await;
    world.ready_tenant("zaxon").await;
    let kept = tempfile::tempdir().unwrap();
    let archive = kept.path().join("backup.tar");
    world.server.kill();
    world.server.wait();
    let refused = take(&world, &archive);
    assert_eq!(refused.status.code(), Some(6));
    assert!(names_in(kept.path()).is_empty());
}

#[tokio::test]
async fn a_chain_that_was_kept_as_evidence_comes_back_with_the_one_after_it() {
    let mut world = World::start().await;
    world.tenant("zaxon").await;
    world.server.terminate();
    assert!(world.server.wait().success());
    let segment = crate::audit::last_segment(&world);
    let length = fs::metadata(&segment).unwrap().len();
    let file = fs::OpenOptions::new().write(true).open(&segment).unwrap();
    file.set_len(length - 40).unwrap();
    world.start_server_again().await;
    world
        .operate(
            Method::POST,
            "/api/audit/begin-anew",
            json!({ "reason": "a bad copy" }),
        )
        .await
        .with(201);
    world.tenant("coaching").await;
    let kept = tempfile::tempdir().unwrap();
    let archive = kept.path().join("backup.tar");
    assert!(take(&world, &archive).status.success());
    world.server.kill();
    world.server.wait();
    let (_dir, folder) = with_key_of(&world.data());
    let (status, said) = restore(&archive, &folder, &[]);
    assert_eq!(status, Some(0), "{said}");
    fs::remove_dir_all(world.data()).unwrap();
    fs::rename(&folder, world.data()).unwrap();
    world.start_server_again().await;
    let told = world
        .operate(Method::GET, "/api/audit/status", Value::Null)
        .await
        .with(200);
    assert_eq!(told["chain"], 2, "{told}");
    assert_eq!(told["earlier"][0]["intact"], true, "{told}");
    let verdict = world
        .operate(Method::GET, "/api/audit/verify", Value::Null)
        .await
        .with(200);
    assert_eq!(verdict["ok"], true, "{verdict}");
}
