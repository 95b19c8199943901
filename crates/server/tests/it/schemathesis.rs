//! Schemathesis calls our API in every way that our OpenAPI document allows, and in some that it does
//! not, with tokens of each kind: no server error, no answer that the document does not announce.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::{
    settings::full_scale,
    world::{TENANT_SCOPES, World},
};

/// What is held against each answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance,\
                      unsupported_method,ignored_auth";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn set_up() {
    let setup = Command::new("sh")
        .arg(root().join("scripts/setup-venv.sh"))
        .arg("schemathesis")
        .output()
        .unwrap();
    assert!(setup.status.success(), "it cannot be installed: {setup:?}");
}

/// One run as one caller. The seed is fixed: the same document gives the same calls.
fn run(schema: &str, url: &str, token: Option<String>) -> Output {
    let config = match token {
        Some(_) => "schemathesis.toml",
        None => "without_token.toml",
    };
    let (phases, examples) = if full_scale() {
        ("examples,coverage,fuzzing,stateful", "200")
    } else {
        ("examples,fuzzing", "10")
    };
    // The database of examples would make a run depend on those before it.
    let folder = tempfile::tempdir().unwrap();
    Command::new(root().join("target/venv-schemathesis/bin/schemathesis"))
        .current_dir(folder.path())
        .arg("--config-file")
        .arg(root().join("tests/schemathesis").join(config))
        .args(["run", schema, "--url", url])
        .args(["--checks", CHECKS, "--phases", phases])
        .args(["--max-examples", examples, "--seed", "1"])
        .args(["--generation-database", "none", "--continue-on-failure"])
        .args(["--suppress-health-check", "all", "--warnings", "off"])
        .args(["--output-sanitize", "true"])
        .env("DIAMOND_TEST_TOKEN", token.unwrap_or_default())
        .output()
        .unwrap()
}

fn report(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn the_api_answers_as_its_document_says_whoever_asks() {
    set_up();
    let world = World::start().await;
    // The names that stand as examples in the document.
    let all = world.ready_tenant("zaxon").await;
    world.chat(&all, "gpt-4o-mini").await;
    world.tenant("other").await;
    let callers = [
        ("an operator", Some(world.operator.clone())),
        ("a tenant with all scopes", Some(all)),
        (
            "a tenant with one scope",
            Some(world.token("zaxon", &["usage:read"]).await),
        ),
        (
            "a stranger",
            Some(world.token("other", TENANT_SCOPES).await),
        ),
        ("nobody", None),
    ];
    let mut runs = tokio::task::JoinSet::new();
    for (who, token) in callers {
        let url = world.url.clone();
        runs.spawn_blocking(move || (who, run(&format!("{url}/openapi.json"), &url, token)));
    }
    for (who, output) in runs.join_all().await {
        let report = report(&output);
        assert!(
            output.status.success() && report.contains("No issues found"),
            "as {who}:\n{report}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let cases = report.lines().find(|line| line.contains(" generated"));
        println!("report: as {who}: {}", cases.unwrap_or_default().trim());
    }
    let log = world.server.output();
    assert!(!log.contains("panic"), "{log}");
}

#[tokio::test]
async fn a_status_that_is_not_announced_is_found() {
    set_up();
    let world = World::start().await;
    let mut document: serde_json::Value =
        serde_json::from_str(&diamond_api::openapi_json()).unwrap();
    let paths = document["paths"].as_object_mut().unwrap();
    paths.retain(|path, _| path == "/api/tenants");
    let answers = &mut paths["/api/tenants"]["get"]["responses"];
    assert!(answers.as_object_mut().unwrap().remove("401").is_some());
    let file = world.dir.path().join("openapi.json");
    std::fs::write(&file, document.to_string()).unwrap();
    let (schema, url) = (file.display().to_string(), world.url.clone());
    let output = tokio::task::spawn_blocking(move || run(&schema, &url, None));
    let output = output.await.unwrap();
    let report = report(&output);
    assert!(!output.status.success(), "{report}");
    assert!(report.contains("Undocumented status code"), "{report}");
}
