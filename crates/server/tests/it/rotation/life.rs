//! One key after another, with nothing going wrong.

use reqwest::Method;
use serde_json::{Value, json};

use super::{QUICK, with_input};
use crate::world::World;

#[tokio::test]
async fn the_first_call_makes_the_key_and_a_rotation_replaces_it() {
    let world = World::start_with(QUICK).await;
    world.put_credential("openai").await;
    let token = world.keyless_tenant("zaxon").await;
    world.chat(&token, "gpt-4o-mini").await;
    let first = world.versions("openai", "zaxon").await;
    assert_eq!(first.len(), 1, "{first:?}");
    assert_eq!(first[0]["state"], "active");
    assert!(first[0]["nextRotationAt"].is_string(), "{first:?}");
    assert!(first[0]["lastUsedAt"].is_string(), "{first:?}");
    let minted = world.minted("openai").await;
    assert_eq!(minted.len(), 1, "{minted:?}");
    assert_eq!(minted[0]["id"], first[0]["providerKeyId"]);
    let name = minted[0]["name"].as_str().unwrap();
    assert!(name.contains("-zaxon-") && name.ends_with("-1"), "{name}");

    let rotation = world.rotate("openai", "zaxon").await;
    assert_eq!(rotation["formerVersion"], 1, "{rotation}");
    assert_eq!(rotation["version"], 2, "{rotation}");
    world.chat(&token, "gpt-4o-mini").await;
    world.until_rotations_ended().await;
    let rotation = world.rotation(&rotation["id"]).await;
    assert_eq!(rotation["state"], "revoked", "{rotation}");
    world.until_only_used_keys_live("openai", &["zaxon"]).await;
    let states: Vec<Value> = world
        .versions("openai", "zaxon")
        .await
        .iter()
        .map(|version| version["state"].clone())
        .collect();
    assert_eq!(states, ["revoked", "active"]);
    // Each call with the key that was in use then.
    let events = world.events("zaxon").await;
    let versions: Vec<&Value> = events.iter().map(|event| &event["secretVersion"]).collect();
    assert_eq!(versions.len(), 2);
    assert!(
        versions.contains(&&json!(1)) && versions.contains(&&json!(2)),
        "{versions:?}"
    );

    let path = "/api/services/openai/sweep";
    let report = world
        .operate(Method::POST, path, Value::Null)
        .await
        .with(200);
    assert_eq!(report["ours"], 1, "{report}");
    assert_eq!(report["ended"], json!([]), "{report}");
    assert_eq!(report["missing"], json!([]), "{report}");
    assert_eq!(report["failed"], json!([]), "{report}");
}

#[tokio::test]
async fn many_first_calls_at_once_make_one_key() {
    let world = World::start_with(QUICK).await;
    world.put_credential("openai").await;
    let token = world.keyless_tenant("zaxon").await;
    let calls = (0..16).map(|_| world.chat(&token, "gpt-4o-mini"));
    futures_util::future::join_all(calls).await;
    assert_eq!(world.minted("openai").await.len(), 1);
    assert_eq!(world.rotations().await.len(), 1);
}

#[tokio::test]
async fn a_key_that_is_fetched_is_made_too() {
    let world = World::start_with(QUICK).await;
    world.put_credential("openai").await;
    let token = world.keyless_tenant("zaxon").await;
    let path = "/api/keys/openai/zaxon";
    let lease = world
        .send(Method::POST, path, Some(&token), Some(&json!({})))
        .await;
    assert_eq!(lease.with(200)["version"], 1);
    // Revoked by a person, it is not made again behind that person's back.
    let path = "/api/keys/openai/zaxon/versions/1";
    world
        .operate(Method::DELETE, path, Value::Null)
        .await
        .with(200);
    let path = "/api/keys/openai/zaxon";
    let lease = world
        .send(Method::POST, path, Some(&token), Some(&json!({})))
        .await;
    assert_eq!(lease.refused(404), "key_revoked");
    world.until_only_used_keys_live("openai", &["zaxon"]).await;
}

#[tokio::test]
async fn provisioning_says_what_stands_in_its_way() {
    let world = World::start_with(QUICK).await;
    let path = "/api/keys/openai/zaxon/provision";
    world.ready_tenant("zaxon").await;
    let there = world.operate(Method::POST, path, json!({})).await;
    assert_eq!(there.refused(409), "key_already_there");
    let other = json!({ "tier": "managed-starter" });
    let tier = world.operate(Method::POST, path, other).await;
    assert_eq!(tier.refused(409), "tier_mismatch");
    let own = json!({ "id": "own-keys", "tier": "customer-provided" });
    world
        .operate(Method::POST, "/api/tenants", own)
        .await
        .with(201);
    let path = "/api/keys/openai/own-keys/provision";
    let without = world.operate(Method::POST, path, json!({})).await;
    assert_eq!(without.refused(409), "tier_without_own_keys");
    let path = "/api/keys/openai/own-keys/rotate";
    let none = world.operate(Method::POST, path, json!({})).await;
    assert_eq!(none.refused(404), "key_not_configured");
    let path = "/api/rotations/rot_00000000000000000000000007";
    let none = world.operate(Method::GET, path, Value::Null).await;
    assert_eq!(none.refused(404), "rotation_not_found");
}

#[tokio::test]
async fn a_credential_is_tried_before_it_is_kept() {
    let world = World::start_with(QUICK).await;
    let path = "/api/services/openai/credential";
    let body = json!({ "apiKey": "sk-admin-nobody-knows-this" });
    let refused = world.operate(Method::PUT, path, body).await;
    assert_eq!(refused.refused(422), "credential_rejected");
    let token = world.keyless_tenant("zaxon").await;
    let body = json!({ "model": "gpt-4o-mini", "messages": [] });
    let response = world.call("chat/completions", &token, &body).await;
    assert_eq!(response.status(), 409);
    let text = response.text().await.unwrap();
    assert!(text.contains("no management credential"), "{text}");
    // A call asks nobody for a key: that would be an alarm for each tenant that tries a service.
    assert_eq!(world.alarms("rotation_waiting").await.len(), 0);
}

#[tokio::test]
async fn without_a_credential_a_rotation_waits_for_a_person_and_says_so_once() {
    let world = World::start_with(QUICK).await;
    let token = world.ready_tenant("zaxon").await;
    let first = world.rotate("openai", "zaxon").await;
    assert_eq!(first["waitsForPerson"], true, "{first}");
    assert!(
        first["reason"].as_str().unwrap().contains("credential"),
        "{first}"
    );
    let again = world.rotate("openai", "zaxon").await;
    assert_eq!(again["id"], first["id"], "one is under way");
    let alarms = world.alarms("rotation_waiting").await;
    assert_eq!(alarms.len(), 1, "{alarms:?}");
    assert_eq!(alarms[0]["count"], 1, "{alarms:?}");
    world.chat(&token, "gpt-4o-mini").await;

    let made = world
        .sim_told("/_sim/keys", &json!({ "service": "openai" }))
        .await;
    let value = made["key"]["value"].as_str().unwrap().to_owned();
    let mut put = world.cli(&world.operator);
    put.args(["ai", "keys:put", "openai", "zaxon"]);
    let put = with_input(put, &value).await;
    assert!(put.status.success(), "{put:?}");
    world.chat(&token, "gpt-4o-mini").await;
    world.until_rotations_ended().await;
    let rotation = world.rotation(&first["id"]).await;
    assert_eq!(
        (&rotation["state"], &rotation["version"]),
        (&json!("revoked"), &json!(2))
    );
}

#[tokio::test]
async fn the_command_line_rotates_one_and_all() {
    let world = World::start_with(QUICK).await;
    world.put_credential("openai").await;
    let tenants = ["alpha", "beta", "gamma"];
    for tenant in tenants {
        world.tenant(tenant).await;
        let mut provision = world.cli(&world.operator);
        provision.args(["ai", "keys:provision", "openai", tenant]);
        let done = with_input(provision, "").await;
        assert!(done.status.success(), "{done:?}");
    }
    let run = async |words: &[&str]| {
        let mut command = world.cli(&world.operator);
        command.args(words);
        let done = with_input(command, "").await;
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stdout).unwrap()
    };
    let one = run(&["ai", "keys:rotate", "openai", "alpha", "--reason", "leaked"]).await;
    assert!(one.contains("requested"), "{one}");
    let all = run(&["ai", "keys:rotate", "--service", "openai", "--all"]).await;
    assert!(
        all.contains("3 keys of openai: 3 replaced, 0 under way"),
        "{all}"
    );
    let list = run(&[
        "ai",
        "rotations:list",
        "--service",
        "openai",
        "--output",
        "json",
    ])
    .await;
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list["items"].as_array().unwrap().len(), 3 + 1 + 3);
    let id = list["items"][0]["id"].as_str().unwrap();
    let shown = run(&["ai", "rotation:show", id]).await;
    assert!(shown.contains(id), "{shown}");
    world.until_rotations_ended().await;
    world.until_only_used_keys_live("openai", &tenants).await;
    let swept = run(&["admin", "provider:sweep", "openai"]).await;
    assert!(
        swept.contains("3 ours and in use, 0 ours and left over"),
        "{swept}"
    );
}
