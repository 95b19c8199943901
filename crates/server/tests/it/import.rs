//! `diamond ai keys:import`: from tables, files of variables, and a real OpenBao.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use diamond_test_support::{ServerProcess, free_port};
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::World;

const KEYS: [&str; 4] = [
    "sk-sim-imported-key-number-0001",
    "sk-sim-imported-key-number-0002",
    "sk-sim-imported-key-number-0003",
    "sk-sim-imported-key-number-0004",
];

struct Ended {
    status: i32,
    output: String,
    errors: String,
}

impl Ended {
    #[track_caller]
    fn json(&self, status: i32) -> Value {
        assert_eq!(self.status, status, "{}\n{}", self.output, self.errors);
        serde_json::from_str(&self.output).unwrap()
    }
}

impl World {
    /// A world in which the provider knows the keys, with these tenants.
    async fn with_keys(tenants: &[&str]) -> Self {
        let world = Self::start().await;
        for key in KEYS {
            world.know_key(key).await;
        }
        for tenant in tenants {
            world.tenant(tenant).await;
        }
        world
    }

    fn private(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// Runs an import; no key is ever said.
    fn import(&self, token: &str, arguments: &[&str]) -> Ended {
        self.import_with(token, arguments, &[])
    }

    fn import_with(&self, token: &str, arguments: &[&str], more: &[(&str, &str)]) -> Ended {
        let output = self
            .cli(token)
            .args(["ai", "keys:import"])
            .args(arguments)
            .envs(more.iter().copied())
            .output()
            .unwrap();
        let ended = Ended {
            status: output.status.code().unwrap(),
            output: String::from_utf8(output.stdout).unwrap(),
            errors: String::from_utf8(output.stderr).unwrap(),
        };
        for key in KEYS {
            assert!(
                !ended.output.contains(key) && !ended.errors.contains(key),
                "{key}"
            );
        }
        ended
    }

    /// Which kinds of key the tenant has active, with the number of versions.
    async fn keys_of(&self, tenant: &str) -> Vec<(String, u64)> {
        let path = format!("/api/tenants/{tenant}/keys");
        let keys = self
            .operate(Method::GET, &path, Value::Null)
            .await
            .with(200);
        let active = keys["items"].as_array().unwrap().iter();
        active
            .filter(|key| key["state"] == "active")
            .map(|key| {
                let name = key["name"].as_str().unwrap().to_owned();
                (name, key["version"].as_u64().unwrap())
            })
            .collect()
    }
}

fn row<'a>(report: &'a Value, tenant: &str, kind: &str) -> &'a Value {
    let rows = report["rows"].as_array().unwrap();
    let found = rows
        .iter()
        .find(|row| row["tenantId"] == tenant && row["kind"] == kind);
    found.unwrap_or_else(|| panic!("no row of {tenant}, {kind}: {report}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_is_planned_imported_and_then_unchanged() {
    let world = World::with_keys(&["acme", "brave", "coaching"]).await;
    let operator = world.operator.clone();
    let file = world.private(
        "keys.csv",
        &format!(
            "provider,customer,type,secret\nopenai,acme,,{}\nopenai,acme,customer,{}\n\
             openai,brave,dedicated,{}\nopenai,coaching,dedicated,{}\nopenai,nobody,,{}\n",
            KEYS[0], KEYS[1], KEYS[2], "sk-nobody-knows-this-one", KEYS[3]
        ),
    );
    let file = file.to_str().unwrap();
    let columns = "service=provider,tenant=customer,kind=type,key=secret";
    let arguments = ["--csv", file, "--columns", columns, "--output", "json"];

    let plan = world
        .import(&operator, &[&arguments[..], &["--plan"]].concat())
        .json(2);
    assert_eq!(plan["summary"]["new"], 3);
    assert_eq!(
        row(&plan, "coaching", "dedicated")["error"]["code"],
        "key_rejected"
    );
    assert!(
        world.keys_of("acme").await.is_empty(),
        "a plan keeps nothing"
    );

    let first = world.import(&operator, &arguments).json(2);
    assert_eq!(
        first["summary"],
        json!({ "new": 3, "replaced": 0, "unchanged": 0, "failed": 2, "notTried": 0, "flagged": 0 })
    );
    assert_eq!(row(&first, "acme", "customer")["result"], "new");
    assert_eq!(
        row(&first, "coaching", "dedicated")["error"]["code"],
        "key_rejected"
    );
    assert_eq!(
        row(&first, "nobody", "dedicated")["error"]["code"],
        "tenant_not_found"
    );
    let place = row(&first, "brave", "dedicated")["place"].as_str().unwrap();
    assert!(place.ends_with("keys.csv, line 4"), "{place}");
    let kept = [
        ("ai-openai-acme".to_owned(), 1),
        ("ai-openai-acme-customer".to_owned(), 1),
    ];
    assert_eq!(world.keys_of("acme").await, kept);

    let again = world.import(&operator, &arguments).json(2);
    assert_eq!(again["summary"]["unchanged"], 3);
    assert_eq!(world.keys_of("acme").await, kept, "nothing is doubled");
    // Unknown to the provider, and taken all the same when that is asked for.
    let blind = world
        .import(&operator, &[&arguments[..], &["--no-validate"]].concat())
        .json(4);
    assert_eq!(row(&blind, "coaching", "dedicated")["result"], "new");
    // The keys work.
    let token = world.token("acme", &["keys:reveal"]).await;
    let lease = world
        .send(
            Method::POST,
            "/api/keys/openai/acme",
            Some(&token),
            Some(&json!({})),
        )
        .await
        .with(200);
    assert_eq!(lease["apiKey"], KEYS[1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_key_under_two_tenants_is_flagged_within_an_import_and_against_what_is_there() {
    let world = World::with_keys(&["acme", "brave", "coaching"]).await;
    let operator = world.operator.clone();
    let text = format!(
        "AI_OPENAI_ACME={0}\nAI_OPENAI_BRAVE={0}\nexport AI_OPENAI_COACHING_CUSTOMER='{1}'\nPATH=/bin\n",
        KEYS[0], KEYS[1]
    );
    let file = world.private(".env", &text);
    let arguments = ["--env-file", file.to_str().unwrap()];
    let plan = world.import(&operator, &[&arguments[..], &["--plan"]].concat());
    assert_eq!(plan.status, 0, "{}", plan.errors);
    assert!(
        plan.output.contains("FLAGGED: brave has the same key"),
        "{}",
        plan.output
    );
    assert!(
        plan.errors.contains("left out") && plan.errors.contains("PATH"),
        "{}",
        plan.errors
    );
    let done = world
        .import(&operator, &[&arguments[..], &["--output", "json"]].concat())
        .json(0);
    assert_eq!(done["summary"]["flagged"], 2);
    assert_eq!(
        row(&done, "acme", "dedicated")["sharedWith"],
        json!(["brave"])
    );
    assert_eq!(world.alarms_of("shared_key").await.len(), 1);
    // Another import, and another place: what is there is found.
    let csv = format!("service,tenant,key\nopenai,coaching,{}\n", KEYS[0]);
    let csv = world.private("more.csv", &csv);
    let more = ["--csv", csv.to_str().unwrap(), "--plan", "--output", "json"];
    let more = world.import(&operator, &more).json(0);
    assert_eq!(
        row(&more, "coaching", "dedicated")["sharedWith"],
        json!(["acme", "brave"])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_is_refused_with_its_line_and_nothing_is_kept() {
    let world = World::with_keys(&["acme"]).await;
    let operator = world.operator.clone();
    let twice = format!(
        "service,tenant,key\nopenai,acme,{}\nopenai,acme,{}\n",
        KEYS[0], KEYS[1]
    );
    for (name, text, words) in [
        ("a.csv", "service,tenant\nopenai,acme\n", "no column `key`"),
        (
            "b.csv",
            "service,tenant,key\nopenai,admin,sk-0123456789\n",
            "line 2: tenant",
        ),
        (
            "c.csv",
            twice.as_str(),
            "line 3: the dedicated key of acme for openai stands at",
        ),
        (
            "d.csv",
            "service,tenant,key\nopenai,acme,\"sk-01234567\n",
            "not closed",
        ),
        ("e.csv", "", "empty"),
    ] {
        let file = world.private(name, text);
        let ended = world.import(&operator, &["--csv", file.to_str().unwrap()]);
        assert_eq!(ended.status, 2, "{text}: {}", ended.errors);
        assert!(ended.errors.contains(words), "{text}: {}", ended.errors);
        assert!(!ended.errors.contains("0123456"), "{}", ended.errors);
    }
    let env = world.private("x.env", "AI_OPENAI_ADMIN=sk-0123456789\n");
    let ended = world.import(&operator, &["--env-file", env.to_str().unwrap()]);
    assert_eq!(ended.status, 2);
    assert!(
        ended.errors.contains("management credential"),
        "{}",
        ended.errors
    );
    let none = world.import(&operator, &[]);
    assert_eq!(none.status, 2);
    let huge = world.private("huge.csv", "");
    std::fs::File::options()
        .write(true)
        .open(&huge)
        .unwrap()
        .set_len(33 << 20)
        .unwrap();
    let ended = world.import(&operator, &["--csv", huge.to_str().unwrap()]);
    assert_eq!((ended.status, ended.errors.contains("in parts")), (2, true));
    // A stranger's token finds no tenant, one without the scope may not.
    world.tenant("stranger").await;
    let good = world.private(
        "good.csv",
        &format!("service,tenant,key\nopenai,acme,{}\n", KEYS[0]),
    );
    let arguments = ["--csv", good.to_str().unwrap()];
    let stranger = world.token("stranger", &["keys:write"]).await;
    assert_eq!(world.import(&stranger, &arguments).status, 4);
    let reader = world.token("acme", &["keys:read"]).await;
    assert_eq!(world.import(&reader, &arguments).status, 3);
    assert!(world.keys_of("acme").await.is_empty());
}

/// Killed again and again, and finished in the end: each key is there once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_is_killed_is_finished_by_another() {
    let world = World::start().await;
    let tenants = 30;
    let mut text = "service,tenant,key\n".to_owned();
    for number in 0..tenants {
        let tenant = format!("tenant-{number:02}");
        world.tenant(&tenant).await;
        let key = format!("sk-sim-many-imported-key-{number:04}");
        world.know_key(&key).await;
        writeln!(text, "openai,{tenant},{key}").unwrap();
    }
    let file = world.private("keys.csv", &text);
    let stored = async || {
        let mut stored = BTreeSet::new();
        for number in 0..tenants {
            stored.extend(world.keys_of(&format!("tenant-{number:02}")).await);
        }
        stored
    };
    let mut kills = 0;
    for wanted in [1, 6, 13] {
        let mut child = world
            .cli(&world.operator)
            .args(["ai", "keys:import", "--concurrency", "1", "--csv"])
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while child.try_wait().unwrap().is_none() {
            if stored().await.len() >= wanted {
                child.kill().unwrap();
                child.wait().unwrap();
                kills += 1;
                break;
            }
        }
    }
    assert!(kills > 0, "the runs were too quick to be killed");
    let arguments = ["--csv", file.to_str().unwrap(), "--output", "json"];
    let last = world.import(&world.operator, &arguments).json(0);
    let count = |name: &str| last["summary"][name].as_u64().unwrap();
    assert_eq!(
        count("new") + count("unchanged"),
        tenants,
        "{}",
        last["summary"]
    );
    assert_eq!(count("replaced"), 0);
    assert!(count("unchanged") >= 1, "what was done stays");
    let stored = stored().await;
    assert_eq!(stored.len() as u64, tenants);
}

/// A real OpenBao in its development mode; it ends when this is dropped.
struct OpenBao {
    _process: ServerProcess,
    url: String,
}

const ROOT: &str = "root-of-the-test";

impl OpenBao {
    async fn start(world: &World) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let setup = Command::new("sh")
            .arg(root.join("scripts/setup-venv.sh"))
            .arg("openbao")
            .output()
            .unwrap();
        assert!(
            setup.status.success(),
            "OpenBao cannot be installed: {setup:?}"
        );
        let address = format!("127.0.0.1:{}", free_port());
        let process = ServerProcess::spawn(&root.join("target/venv-openbao/bin/bao"), |command| {
            command
                .args(["server", "-dev", "-dev-no-store-token"])
                .arg(format!("-dev-root-token-id={ROOT}"))
                .arg(format!("-dev-listen-address={address}"))
                .env("HOME", world.dir.path());
        });
        // The last thing that it says before it serves.
        process.line_with("Development mode should NOT").await;
        Self {
            _process: process,
            url: format!("http://{address}"),
        }
    }

    async fn put(&self, world: &World, path: &str, data: Value) {
        let answer = world
            .client
            .post(format!("{}/v1/secret/data/{path}", self.url))
            .header("x-vault-token", ROOT)
            .json(&json!({ "data": data }))
            .send()
            .await
            .unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_come_out_of_an_openbao() {
    let world = World::with_keys(&["acme", "brave", "coaching"]).await;
    let operator = world.operator.clone();
    let bao = OpenBao::start(&world).await;
    let url = bao.url.clone();
    bao.put(
        &world,
        "keys/ai-openai-acme",
        json!({ "api_key": KEYS[0], "owner": "x" }),
    )
    .await;
    bao.put(
        &world,
        "keys/deep/ai-openai-brave-customer",
        json!({ "anything": KEYS[1] }),
    )
    .await;
    bao.put(&world, "keys/old", json!({ "value": "a former value" }))
        .await;
    bao.put(&world, "keys/old", json!({ "value": KEYS[2] }))
        .await;
    bao.put(&world, "keys/database", json!({ "password": "hunter2" }))
        .await;
    let arguments = [
        "--vault",
        &url,
        "--vault-path",
        "keys",
        "--map",
        "keys/old=openai/coaching",
        "--output",
        "json",
    ];
    let with = [("BAO_TOKEN", ROOT)];
    let plan = [&arguments[..], &["--plan"]].concat();
    let plan = world.import_with(&operator, &plan, &with);
    assert!(plan.errors.contains("keys/database") && !plan.errors.contains("hunter2"));
    assert_eq!(plan.json(0)["summary"]["new"], 3);
    assert!(world.keys_of("acme").await.is_empty());
    let done = world.import_with(&operator, &arguments, &with).json(0);
    assert_eq!(done["summary"]["new"], 3, "{done}");
    assert_eq!(
        row(&done, "brave", "customer")["place"],
        "secret/keys/deep/ai-openai-brave-customer"
    );
    assert_eq!(world.keys_of("coaching").await.len(), 1);
    let again = world.import_with(&operator, &arguments, &with).json(0);
    assert_eq!(again["summary"]["unchanged"], 3);
    // Rotated there, replaced here.
    bao.put(&world, "keys/ai-openai-acme", json!({ "api_key": KEYS[3] }))
        .await;
    let rotated = world.import_with(&operator, &arguments, &with).json(0);
    assert_eq!(row(&rotated, "acme", "dedicated")["result"], "replaced");

    // What is no key, is not permitted, is not said, is not encrypted, is no such mount.
    let strange = world.import_with(&operator, &arguments, &[("BAO_TOKEN", "nobody")]);
    assert_eq!(strange.status, 3, "{}", strange.errors);
    assert_eq!(world.import(&operator, &arguments).status, 2);
    let far = ["--vault", "http://192.0.2.1:8200"];
    let far = world.import_with(&operator, &far, &with);
    assert_eq!((far.status, far.errors.contains("unencrypted")), (2, true));
    bao.put(&world, "bad/ai-openai-acme", json!({ "a": "b", "c": "d" }))
        .await;
    let bad = ["--vault", &url, "--vault-path", "bad"];
    let bad = world.import_with(&operator, &bad, &with);
    assert_eq!(bad.status, 2);
    assert!(bad.errors.contains("--vault-field"), "{}", bad.errors);
    drop(bao);
    let gone = world.import_with(&operator, &arguments, &with);
    assert_eq!(gone.status, 6, "{}", gone.errors);
}
