//! The official OpenAI SDK as a client: unmodified but for base URL and key.

use std::{ffi::OsStr, process::Command};

use crate::world::World;

#[tokio::test]
async fn the_official_python_sdk_works_and_costs_what_the_provider_bills() {
    run_suite(&World::start().await, &[]).await;
}

/// Runs the SDK's suite, with more environment for it, and holds our events against the bill.
pub async fn run_suite(world: &World, environment: &[(&str, &OsStr)]) {
    let token = world.ready_tenant("zaxon").await;
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let setup = Command::new("sh")
        .arg(root.join("scripts/setup-venv.sh"))
        .output()
        .unwrap();
    assert!(
        setup.status.success(),
        "the SDK cannot be installed: {setup:?}"
    );
    let python = root.join("target/venv/bin/python");
    let run = tokio::task::spawn_blocking({
        let (url, sim) = (world.url.clone(), world.sim_url.clone());
        let environment: Vec<_> = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        move || {
            Command::new(python)
                .arg(root.join("tests/sdk/test_openai_sdk.py"))
                .env("GATEWAY_URL", format!("{url}/gateway/openai/v1"))
                .env("GATEWAY_TOKEN", token)
                .env("SIM_URL", sim)
                .envs(environment)
                .output()
                .unwrap()
        }
    });
    let run = run.await.unwrap();
    assert!(
        run.status.success(),
        "{}{}",
        String::from_utf8_lossy(&run.stdout),
        String::from_utf8_lossy(&run.stderr)
    );
    let calls = crate::gateway::agree(world, "zaxon").await;
    assert!(calls >= 6, "the suite made only {calls} paid calls");
}
