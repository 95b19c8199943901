//! The command line, as a person and as a script use it.

use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::World;

fn run(command: &mut Command, args: &[&str]) -> Output {
    command.args(args).stdin(Stdio::null()).output().unwrap()
}

fn json_of(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn the_whole_path_by_the_command_line() {
    let world = World::start().await;
    let operator = || world.cli(&world.operator);
    run(
        &mut operator(),
        &[
            "admin",
            "tenant:create",
            "zaxon",
            "--tier",
            "managed-enterprise",
        ],
    );
    let made = json_of(&run(
        &mut operator(),
        &[
            "admin",
            "token:create",
            "--tenant",
            "zaxon",
            "--scope",
            "keys:reveal",
            "--scope",
            "gateway",
            "--scope",
            "cost:read",
            "--scope",
            "usage:read",
            "--output",
            "json",
        ],
    ));
    let token = made["token"].as_str().unwrap().to_owned();

    let key = world.sim_key().await;
    let mut put = operator()
        .args(["ai", "keys:put", "openai", "zaxon"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    put.stdin.take().unwrap().write_all(key.as_bytes()).unwrap();
    let put = put.wait_with_output().unwrap();
    assert!(put.status.success(), "{put:?}");
    assert!(!String::from_utf8_lossy(&put.stdout).contains(&key));

    let got = run(
        &mut world.cli(&token),
        &["ai", "keys:get", "openai", "zaxon"],
    );
    assert!(got.status.success(), "{got:?}");
    assert_eq!(
        String::from_utf8_lossy(&got.stdout).trim(),
        key,
        "the key alone on stdout"
    );

    world.chat(&token, "gpt-4o-mini").await;
    let costs = json_of(&run(
        &mut world.cli(&token),
        &[
            "ai",
            "costs:analyze",
            "--tenant=zaxon",
            "--period=weekly",
            "--output",
            "json",
        ],
    ));
    assert!(
        costs["directCostUsd"].is_string() && costs["tpcUsd"].is_string(),
        "{costs}"
    );
    let table = run(
        &mut world.cli(&token),
        &["ai", "costs:analyze", "--tenant=zaxon"],
    );
    assert!(table.status.success());
    let verified = run(&mut operator(), &["admin", "audit:verify"]);
    assert!(verified.status.success(), "{verified:?}");
    let alarms = json_of(&run(
        &mut operator(),
        &["admin", "alarms:list", "--output", "json"],
    ));
    assert_eq!(alarms["items"], json!([]));
    let keys = json_of(&run(
        &mut operator(),
        &["ai", "keys:list", "zaxon", "--output", "json"],
    ));
    assert_eq!(keys["items"][0]["state"], "active");
    let revoked = run(
        &mut operator(),
        &["ai", "keys:revoke", "openai", "zaxon", "1"],
    );
    assert!(revoked.status.success(), "{revoked:?}");
    let gone = run(
        &mut world.cli(&token),
        &["ai", "keys:get", "openai", "zaxon"],
    );
    assert_eq!(gone.status.code(), Some(4), "{gone:?}");
    assert!(gone.stdout.is_empty());

    let tokens = world
        .operate(Method::GET, "/api/tokens?tenantId=zaxon", Value::Null)
        .await
        .with(200);
    let id = tokens["items"][0]["id"].as_str().unwrap();
    assert!(
        run(&mut operator(), &["admin", "token:revoke", id])
            .status
            .success()
    );
    let refused = run(
        &mut world.cli(&token),
        &["ai", "keys:get", "openai", "zaxon"],
    );
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
}

#[tokio::test]
async fn exit_statuses_say_whose_fault_it_was() {
    let world = World::start().await;
    let code = |token: &str, args: &[&str]| run(&mut world.cli(token), args).status.code();
    assert_eq!(code(&world.operator, &["ai", "keys:got"]), Some(2));
    assert_eq!(
        code(
            &world.operator,
            &["ai", "keys:get", "openai", "NOT A TENANT"]
        ),
        Some(2)
    );
    assert_eq!(
        code("dmd_wrong", &["ai", "keys:get", "openai", "zaxon"]),
        Some(3)
    );
    assert_eq!(
        code(&world.operator, &["ai", "keys:list", "nobody"]),
        Some(4)
    );
    world.tenant("zaxon").await;
    assert_eq!(
        code(&world.operator, &["admin", "tenant:create", "zaxon"]),
        Some(5)
    );
    let nowhere = run(
        world
            .cli(&world.operator)
            .env("DIAMOND_URL", "http://127.0.0.1:9"),
        &["admin", "tenant:list"],
    );
    assert_eq!(nowhere.status.code(), Some(6));
}

#[tokio::test]
async fn old_callers_get_their_key() {
    let world = World::start().await;
    let token = world.ready_tenant("zaxon").await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../lib/get_api_key.sh");
    let get = |tier: &str| {
        Command::new("sh")
            .args([script, "openai", "zaxon", tier])
            .env("DIAMOND_URL", &world.url)
            .env("DIAMOND_TOKEN", &token)
            .output()
            .unwrap()
    };
    let got = get("managed-enterprise");
    assert!(got.status.success(), "{got:?}");
    assert_eq!(
        String::from_utf8_lossy(&got.stdout).trim(),
        world.sim_key().await
    );
    let refused = get("managed-starter");
    assert!(!refused.status.success());
    assert!(refused.stdout.is_empty());
}
