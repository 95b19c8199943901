//! The official SDKs as clients: unmodified but for base URL and key.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    gateway::agree_with,
    tls::{self, Authority},
    world::{TENANT_SCOPES, World},
};

#[tokio::test]
async fn the_official_python_sdk_works_and_costs_what_the_provider_bills() {
    run_suite(&World::start().await, &[]).await;
}

/// Over TLS, because one of them speaks `wss` alone.
#[tokio::test]
async fn the_other_official_python_sdks_work_and_cost_what_the_providers_bill() {
    let authority = Authority::new();
    let world = tls::start(&authority, &[]).await;
    let token = tenant_of(&world, &["anthropic", "elevenlabs", "deepgram"]).await;
    set_up("setup-venv.sh");
    let file = authority.file();
    for (service, paid) in [("anthropic", 3), ("elevenlabs", 4), ("deepgram", 4)] {
        let script = root().join(format!("tests/sdk/test_{service}_sdk.py"));
        let mut command = Command::new(root().join("target/venv/bin/python"));
        command.arg(script).env("SSL_CERT_FILE", &file);
        run(&world, &token, command).await;
        let calls = agree_with(service, &world, "zaxon").await;
        assert!(calls >= paid, "{service}: only {calls} paid calls");
    }
}

#[tokio::test]
async fn the_official_javascript_sdks_work_and_cost_what_the_providers_bill() {
    let authority = Authority::new();
    let world = tls::start(&authority, &[]).await;
    let token = tenant_of(&world, &["openai", "anthropic"]).await;
    set_up("setup-node.sh");
    for (service, paid) in [("openai", 4), ("anthropic", 2)] {
        let mut command = Command::new("node");
        command
            .arg("--test")
            .arg(root().join(format!("target/node/{service}.test.mjs")))
            .env("NODE_EXTRA_CA_CERTS", authority.file());
        run(&world, &token, command).await;
        let calls = agree_with(service, &world, "zaxon").await;
        assert!(calls >= paid, "{service}: only {calls} paid calls");
    }
}

/// Runs the OpenAI SDK's suite, with more environment for it, and holds our events against the
/// bill.
pub async fn run_suite(world: &World, environment: &[(&str, &OsStr)]) {
    let token = tenant_of(world, &["openai"]).await;
    set_up("setup-venv.sh");
    let mut command = Command::new(root().join("target/venv/bin/python"));
    command
        .arg(root().join("tests/sdk/test_openai_sdk.py"))
        .envs(environment.iter().copied());
    let url = format!("{}/gateway/openai/v1", world.url);
    run_at(world, &url, &token, command).await;
    let calls = crate::gateway::agree(world, "zaxon").await;
    assert!(calls >= 6, "the suite made only {calls} paid calls");
}

/// A tenant with a key of each of these services, and its token.
async fn tenant_of(world: &World, services: &[&str]) -> String {
    world.tenant("zaxon").await;
    for service in services {
        world.put_key_of(service, "zaxon").await;
    }
    world.token("zaxon", TENANT_SCOPES).await
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn set_up(script: &str) {
    let script = root().join("scripts").join(script);
    let done = Command::new("sh").arg(script).output().unwrap();
    assert!(
        done.status.success(),
        "the SDKs cannot be installed: {done:?}"
    );
}

async fn run(world: &World, token: &str, command: Command) {
    let url = format!("{}/gateway", world.url);
    run_at(world, &url, token, command).await;
}

async fn run_at(world: &World, url: &str, token: &str, mut command: Command) {
    command
        .env("GATEWAY_URL", url)
        .env("GATEWAY_TOKEN", token)
        .env("SIM_URL", &world.sim_url);
    let run = tokio::task::spawn_blocking(move || command.output().unwrap());
    let run = run.await.unwrap();
    assert!(
        run.status.success(),
        "{}{}",
        String::from_utf8_lossy(&run.stdout),
        String::from_utf8_lossy(&run.stderr)
    );
}
