//! A customer's own key: first in the order, paid by the customer, and gone when it is taken away.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{World, nanos};

const OWN: &str = "sk-sim-the-customers-own-key-0002";

impl World {
    /// Another key that the provider knows.
    pub async fn know_key(&self, value: &str) {
        let key = json!({ "service": "openai", "value": value, "state": "active" });
        self.sim_post("/_sim/keys", key).await;
    }

    async fn leased_kind(&self, token: &str) -> Value {
        let path = "/api/keys/openai/zaxon";
        let body = json!({ "purpose": "a test" });
        let lease = self
            .send(Method::POST, path, Some(token), Some(&body))
            .await;
        lease.with(200)["kind"].clone()
    }

    pub async fn alarms_of(&self, code: &str) -> Vec<Value> {
        let alarms = self
            .operate(Method::GET, "/api/alarms?limit=1000", Value::Null)
            .await
            .with(200);
        let items = alarms["items"].as_array().unwrap().clone();
        items
            .into_iter()
            .filter(|alarm| alarm["code"] == code)
            .collect()
    }

    fn put_by_hand(&self, tenant: &str, key: &str) -> (Option<i32>, String) {
        let mut put = self
            .cli(&self.operator)
            .args(["ai", "keys:put", "openai", tenant, "--kind", "customer"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        put.stdin.take().unwrap().write_all(key.as_bytes()).unwrap();
        let output = put.wait_with_output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        assert!(!said.contains(key), "{said}");
        (output.status.code(), said)
    }
}

#[tokio::test]
async fn it_is_validated_shadows_the_dedicated_key_and_falls_back_when_it_goes() {
    let world = World::start().await;
    let token = world.ready_tenant("zaxon").await;
    world.chat(&token, "gpt-4o-mini").await;
    assert_eq!(world.leased_kind(&token).await, "dedicated");
    // What the provider does not know is not taken, and shadows nothing.
    let (status, said) = world.put_by_hand("zaxon", "sk-nobody-knows-this-one");
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("key_rejected"), "{said}");
    assert_eq!(world.leased_kind(&token).await, "dedicated");

    world.know_key(OWN).await;
    let (status, said) = world.put_by_hand("zaxon", OWN);
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(world.leased_kind(&token).await, "customer");
    world.chat(&token, "gpt-4o-mini").await;

    let revoked = world
        .cli(&world.operator)
        .args([
            "ai",
            "keys:revoke",
            "openai",
            "zaxon",
            "1",
            "--kind",
            "customer",
        ])
        .output()
        .unwrap();
    assert!(revoked.status.success(), "{revoked:?}");
    assert_eq!(world.leased_kind(&token).await, "dedicated");
    world.chat(&token, "gpt-4o-mini").await;

    let events = world.events("zaxon").await;
    let payers: Vec<&Value> = events.iter().map(|event| &event["payer"]).collect();
    assert_eq!(payers, ["platform", "tenant", "platform"]);
    let tpc = "/api/analytics/tpc/zaxon?period=daily";
    let tpc = world.operate(Method::GET, tpc, Value::Null).await.with(200);
    let costs: Vec<i128> = events
        .iter()
        .map(|event| nanos(&event["costUsd"]))
        .collect();
    assert!(costs.iter().all(|cost| *cost > 0));
    assert_eq!(nanos(&tpc["directCostUsd"]), costs[0] + costs[2]);
    assert_eq!(nanos(&tpc["tenantPaidUsd"]), costs[1]);
    // What the customer pays itself is in no budget of ours.
    let budget = "/api/budgets/zaxon/default";
    let budget = world
        .operate(Method::GET, budget, Value::Null)
        .await
        .with(200);
    assert_eq!(budget["spentUsd"], tpc["chargeUsd"]);
}

#[tokio::test]
async fn one_key_under_two_tenants_is_flagged_and_not_shown() {
    let mut world = World::start().await;
    for tenant in ["zaxon", "coaching", "other"] {
        world.tenant(tenant).await;
    }
    world.know_key(OWN).await;
    assert_eq!(world.put_by_hand("zaxon", OWN).0, Some(0));
    assert!(world.alarms_of("shared_key").await.is_empty());
    let check = json!({ "apiKey": OWN, "kind": "customer" });
    let path = "/api/keys/openai/coaching/check";
    let checked = world
        .operate(Method::POST, path, check.clone())
        .await
        .with(200);
    assert_eq!(
        checked,
        json!({ "state": "absent", "newestVersion": null, "sharedWith": ["zaxon"] })
    );
    // Whoever is no operator learns nothing of others.
    let token = world.token("coaching", &["keys:write"]).await;
    let own = world
        .send(Method::POST, path, Some(&token), Some(&check))
        .await;
    assert_eq!(own.with(200)["sharedWith"], Value::Null);

    assert_eq!(world.put_by_hand("coaching", OWN).0, Some(0));
    let alarms = world.alarms_of("shared_key").await;
    assert_eq!(alarms.len(), 1);
    let alarm = alarms[0].to_string();
    assert!(
        alarm.contains("coaching, zaxon") && !alarm.contains(OWN),
        "{alarm}"
    );
    assert_eq!(
        alarms[0]["tenantId"],
        Value::Null,
        "it is the platform's to know"
    );
    // It is known again after a restart, and nothing of the key lies in the database.
    world.server.kill();
    world.start_server_again().await;
    let path = "/api/keys/openai/other/check";
    let checked = world
        .operate(Method::POST, path, check.clone())
        .await
        .with(200);
    assert_eq!(checked["sharedWith"], json!(["coaching", "zaxon"]));
    let path = "/api/keys/openai/zaxon/check";
    let same = world.operate(Method::POST, path, check).await.with(200);
    assert_eq!(
        (&same["state"], &same["newestVersion"]),
        (&json!("same"), &json!(1))
    );
    let plain = blake3::hash(OWN.as_bytes()).to_hex();
    for file in ["control.db", "control.db-wal"] {
        let bytes = std::fs::read(world.data().join(file)).unwrap_or_default();
        for secret in [OWN, plain.as_str()] {
            let found = bytes
                .windows(secret.len())
                .any(|part| part == secret.as_bytes());
            assert!(!found, "{file} holds the key or its plain hash");
        }
    }
}

#[tokio::test]
async fn keys_that_were_there_before_are_found_too() {
    let mut world = World::start().await;
    for tenant in ["zaxon", "coaching"] {
        world.tenant(tenant).await;
        world.know_key(OWN).await;
        assert_eq!(world.put_by_hand(tenant, OWN).0, Some(0));
    }
    // As an older release left it: no tags, and nobody has said anything.
    world.server.kill();
    let forget = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); \
                  db.executescript('DELETE FROM key_tags; DELETE FROM alarms'); db.close()";
    let forgotten = Command::new("python3")
        .args(["-c", forget])
        .arg(world.data().join("control.db"))
        .status()
        .unwrap();
    assert!(forgotten.success());
    world.start_server_again().await;
    let mut looks = 0;
    while world.alarms_of("shared_key").await.is_empty() {
        looks += 1;
        assert!(
            looks < 100_000,
            "the keys that were there are not looked at"
        );
        tokio::task::yield_now().await;
    }
    let check = json!({ "apiKey": OWN, "kind": "customer" });
    let path = "/api/keys/openai/coaching/check";
    let checked = world.operate(Method::POST, path, check).await.with(200);
    assert_eq!(checked["sharedWith"], json!(["zaxon"]));
}
