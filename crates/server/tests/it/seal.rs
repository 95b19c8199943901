//! The master key: changing it while everything goes on, where it may lie, and unsealing.

use std::{
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::Stdio,
};

use diamond_test_support::{PostgresDatabase, ServerProcess, binary};
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::World;

async fn status(world: &World) -> Value {
    let answer = world.operate(Method::GET, "/api/seal", Value::Null).await;
    answer.with(200)
}

/// `diamond admin seal:rekey`, to its end.
async fn rekey(world: &World) -> Value {
    let mut command = world.cli(&world.operator);
    command.args(["admin", "seal:rekey", "--output", "json"]);
    let output = tokio::task::spawn_blocking(move || command.stdin(Stdio::null()).output());
    let output = output.await.unwrap().unwrap();
    assert!(
        output.status.success(),
        "{output:?}\n{}",
        world.server.output()
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Waits until the node has let go of the former key, which comes right after the end.
async fn one_key_is_held(world: &World) {
    while status(world).await["heldKeyIds"].as_array().unwrap().len() > 1 {
        tokio::task::yield_now().await;
    }
}

/// Every tenant still gets its own key.
async fn all_keys_are_there(world: &World, tenants: &[String]) {
    for tenant in tenants {
        let path = format!("/api/keys/openai/{tenant}");
        let body = json!({ "purpose": "a test" });
        // Another node sees a new tenant a moment later.
        let lease = loop {
            let lease = world.operate(Method::POST, &path, body.clone()).await;
            if lease.status != 404 {
                break lease.with(200);
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(lease["apiKey"], format!("sk-of-{tenant}"), "{tenant}");
    }
}

async fn tenant_with_key(world: &World, tenant: &str) {
    world.tenant(tenant).await;
    let path = format!("/api/keys/openai/{tenant}/dedicated");
    let body = json!({ "apiKey": format!("sk-of-{tenant}"), "validate": false });
    world.operate(Method::PUT, &path, body).await.with(200);
}

async fn tenants_with_keys(world: &World, names: &str, count: usize) -> Vec<String> {
    let tenants: Vec<_> = (0..count).map(|place| format!("{names}{place}x")).collect();
    for tenant in &tenants {
        tenant_with_key(world, tenant).await;
    }
    tenants
}

async fn audit_is_whole(world: &World) {
    let verdict = world
        .operate(Method::GET, "/api/audit/verify", Value::Null)
        .await
        .with(200);
    assert_eq!(verdict["ok"], true, "{verdict}");
}

/// The only master key that wraps anything, when nothing is under way.
#[track_caller]
fn settled(status: &Value) -> String {
    let id = status["masterKeyId"].as_str().unwrap().to_owned();
    assert_eq!(status["rekey"], Value::Null, "{status}");
    for keys in status["dataKeys"].as_array().unwrap() {
        assert_eq!(keys["masterKeyId"], id.as_str(), "{status}");
        assert_eq!(keys["unreadable"], false, "{status}");
    }
    id
}

async fn changes_while_everything_goes_on(environment: &[(&str, &str)]) {
    let mut world = World::start_with(environment).await;
    let token = world.ready_tenant("zaxon").await;
    let mut tenants = tenants_with_keys(&world, "before", 6).await;
    let key_file = world.data().join("master-key");
    let old_text = std::fs::read(&key_file).unwrap();
    let old = settled(&status(&world).await);

    // Keys are handed out, calls forwarded, and new tenants' first keys put, all the while.
    let working = async {
        let mut made = Vec::new();
        for round in 0..8 {
            world.chat(&token, "gpt-4o-mini").await;
            let tenant = format!("during{round}x");
            tenant_with_key(&world, &tenant).await;
            made.push(tenant);
            all_keys_are_there(&world, &tenants).await;
        }
        made
    };
    let (after, made) = tokio::join!(rekey(&world), working);
    assert_ne!(after["masterKeyId"], old.as_str());
    one_key_is_held(&world).await;
    tenants.extend(made);
    all_keys_are_there(&world, &tenants).await;
    let after = status(&world).await;
    let new = settled(&after);
    assert!(after["rotatedAt"].is_string(), "{after}");
    let count: u64 = after["dataKeys"][0]["count"].as_u64().unwrap();
    assert_eq!(count, tenants.len() as u64 + 1);

    // The new key took the file's place; the old one is kept for old backups, and said to be there.
    assert_ne!(std::fs::read(&key_file).unwrap(), old_text);
    let retired = world.data().join(format!("master-key.retired-{old}"));
    assert_eq!(std::fs::read(&retired).unwrap(), old_text);
    assert!(!world.data().join("master-key.next").exists());
    assert!(after["warnings"].to_string().contains("retired"), "{after}");

    audit_is_whole(&world).await;
    let audit = loop {
        let path = "/api/audit?limit=1000";
        let audit = world.operate(Method::GET, path, Value::Null).await;
        let audit = audit.with(200);
        if audit.to_string().contains("seal_rekey_end") {
            break audit;
        }
        tokio::task::yield_now().await;
    };
    for action in ["seal_rekey_begin", "seal_rekey_end"] {
        let detail = format!("from {old} to {new}");
        let entries = audit["items"].as_array().unwrap().iter();
        let found = entries.filter(|entry| entry["action"] == action && entry["detail"] == detail);
        assert_eq!(found.count(), 1, "{action} in {audit}");
    }

    // Another start needs nothing but the new key; the chain goes on under the same root.
    world.server.terminate();
    assert!(world.server.wait().success());
    let new_text = std::fs::read(&key_file).unwrap();
    std::fs::write(&key_file, &old_text).unwrap();
    let (code, said) = world.start_refused();
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains(&old) && said.contains(&new), "{said}");
    std::fs::write(&key_file, &new_text).unwrap();
    std::fs::remove_file(retired).unwrap();
    world.start_server_again().await;
    all_keys_are_there(&world, &tenants).await;
    world.chat(&token, "gpt-4o-mini").await;
    audit_is_whole(&world).await;
    assert_eq!(settled(&status(&world).await), new);
}

#[tokio::test]
async fn the_master_key_changes_while_everything_goes_on() {
    changes_while_everything_goes_on(&[]).await;
}

#[tokio::test]
async fn the_master_key_changes_while_everything_goes_on_on_postgresql() {
    let database = diamond_test_support::postgres().await;
    changes_while_everything_goes_on(&[("DIAMOND_DATABASE__URL", database.url())]).await;
}

#[tokio::test]
async fn a_change_goes_on_after_a_sudden_death() {
    let rounds = if crate::settings::full_scale() { 40 } else { 2 };
    let mut world = World::start().await;
    let tenants = tenants_with_keys(&world, "t", 12).await;
    let mut before = settled(&status(&world).await);
    for round in 0..rounds {
        world
            .operate(Method::POST, "/api/seal/rekey", Value::Null)
            .await
            .with(200);
        // A little later each time: before, within and after the work.
        for _ in 0..round % 7 {
            status(&world).await;
        }
        world.server.kill();
        world.start_server_again().await;
        let after = rekey_is_over(&world).await;
        assert_ne!(after, before, "round {round}");
        all_keys_are_there(&world, &tenants).await;
        audit_is_whole(&world).await;
        before = after;
    }
}

/// Waits for the end of the change that is under way, and gives the master key after it.
async fn rekey_is_over(world: &World) -> String {
    loop {
        let status = status(world).await;
        if status["rekey"].is_null() {
            return settled(&status);
        }
        tokio::task::yield_now().await;
    }
}

/// Two nodes on one database, each with a key file of its own in a folder of its own.
struct Two {
    first: World,
    second: World,
    keys: tempfile::TempDir,
    _database: PostgresDatabase,
}

impl Two {
    async fn start() -> Self {
        let database = diamond_test_support::postgres().await;
        let keys = tempfile::tempdir().unwrap();
        let (one, two) = (keys.path().join("one"), keys.path().join("two"));
        let environment = |key: &Path| {
            [
                ("DIAMOND_DATABASE__URL", database.url().to_owned()),
                (
                    "DIAMOND_SECRETS__MASTER_KEY_FILE",
                    key.display().to_string(),
                ),
            ]
        };
        let first = environment(&one);
        let first: Vec<_> = first
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let first = World::start_with(&first).await;
        private_copy(&one, &two);
        let second = environment(&two);
        let second: Vec<_> = second
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let second = World::join(&first, &second).await;
        Self {
            first,
            second,
            keys,
            _database: database,
        }
    }
}

fn private_copy(from: &Path, to: &Path) {
    std::fs::copy(from, to).unwrap();
}

#[tokio::test]
async fn a_change_waits_for_a_node_that_lacks_the_key_and_no_tenant_is_lost() {
    let mut nodes = Two::start().await;
    let (first, second) = (&nodes.first, &nodes.second);
    let mut tenants = tenants_with_keys(first, "t", 4).await;
    let old = settled(&status(first).await);
    first
        .operate(Method::POST, "/api/seal/rekey", Value::Null)
        .await
        .with(200);
    let said = first.server.line_with("master_key_missing").await;
    assert!(said.contains("does not hold the master key"), "{said}");
    let waiting = status(first).await;
    assert_eq!(waiting["rekey"]["phase"], "preparing", "{waiting}");
    assert_eq!(waiting["rekey"]["done"], 0);
    assert_eq!(waiting["rekey"]["waitingFor"].as_array().unwrap().len(), 1);
    // Both work meanwhile, also for a tenant that has no data key yet.
    tenant_with_key(second, "meanwhile").await;
    tenants.push("meanwhile".to_owned());
    all_keys_are_there(second, &tenants).await;
    // It may still be given up.
    let mut cancel = first.cli(&first.operator);
    cancel.args(["admin", "seal:rekey", "--cancel"]);
    let cancelled = cancel.stdin(Stdio::null()).output().unwrap();
    assert!(cancelled.status.success(), "{cancelled:?}");
    assert_eq!(settled(&status(first).await), old);

    first
        .operate(Method::POST, "/api/seal/rekey", Value::Null)
        .await
        .with(200);
    let (one, two) = (nodes.keys.path().join("one"), nodes.keys.path().join("two"));
    let next = |path: &Path| PathBuf::from(format!("{}.next", path.display()));
    private_copy(&next(&one), &next(&two));
    let new = rekey_is_over(first).await;
    assert_ne!(new, old);
    tenant_with_key(second, "afterwards").await;
    tenants.push("afterwards".to_owned());
    all_keys_are_there(second, &tenants).await;
    all_keys_are_there(first, &tenants).await;
    assert_eq!(settled(&status(second).await), new);
    // Each node moved its own file.
    loop {
        if std::fs::read(&one).unwrap() == std::fs::read(&two).unwrap() && !next(&two).exists() {
            break;
        }
        tokio::task::yield_now().await;
    }
    nodes.second.server.terminate();
    assert!(nodes.second.server.wait().success());
    nodes.second.start_server_again().await;
    all_keys_are_there(&nodes.second, &tenants).await;
    audit_is_whole(&nodes.second).await;
}

#[tokio::test]
async fn the_operator_may_bring_the_next_key_where_the_server_cannot_write() {
    let keys = tempfile::tempdir().unwrap();
    let (one, two) = (keys.path().join("one"), keys.path().join("two"));
    let (one_text, two_text) = (one.display().to_string(), two.display().to_string());
    let mut world = World::start_with(&[
        ("DIAMOND_SECRETS__MASTER_KEY_FILE", &one_text),
        ("DIAMOND_SECRETS__NEXT_MASTER_KEY_FILE", &two_text),
    ])
    .await;
    let tenants = tenants_with_keys(&world, "t", 3).await;
    let refused = world
        .operate(Method::POST, "/api/seal/rekey", Value::Null)
        .await;
    assert_eq!(refused.refused(422), "next_master_key_missing");
    private_copy(&one, &two);
    let refused = world
        .operate(Method::POST, "/api/seal/rekey", Value::Null)
        .await;
    assert_eq!(
        refused.refused(422),
        "next_master_key_missing",
        "the same key"
    );
    std::fs::remove_file(&two).unwrap();
    // Made elsewhere: another installation's.
    let other = World::start().await;
    private_copy(&other.data().join("master-key"), &two);
    let before = std::fs::read(&one).unwrap();
    let after = rekey(&world).await;
    let new = settled(&after);
    assert_eq!(
        std::fs::read(&one).unwrap(),
        before,
        "the operator's to move"
    );
    assert!(
        after["warnings"]
            .to_string()
            .contains("next_master_key_file"),
        "{after}"
    );
    // Settings as they were, then as they should be.
    world.server.terminate();
    assert!(world.server.wait().success());
    world.start_server_again().await;
    assert_eq!(settled(&status(&world).await), new);
    all_keys_are_there(&world, &tenants).await;
    world.server.terminate();
    assert!(world.server.wait().success());
    std::fs::rename(&two, &one).unwrap();
    world.start_server_again().await;
    all_keys_are_there(&world, &tenants).await;
}

#[tokio::test]
async fn a_passphrase_changes_too() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    std::fs::write(&one, "correct horse battery\n").unwrap();
    let (one_text, two_text) = (one.display().to_string(), two.display().to_string());
    let mut world = World::start_with(&[
        ("DIAMOND_SECRETS__PASSPHRASE_FILE", &one_text),
        ("DIAMOND_SECRETS__NEXT_PASSPHRASE_FILE", &two_text),
    ])
    .await;
    assert_eq!(status(&world).await["source"], "passphrase");
    let tenants = tenants_with_keys(&world, "t", 3).await;
    std::fs::write(&two, "another horse, another battery\n").unwrap();
    let new = settled(&rekey(&world).await);
    all_keys_are_there(&world, &tenants).await;
    for round in 0..2 {
        world.server.terminate();
        assert!(world.server.wait().success());
        if round == 1 {
            std::fs::rename(&two, &one).unwrap();
        }
        world.start_server_again().await;
        assert_eq!(settled(&status(&world).await), new);
        all_keys_are_there(&world, &tenants).await;
    }
    world.server.terminate();
    assert!(world.server.wait().success());
    std::fs::write(&one, "correct horse battery\n").unwrap();
    let (code, said) = world.start_refused();
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains(&new), "{said}");
    assert!(!said.contains("horse"), "{said}");
}

/// A server of its own settings; what it said and how it ended, or that it serves.
async fn try_to_serve(
    data: &Path,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> Result<(), (Option<i32>, String)> {
    let mut server = ServerProcess::spawn(&binary("diamond-server"), |command| {
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data)
            .args(arguments)
            .envs(environment.iter().copied());
    });
    if server.line_with_or_end("serving").await.is_some() {
        server.terminate();
        assert!(server.wait().success());
        return Ok(());
    }
    let status = server.wait();
    Err((status.code(), server.output()))
}

#[tokio::test]
async fn production_wants_the_key_on_another_volume() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let production = ["--profile", "production"];
    let refused = try_to_serve(&data, &production, &[]).await.unwrap_err();
    assert!(refused.1.contains("secrets.master_key_file"), "{refused:?}");
    assert!(
        refused.1.contains("allow_master_key_on_data_volume"),
        "{refused:?}"
    );
    assert!(!data.join("master-key").exists(), "nothing was made");
    // Outside of the folder, on the same volume.
    let beside = folder.path().join("key").display().to_string();
    let beside = [("DIAMOND_SECRETS__MASTER_KEY_FILE", beside.as_str())];
    let refused = try_to_serve(&data, &production, &beside).await.unwrap_err();
    assert!(refused.1.contains("same volume"), "{refused:?}");
    // Overridden, and said all the same.
    let allowed = [
        beside[0],
        ("DIAMOND_SECRETS__ALLOW_MASTER_KEY_ON_DATA_VOLUME", "true"),
    ];
    try_to_serve(&data, &production, &allowed).await.unwrap();
    try_to_serve(&data, &[], &beside).await.unwrap();
    let refused = try_to_serve(&data, &["--profile", "prod"], &beside)
        .await
        .unwrap_err();
    assert_eq!(refused.0, Some(2), "{refused:?}");
}

#[tokio::test]
async fn production_takes_a_private_key_on_another_volume_only() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let folder = tempfile::tempdir().unwrap();
    let memory = tempfile::tempdir_in("/dev/shm").unwrap();
    let device = |path: &Path| std::fs::metadata(path).unwrap().dev();
    assert_ne!(
        device(folder.path()),
        device(memory.path()),
        "this test needs two volumes"
    );
    let data = folder.path().join("data");
    let key = memory.path().join("key");
    let text = key.display().to_string();
    let environment = [("DIAMOND_SECRETS__MASTER_KEY_FILE", text.as_str())];
    let production = ["--profile", "production"];
    try_to_serve(&data, &production, &environment)
        .await
        .unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let refused = try_to_serve(&data, &production, &environment)
        .await
        .unwrap_err();
    assert!(refused.1.contains("chmod 0600"), "{refused:?}");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&key, Some(12345), None).unwrap();
        let refused = try_to_serve(&data, &production, &environment)
            .await
            .unwrap_err();
        assert!(refused.1.contains("chown"), "{refused:?}");
    }
}

/// Serves with this on standard input, or on a terminal; what it said and how it ended.
fn unseal(data: &Path, on_terminal: bool, typed: &str) -> (Option<i32>, String) {
    let server = binary("diamond-server");
    let serve = format!(
        "{} serve --listen 127.0.0.1:0 --data-dir {}",
        server.display(),
        data.display()
    );
    // The server ends by itself when the listener cannot be had, after it was unsealed.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let serve = serve.replace("127.0.0.1:0", &taken.local_addr().unwrap().to_string());
    let mut command = std::process::Command::new(if on_terminal { "script" } else { "sh" });
    match on_terminal {
        true => command.args(["-qec", &serve, "/dev/null"]),
        false => command.args(["-c", &format!("exec {serve} --passphrase-stdin 2>&1")]),
    };
    if on_terminal {
        command.env("DIAMOND_SECRETS__PASSPHRASE", "prompt");
    }
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut said = Vec::new();
    // A person types when asked; before that a terminal shows what is typed.
    let mut asked = typed
        .split_inclusive('\n')
        .zip(["(not shown): ", "first start: "]);
    let mut next = asked.next();
    loop {
        if let Some((line, question)) = next
            && (!on_terminal || String::from_utf8_lossy(&said).contains(question))
        {
            input.write_all(line.as_bytes()).unwrap();
            next = asked.next();
        }
        let mut bytes = [0; 1024];
        // A terminal that nobody holds any more is an error, a pipe an end.
        match output.read(&mut bytes) {
            Ok(0) | Err(_) => break,
            Ok(length) => said.extend_from_slice(&bytes[..length]),
        }
    }
    let status = child.wait().unwrap();
    (status.code(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn a_passphrase_from_a_pipe_unseals_and_a_wrong_one_does_no_damage() {
    unseals_and_refuses(false);
}

#[test]
fn a_passphrase_from_a_terminal_unseals_and_a_wrong_one_does_no_damage() {
    unseals_and_refuses(true);
}

/// Our own lines show nothing of a passphrase. (A terminal shows what is typed in the instant
/// between the question and its going dark; a test is that quick.)
fn tells_nothing(said: &str) {
    for line in said.lines().filter(|line| line.contains("diamond_")) {
        assert!(!line.contains("horse"), "{line}");
    }
}

fn unseals_and_refuses(on_terminal: bool) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let right = "correct horse battery\n";
    // A terminal asks twice at the first start.
    let first = if on_terminal {
        right.repeat(2)
    } else {
        right.to_owned()
    };
    if on_terminal {
        let (code, said) = unseal(&data, true, &format!("{right}incorrect horse battery\n"));
        assert_ne!(code, Some(0));
        assert!(said.contains("the two passphrases differ"), "{said}");
    }
    let unsealed = |typed: &str| {
        let (code, said) = unseal(&data, on_terminal, typed);
        tells_nothing(&said);
        assert!(
            said.contains("cannot listen on"),
            "it was not unsealed: {said}"
        );
        assert_eq!(code, Some(1), "{said}");
        said
    };
    let said = unsealed(&first);
    assert!(
        said.contains("first start") && said.contains("loses every stored key"),
        "{said}"
    );
    for wrong in ["correct horse batterz\n", "short\n", "\n"] {
        let (code, said) = unseal(&data, on_terminal, wrong);
        assert_eq!(code, Some(3), "{said}");
        assert!(said.contains("master"), "{said}");
        tells_nothing(&said);
    }
    unsealed(right);
}
