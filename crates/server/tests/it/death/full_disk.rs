//! A full disk: a real filesystem, small.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{TENANT_SCOPES, World};

/// A filesystem of its own in memory, until this is dropped.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    pub fn mount(folder: &Path, megabytes: u32) -> Self {
        fs::create_dir_all(folder).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"])
            .arg(folder)
            .output();
        let mounted = mounted.expect("mount can be started");
        assert!(
            mounted.status.success(),
            "this test needs a small filesystem, which only root may mount: {}",
            String::from_utf8_lossy(&mounted.stderr)
        );
        Self(folder.to_owned())
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    /// Until not a byte more goes in.
    pub fn fill(&self) {
        let mut ballast = fs::File::create(self.ballast()).unwrap();
        for size in [1 << 20, 4096] {
            while ballast.write_all(&vec![7; size]).is_ok() {}
        }
    }

    /// Takes away what `fill` put there.
    pub fn empty(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Repeats until it is refused: what was taken, and the refusal's code.
async fn until_refused(world: &World, path: &str, token: &str, body: impl Fn(u64) -> Value) -> u64 {
    // A reserve of this size is used up long before.
    for number in 0..20_000 {
        let answer = world
            .send(Method::POST, path, Some(token), Some(&body(number)))
            .await;
        if answer.status != 200 {
            let code = if path == "/api/usage" {
                "journal_unwritable"
            } else {
                "audit_unwritable"
            };
            assert_eq!(answer.refused(503), code);
            return number;
        }
    }
    panic!("a full disk takes everything");
}

fn report(number: u64) -> Value {
    json!({
        "id": format!("report-{number}"), "service": "openai", "model": "gpt-4o-mini",
        "operation": "chat.completions", "userId": "ada", "quantities": { "input_tokens": 10 },
    })
}

async fn alarms(world: &World) -> Value {
    let alarms = world.operate(Method::GET, "/api/alarms", Value::Null).await;
    alarms.with(200)["items"].clone()
}

#[tokio::test]
async fn a_full_disk_refuses_what_is_new_keeps_what_it_took_and_comes_right_by_itself() {
    let reserve = ("DIAMOND_JOURNAL__RESERVE_BYTES", "262144");
    let mut world = World::start_on_small_disk(64, &[reserve]).await;
    let token = world.ready_tenant("zaxon").await;
    world.tenant("coaching").await;
    let reporter = world.token("coaching", TENANT_SCOPES).await;
    world.chat(&token, "gpt-4o-mini").await;
    let tell = json!({ "userId": "ada" });
    world
        .send(
            Method::POST,
            "/api/keys/openai/zaxon",
            Some(&token),
            Some(&tell),
        )
        .await
        .with(200);
    world
        .send(
            Method::POST,
            "/api/usage",
            Some(&reporter),
            Some(&report(99_999)),
        )
        .await
        .with(200);

    // Streams that are under way when the disk fills up, and end while it is full.
    let slow = json!({ "service": "openai", "kind": "slow", "ms": 400, "times": 8 });
    world.sim_post("/_sim/faults", slow).await;
    let chat = json!({
        "model": "gpt-4o-mini", "stream": true,
        "messages": [{ "role": "user", "content": "count to ten" }],
    });
    let mut streams = Vec::new();
    for _ in 0..8 {
        streams.push(world.call("chat/completions", &token, &chat).await);
    }
    let disk = world.disk.as_ref().unwrap();
    disk.fill();
    let taken = until_refused(&world, "/api/usage", &reporter, report).await;
    let refused = world.call("chat/completions", &token, &chat).await;
    assert_eq!(refused.status(), 503);
    let refused: Value = refused.json().await.unwrap();
    assert_eq!(refused["error"]["code"], "journal_unwritable", "{refused}");
    until_refused(&world, "/api/keys/openai/zaxon", &token, |_| tell.clone()).await;
    let ready = world.send(Method::GET, "/readyz", None, None).await;
    let ready = ready.with(503).to_string();
    assert!(ready.contains("full"), "{ready}");
    let bill = world.sim_get("/_sim/bill?service=openai").await;
    let open = bill["calls"].as_array().unwrap().iter();
    let open = open.filter(|call| call["open"] == true).count();
    assert!(open > 0, "no stream outlasted the filling");

    // The control database stands on the same disk: the alarm is seen all the same.
    let metrics = world.send(Method::GET, "/metrics", None, None).await;
    let metrics = metrics.with(200).to_string();
    assert!(
        metrics.contains("diamond_alarms_total{code=\\\"journal_unwritable\\\"}")
            || metrics.contains("code=\"journal_unwritable\""),
        "{metrics}"
    );
    let seen = alarms(&world).await.to_string();
    assert!(seen.contains("journal_unwritable"), "{seen}");

    for stream in streams {
        let text = stream.text().await.unwrap();
        assert!(text.ends_with("data: [DONE]\n\n"), "cut: {text}");
    }
    assert_eq!(crate::gateway::agree(&world, "zaxon").await, 9);

    world.disk.as_ref().unwrap().empty();
    let ready = format!("{}/readyz", world.url);
    world.server.until_ready(&world.client, &ready).await;
    world.chat(&token, "gpt-4o-mini").await;
    for path in ["/api/usage", "/api/keys/openai/zaxon"] {
        let (token, body) = match path {
            "/api/usage" => (&reporter, report(taken)),
            _ => (&token, tell.clone()),
        };
        let answer = world
            .send(Method::POST, path, Some(token), Some(&body))
            .await;
        answer.with(200);
    }
    // What was raised meanwhile is written down.
    while alarms(&world).await.to_string().contains("alm_waiting") {
        tokio::task::yield_now().await;
    }
    let seen = alarms(&world).await.to_string();
    assert!(seen.contains("journal_unwritable"), "{seen}");

    let told = async |world: &World| {
        let path = "/api/analytics/tpc/coaching?period=daily";
        let costs = world.operate(Method::GET, path, Value::Null).await;
        costs.with(200)["events"].clone()
    };
    let before = (world.events("zaxon").await, told(&world).await);
    world.server.terminate();
    assert!(world.server.wait().success());
    world.start_server_again().await;
    assert!((world.events("zaxon").await, told(&world).await) == before);
    let again: Vec<Value> = (0..taken.min(1_000)).map(report).collect();
    if !again.is_empty() {
        let answer = world
            .send(
                Method::POST,
                "/api/usage",
                Some(&reporter),
                Some(&json!(again)),
            )
            .await;
        for item in answer.with(200)["items"].as_array().unwrap() {
            assert_eq!(item["verdict"], "duplicate", "{item}");
        }
    }
    println!("report full disk: {taken} reports were taken while it filled, all of them are there");
    let audit = world
        .operate(Method::GET, "/api/audit/verify", Value::Null)
        .await;
    assert_eq!(audit.with(200)["ok"], true);
}
