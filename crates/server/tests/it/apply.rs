//! `diamond apply`: a file says what there is to be.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
};

use diamond_test_support::binary;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::World;

struct Ended {
    status: i32,
    output: String,
    errors: String,
}

impl Ended {
    #[track_caller]
    fn json(&self) -> Value {
        assert_eq!(self.status, 0, "{}\n{}", self.output, self.errors);
        serde_json::from_str(&self.output).unwrap()
    }
}

impl World {
    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn apply(&self, token: &str, file: &Path, arguments: &[&str]) -> Ended {
        let output = self
            .cli(token)
            .args(["apply", "-f"])
            .arg(file)
            .args(arguments)
            .output()
            .unwrap();
        Ended {
            status: output.status.code().unwrap(),
            output: String::from_utf8(output.stdout).unwrap(),
            errors: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn tokens_file(&self) -> PathBuf {
        self.dir.path().join("tokens.jsonl")
    }

    async fn all(&self, path: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("{path}{cursor}");
            let page = self
                .operate(Method::GET, &path, Value::Null)
                .await
                .with(200);
            items.extend(page["items"].as_array().unwrap().iter().cloned());
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
    }
}

/// The lines of a file of tokens.
fn written(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

const HOUSE: &str = "
tenants:
  - id: acme
    name: Acme Ltd
    tier: managed-enterprise
    reveal: false
    services: [openai]
    tokens:
      - name: app
        purpose: the app
        scopes: [gateway, 'usage:read']
        user: agent-7
        addresses: [127.0.0.0/8]
        expires: 30d
    budgets:
      - name: default
        limitUsd: 500
      - { name: app, limitUsd: 5, period: daily, token: app, onUnbounded: 'reserve:0.10' }
  - id: coaching
    tier: customer-provided
    state: suspended
";

#[tokio::test]
async fn a_file_is_planned_carried_out_and_then_holds() {
    let world = World::start().await;
    let file = world.file("tenants.yaml", HOUSE);
    let tokens = world.tokens_file();
    let out = tokens.to_str().unwrap();
    let operator = &world.operator;

    let plan = world.apply(operator, &file, &["--plan"]);
    assert_eq!(plan.status, 0, "{}", plan.errors);
    assert!(
        plan.errors.contains("5 to do, 0 unchanged"),
        "{}",
        plan.errors
    );
    assert!(plan.output.contains("acme") && plan.output.contains("create"));
    assert!(
        world.all("/api/tenants?limit=10").await.is_empty(),
        "a plan changes nothing"
    );

    // New tokens need a place, and that is known before anything is done.
    let nowhere = world.apply(operator, &file, &[]);
    assert_eq!(nowhere.status, 2);
    assert!(
        nowhere.errors.contains("--tokens-out"),
        "{}",
        nowhere.errors
    );
    assert!(world.all("/api/tenants?limit=10").await.is_empty());

    let done = world.apply(operator, &file, &["--tokens-out", out]);
    assert_eq!(done.status, 0, "{}", done.errors);
    assert!(
        done.output.contains("done: create token acme/app (line 9)"),
        "{}",
        done.output
    );
    assert!(
        done.errors.contains("5 done, 0 unchanged, 0 failed"),
        "{}",
        done.errors
    );
    let mode = std::fs::metadata(&tokens).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!tokens.with_extension("jsonl.begun").exists());
    let lines = written(&tokens);
    assert_eq!(lines.len(), 1);
    let token = lines[0]["token"].as_str().unwrap();
    assert!(!done.output.contains(token) && !done.errors.contains(token));

    let acme = world
        .operate(Method::GET, "/api/tenants/acme", Value::Null)
        .await
        .with(200);
    assert_eq!(acme["displayName"], "Acme Ltd");
    assert_eq!(
        (&acme["reveal"], &acme["services"]),
        (&json!(false), &json!(["openai"]))
    );
    let coaching = world
        .operate(Method::GET, "/api/tenants/coaching", Value::Null)
        .await
        .with(200);
    assert_eq!(coaching["status"], "suspended");
    let budgets = world.all("/api/budgets?tenantId=acme").await;
    assert_eq!(budgets[0]["tokenId"], lines[0]["id"]);
    assert_eq!(budgets[1]["limitUsd"], "500.000000000");
    // The token works, and does what it says.
    let own = world
        .send(Method::GET, "/api/budgets", Some(token), None)
        .await;
    assert_eq!(own.with(200)["items"].as_array().unwrap().len(), 2);

    let again = world.apply(operator, &file, &["--output", "json"]).json();
    assert_eq!(
        again["summary"],
        json!({ "done": 0, "unchanged": 5, "failed": 0, "notTried": 0 })
    );
    assert_eq!(written(&tokens).len(), 1);
}

#[tokio::test]
async fn a_change_changes_that_and_nothing_is_taken_away_unasked() {
    let world = World::start().await;
    let tokens = world.tokens_file();
    let out = ["--tokens-out", tokens.to_str().unwrap()];
    let operator = &world.operator;
    let file = world.file("tenants.yaml", HOUSE);
    assert_eq!(world.apply(operator, &file, &out).status, 0);
    // A token that only the file's next edition does not name, and one that nobody names.
    world.token("acme", &["keys:read"]).await;
    let changed = "
tenants:
  - id: acme
    tier: managed-enterprise
    services: all
    state: active
    budgets: [{ name: default, limitUsd: '600', period: weekly }]
";
    let file = world.file("changed.yaml", changed);
    let plan = world
        .apply(operator, &file, &["--plan", "--output", "json"])
        .json();
    let rows = plan["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(
        rows[0]["changes"],
        json!([{ "field": "services", "from": "openai", "to": "all" }])
    );
    assert_eq!(
        rows[1]["changes"],
        json!([
            { "field": "limitUsd", "from": "500.000000000", "to": "600.000000000" },
            { "field": "period", "from": "monthly", "to": "weekly" },
        ])
    );
    assert_eq!(world.apply(operator, &file, &[]).status, 0);
    assert_eq!(world.all("/api/budgets?tenantId=acme").await.len(), 2);
    let live = async || {
        let tokens = world.all("/api/tokens?tenantId=acme").await;
        tokens
            .iter()
            .filter(|token| token["revokedAt"].is_null())
            .count()
    };
    assert_eq!(live().await, 2);
    let acme = world
        .operate(Method::GET, "/api/tenants/acme", Value::Null)
        .await
        .with(200);
    assert_eq!(acme["displayName"], "Acme Ltd", "what is absent stays");

    let asked = [
        "--delete-budgets-not-in-file",
        "--revoke-tokens-not-in-file",
    ];
    let plan = world.apply(operator, &file, &[&asked[..], &["--plan"]].concat());
    assert!(
        plan.errors.contains("3 to do"),
        "{}\n{}",
        plan.output,
        plan.errors
    );
    assert_eq!(world.apply(operator, &file, &asked).status, 0);
    assert_eq!(world.all("/api/budgets?tenantId=acme").await.len(), 1);
    assert_eq!(live().await, 0);
    // The other tenant is not the file's.
    let coaching = world.all("/api/budgets?tenantId=coaching").await;
    assert_eq!(coaching.len(), 1);
}

#[tokio::test]
async fn what_contradicts_the_server_is_a_row_of_its_own() {
    let world = World::start().await;
    let tokens = world.tokens_file();
    let out = ["--tokens-out", tokens.to_str().unwrap()];
    let operator = &world.operator;
    world.tenant("acme").await;
    let file = world.file(
        "tenants.yaml",
        "
tenants:
  - id: acme
    tier: managed-starter
    budgets: [{ name: default, limitUsd: 1 }]
  - id: brave
    tier: managed-starter
    budgets: [{ name: b1, limitUsd: 1, service: nobody }]
    tokens: [{ name: app, purpose: p, scopes: [gateway] }]
",
    );
    let plan = world.apply(operator, &file, &["--plan"]);
    assert_eq!(plan.status, 5, "{}", plan.output);
    assert!(
        plan.output.contains("a tier is for good"),
        "{}",
        plan.output
    );
    let done = world.apply(operator, &file, &[&out[..], &["--output", "json"]].concat());
    assert_eq!(done.status, 5, "{}", done.errors);
    let report: Value = serde_json::from_str(&done.output).unwrap();
    assert_eq!(
        report["summary"],
        json!({ "done": 2, "unchanged": 0, "failed": 2, "notTried": 1 })
    );
    let rows = report["rows"].as_array().unwrap();
    let row = |tenant: &str, kind: &str| {
        let found = rows
            .iter()
            .find(|row| row["tenantId"] == tenant && row["kind"] == kind);
        found.unwrap().clone()
    };
    assert_eq!(row("acme", "tenant")["error"]["code"], "conflict");
    assert_eq!(row("acme", "budget")["result"], "not_tried");
    assert_eq!(row("brave", "budget")["error"]["code"], "unknown_service");
    assert_eq!(row("brave", "budget")["line"], 8);
    assert_eq!(row("brave", "token")["result"], "done");
    // The same name for another token is no second one.
    let file = world.file(
        "other.yaml",
        "
tenants:
  - id: brave
    tier: managed-starter
    tokens: [{ name: app, purpose: p, scopes: [keys:read] }]
",
    );
    let other = world.apply(operator, &file, &out);
    assert_eq!(other.status, 5);
    assert!(
        other.output.contains("tokens are never changed"),
        "{}",
        other.output
    );
    assert_eq!(world.all("/api/tokens?tenantId=brave").await.len(), 1);
}

// The connection is noticed to be closed while a program runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_file_is_refused_with_its_line_before_anything_is_asked() {
    let world = World::start().await;
    let head = "tenants:\n  - id: acme\n    tier: managed-starter\n";
    for (text, words) in [
        ("tenants:\n  - id: 'acme\n".to_owned(), "line"),
        (format!("{head}    colour: red\n"), "line 4"),
        (
            format!("{head}  - id: acme\n    tier: managed-starter\n"),
            "line 4: the tenant acme stands in line 2",
        ),
        (
            "tenants:\n  - id: a-admin\n    tier: managed-starter\n".to_owned(),
            "line 2",
        ),
        (
            format!("{head}    tokens: [{{ name: a, purpose: p, scopes: [operator] }}]\n"),
            "line 4 (tenant acme, token a)",
        ),
        (String::new(), "unexpected end"),
    ] {
        let file = world.file("bad.yaml", &text);
        let ended = world.apply(&world.operator, &file, &[]);
        assert_eq!(ended.status, 2, "{text}: {}", ended.errors);
        assert!(ended.errors.contains("bad.yaml"), "{}", ended.errors);
        assert!(ended.errors.contains(words), "{text}: {}", ended.errors);
    }
    let huge = world.dir.path().join("huge.yaml");
    let file = std::fs::File::create(&huge).unwrap();
    file.set_len(65 << 20).unwrap();
    let ended = world.apply(&world.operator, &huge, &[]);
    assert_eq!(ended.status, 2);
    assert!(ended.errors.contains("in parts"), "{}", ended.errors);
    let absent = world.apply(&world.operator, Path::new("/nowhere/tenants.yaml"), &[]);
    assert_eq!(absent.status, 2);
    // A file of tokens that others may read takes none.
    let open = world.file("open.jsonl", "");
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o644)).unwrap();
    let house = world.file("tenants.yaml", HOUSE);
    let out = ["--tokens-out", open.to_str().unwrap()];
    let ended = world.apply(&world.operator, &house, &out);
    assert_eq!(ended.status, 2);
    assert!(ended.errors.contains("chmod 600"), "{}", ended.errors);
    assert!(world.all("/api/tenants?limit=10").await.is_empty());
}

#[tokio::test]
async fn a_stranger_s_token_changes_nothing_and_a_lost_server_is_said() {
    let mut world = World::start().await;
    let stranger = world.ready_tenant("stranger").await;
    let file = world.file("tenants.yaml", HOUSE);
    let refused = world.apply(&stranger, &file, &["--tokens-out", "-"]);
    assert_eq!(refused.status, 3, "{}", refused.errors);
    let nonsense = format!("dmd_{}", "0".repeat(49));
    let unknown = world.apply(&nonsense, &file, &["--tokens-out", "-"]);
    assert_eq!(unknown.status, 3, "{}", unknown.errors);
    assert_eq!(world.all("/api/tenants?limit=10").await.len(), 1);
    let operator = world.operator.clone();
    world.server.kill();
    let lost = world.apply(&operator, &file, &["--tokens-out", "-"]);
    assert_eq!(lost.status, 6, "{}", lost.errors);
}

#[tokio::test]
async fn tokens_go_to_standard_output_and_nothing_else_does() {
    let world = World::start().await;
    let file = world.file("tenants.yaml", HOUSE);
    let ended = world.apply(&world.operator, &file, &["--tokens-out", "-"]);
    assert_eq!(ended.status, 0, "{}", ended.errors);
    let line: Value = serde_json::from_str(ended.output.trim()).unwrap();
    let token = line["token"].as_str().unwrap();
    assert!(token.starts_with("dmd_") && !ended.errors.contains(token));
    assert!(
        ended.errors.contains("done: create tenant acme"),
        "{}",
        ended.errors
    );
}

fn many(tenants: usize) -> String {
    let mut text = "tenants:\n".to_owned();
    for number in 0..tenants {
        write!(
            text,
            "  - id: tenant-{number:05}\n    tier: managed-starter\n    budgets: [{{ name: default, limitUsd: {number} }}]\n    tokens: [{{ name: app, purpose: p, scopes: [gateway] }}]\n"
        )
        .unwrap();
    }
    text
}

/// Killed again and again, and finished in the end: every token is there once, its text is in the
/// file, and it opens the door.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_killed_anywhere_is_finished_by_another() {
    let tenants = 40;
    let world = World::start().await;
    let file = world.file("tenants.yaml", &many(tenants));
    let tokens = world.tokens_file();
    let mut kills = 0;
    // Each run is let live until it has written some tokens more than the ones before.
    for wanted in [1, 5, 6, 14, 22, 31] {
        let mut child = world
            .cli(&world.operator)
            .args(["apply", "-f"])
            .arg(&file)
            .arg("--tokens-out")
            .arg(&tokens)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                assert!(status.success());
                break;
            }
            let lines = std::fs::read_to_string(&tokens).unwrap_or_default();
            if lines.lines().count() >= wanted {
                child.kill().unwrap();
                child.wait().unwrap();
                kills += 1;
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    assert!(kills > 2, "the runs were too quick to be killed: {kills}");
    let out = ["--tokens-out", tokens.to_str().unwrap()];
    let last = world.apply(&world.operator, &file, &out);
    assert_eq!(last.status, 0, "{}\n{}", last.output, last.errors);
    assert_eq!(world.all("/api/tenants?limit=1000").await.len(), tenants);
    let live: Vec<Value> = world.all("/api/tokens?limit=1000").await;
    let live: BTreeSet<String> = live
        .iter()
        .filter(|token| token["revokedAt"].is_null() && !token["tenantId"].is_null())
        .map(|token| token["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(live.len(), tenants, "one token a tenant");
    let lines = written(&tokens);
    let known: BTreeSet<String> = lines
        .iter()
        .map(|line| line["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(known, live, "each text is written, and nothing else");
    for line in &lines {
        let token = line["token"].as_str();
        let answer = world.send(Method::GET, "/api/budgets", token, None).await;
        assert_eq!(answer.refused(403), "missing_scope", "it is known");
    }
}

/// As after a death between the server's answer and the disk.
#[tokio::test]
async fn a_token_whose_text_was_lost_is_made_anew_and_one_in_use_is_not() {
    let world = World::start().await;
    let file = world.file("tenants.yaml", &many(2));
    let tokens = world.tokens_file();
    let out = ["--tokens-out", tokens.to_str().unwrap()];
    assert_eq!(world.apply(&world.operator, &file, &out).status, 0);
    let lines = written(&tokens);
    // The file loses its lines; it is known that both were begun.
    let begun: String = lines
        .iter()
        .map(|line| {
            format!(
                "{}\n",
                json!({ "tenant": line["tenant"], "name": line["name"] })
            )
        })
        .collect();
    std::fs::write(format!("{}.begun", tokens.display()), begun).unwrap();
    std::fs::remove_file(&tokens).unwrap();
    let plan = world.apply(&world.operator, &file, &[&out[..], &["--plan"]].concat());
    assert!(
        plan.output.contains("whose text was lost"),
        "{}",
        plan.output
    );
    assert_eq!(world.apply(&world.operator, &file, &out).status, 0);
    let made = written(&tokens);
    assert_eq!(made.len(), 2);
    for (old, new) in lines.iter().zip(&made) {
        assert_ne!(old["id"], new["id"]);
        let path = format!("/api/tokens/{}", old["id"].as_str().unwrap());
        let old = world
            .operate(Method::GET, &path, Value::Null)
            .await
            .with(200);
        assert!(old["revokedAt"].is_string());
    }
}

/// At full scale, 10,000.
#[tokio::test]
async fn many_tenants_fit_into_bounded_memory() {
    let tenants = if crate::settings::full_scale() {
        10_000
    } else {
        150
    };
    let world = World::start().await;
    let file = world.file("tenants.yaml", &many(tenants));
    let tokens = world.tokens_file();
    let script = "ulimit -v 1500000; exec \"$@\"";
    let run = || {
        let mut command = std::process::Command::new("sh");
        command
            .args(["-c", script, "sh"])
            .arg(binary("diamond"))
            .args(["apply", "-f"])
            .arg(&file)
            .arg("--tokens-out")
            .arg(&tokens)
            .args(["--output", "json"])
            .env("DIAMOND_URL", &world.url)
            .env("DIAMOND_TOKEN", &world.operator)
            .env("HOME", world.dir.path());
        let output = command.output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        report["summary"].clone()
    };
    let all = 3 * tenants;
    assert_eq!(
        run(),
        json!({ "done": all, "unchanged": 0, "failed": 0, "notTried": 0 })
    );
    assert_eq!(
        run(),
        json!({ "done": 0, "unchanged": all, "failed": 0, "notTried": 0 })
    );
    assert_eq!(written(&tokens).len(), tenants);
}
