//! Services that files declare.

use diamond_test_support::{ServerProcess, binary};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{rotation::with_input, world::World};

/// A declaration that is right.
const ACME: &str = r#"name = "acme"
display_name = "Acme"
component_code = "30-ACME"
sources = ["https://acme.example/docs"]

[[region]]
name = "global"
base_url = "https://api.acme.example"

[[credential]]
header = "authorization"
scheme = "Bearer"

[usage.text]
object = ["usage"]
[usage.text.meters]
input_tokens = "prompt_tokens"
output_tokens = "completion_tokens"

[[route]]
method = "POST"
path = "/v1/chat/completions"
operation = "chat.completions"
metering = "usage"
usage = "text"
body = "json"

[[model]]
name = "acme-1"
valid_from = 2026-10-01
observed = 2026-11-22
source = "https://acme.example/prices"
[model.rates]
input_tokens = "1 / 1000000"
output_tokens = "2 / 1000000"
"#;

#[test]
fn a_bad_declaration_ends_the_start_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let declared = dir.path().join("declared");
    std::fs::create_dir(&declared).unwrap();
    let bad = ACME
        .replace("30-ACME", "15-OPENAI")
        .replace("1 / 1000000", "cheap");
    std::fs::write(declared.join("acme.toml"), bad).unwrap();
    std::fs::write(declared.join("other.toml"), "name = \"ot-her\"\n").unwrap();
    std::fs::write(declared.join("notes.txt"), "no declaration").unwrap();
    let run = |environment: &[(&str, &str)]| {
        let mut server = ServerProcess::spawn(&binary("diamond-server"), |command| {
            command
                .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
                .arg(dir.path().join("data"))
                .env("DIAMOND_DECLARED_SERVICES__DIR", &declared)
                .envs(environment.iter().copied());
        });
        assert!(!server.wait().success(), "{}", server.output());
        server.output()
    };
    let said = run(&[]);
    for part in [
        "acme.toml:1:8: ",
        "15-OPENAI is the one of `openai`",
        "acme.toml:28:1: ",
        "other.toml:1:1: ",
        "missing field",
        "ai services:check",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    // With a folder any name may be set, and is looked for.
    std::fs::remove_file(declared.join("other.toml")).unwrap();
    std::fs::write(declared.join("acme.toml"), ACME).unwrap();
    let said = run(&[("DIAMOND_SERVICES__ACNE__BASE_URL", "https://acne.example")]);
    assert!(said.contains("`services.acne` is set"), "{said}");
}

#[tokio::test]
async fn services_are_listed_with_where_they_come_from() {
    let declared = tempfile::tempdir().unwrap();
    let file = declared.path().join("acme.toml");
    std::fs::write(&file, ACME).unwrap();
    let folder = declared.path().display().to_string();
    let world = World::start_with(&[
        ("DIAMOND_DECLARED_SERVICES__DIR", &folder),
        (
            "DIAMOND_SERVICES__ACME__BASE_URL",
            "https://eu.acme.example",
        ),
    ])
    .await;
    world.tenant("zaxon").await;
    let token = world.token("zaxon", &["keys:read"]).await;
    let list = world
        .send(Method::GET, "/api/services", Some(&token), None)
        .await
        .with(200);
    let items = list["items"].as_array().unwrap();
    let of = |name: &str| items.iter().find(|item| item["service"] == name).unwrap();
    assert_eq!(of("openai")["source"], "built_in");
    assert_eq!(of("openai")["componentCode"], "15-OPENAI");
    assert_eq!(of("groq")["source"], "declared");
    assert_eq!(of("openrouter")["capabilities"]["minting"], "api");
    let acme = of("acme");
    assert_eq!(acme["file"], file.display().to_string());
    assert_eq!(acme["baseUrl"], "https://eu.acme.example");
    assert_eq!(acme["prices"], 1);
    let mut shown = world.cli(&token);
    shown.args(["ai", "services:list"]);
    let shown = with_input(shown, "").await;
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(
        shown.contains("30-ACME") && shown.contains("18-GROQ"),
        "{shown}"
    );

    // A file is checked as the server would at its start, by whoever runs it.
    let check = async |text: &str, token: &str| {
        std::fs::write(declared.path().join("new.toml"), text).unwrap();
        let path = declared.path().join("new.toml");
        let mut command = world.cli(token);
        command.args(["ai", "services:check"]).arg(path);
        let output = with_input(command, "").await;
        let said = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), said)
    };
    let (status, said) = check(ACME, &world.operator).await;
    assert_eq!(status, Some(0), "{said}");
    let (status, said) = check(&ACME.replace("\"/v1/chat", "\"v1/chat"), &world.operator).await;
    assert_eq!(status, Some(7), "{said}");
    assert!(
        said.contains("new.toml:22:8: `v1/chat/completions` must begin with `/`"),
        "{said}"
    );
    let (status, said) = check(&ACME.replace("\"acme\"\n", "\"openai\"\n"), &world.operator).await;
    assert_eq!(
        (status, said.contains("the program itself")),
        (Some(7), true),
        "{said}"
    );
    assert_eq!(check(ACME, &token).await.0, Some(3));
    let body = json!({ "file": "x", "text": "a".repeat(40_000) });
    let found = world
        .operate(Method::POST, "/api/services/check", body)
        .await
        .with(200);
    assert_eq!(found["usable"], Value::Bool(false));
}
