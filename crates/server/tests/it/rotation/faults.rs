//! Providers that are late, lie, lose answers, or end keys behind our back.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    QUICK,
    callers::{Callers, chat},
};
use crate::world::World;

/// A world with a tenant whose key was made by its first call.
async fn rotating() -> (World, String) {
    let world = World::start_with(QUICK).await;
    world.put_credential("openai").await;
    let token = world.keyless_tenant("zaxon").await;
    world.chat(&token, "gpt-4o-mini").await;
    (world, token)
}

async fn fault(world: &World, operation: &str, more: Value) {
    let mut fault = json!({ "service": "openai", "operation": operation });
    for (name, value) in more.as_object().unwrap() {
        fault[name] = value.clone();
    }
    world.sim_post("/_sim/faults", fault).await;
}

/// Rotates once under load while this goes wrong; no call notices, and nothing is left over.
async fn nobody_notices(operation: &str, more: Value) {
    let (world, token) = rotating().await;
    let calling = Callers::start(&world, std::slice::from_ref(&token), 4);
    fault(&world, operation, more).await;
    let rotation = world.rotate("openai", "zaxon").await;
    let id = &rotation["id"];
    world
        .until("the new key is not in use", async || {
            world.rotation(id).await["promotedAt"].is_string()
        })
        .await;
    world.until_rotations_ended().await;
    let (done, failed) = calling.finish().await;
    assert_eq!(failed, Vec::<String>::new(), "of {done}");
    world.until_only_used_keys_live("openai", &["zaxon"]).await;
}

#[tokio::test]
async fn a_lost_answer_leaves_no_key_behind() {
    nobody_notices("api_keys.create", json!({ "kind": "drop" })).await;
}

#[tokio::test]
async fn an_error_after_acting_leaves_no_key_behind() {
    let fault = json!({ "kind": "act_then_refuse", "status": 500 });
    nobody_notices("api_keys.create", fault).await;
}

#[tokio::test]
async fn a_lost_answer_that_lists_do_not_tell_yet_leaves_no_key_behind() {
    let (world, _token) = rotating().await;
    fault(
        &world,
        "api_keys.create",
        json!({ "kind": "late", "lists": 2 }),
    )
    .await;
    fault(&world, "api_keys.create", json!({ "kind": "drop" })).await;
    world.rotate("openai", "zaxon").await;
    world.until_rotations_ended().await;
    world.until_only_used_keys_live("openai", &["zaxon"]).await;
    let attempts: Vec<Value> = world
        .rotations()
        .await
        .iter()
        .map(|one| one["attempt"].clone())
        .collect();
    assert_eq!(attempts, [2, 1], "the second had to ask twice");
}

#[tokio::test]
async fn a_key_that_works_later_is_waited_for() {
    nobody_notices("api_keys.create", json!({ "kind": "late", "uses": 3 })).await;
}

#[tokio::test]
async fn an_ending_that_fails_is_repeated() {
    let fault = json!({ "kind": "refuse", "status": 500, "times": 2 });
    nobody_notices("api_keys.delete", fault).await;
}

#[tokio::test]
async fn a_key_that_somebody_ended_is_replaced_and_nobody_sees_it() {
    let (world, token) = rotating().await;
    let calling = Callers::start(&world, std::slice::from_ref(&token), 8);
    for round in 0..3 {
        let versions = world.versions("openai", "zaxon").await;
        let active = versions.iter().find(|version| version["state"] == "active");
        let id = active.unwrap()["providerKeyId"].clone();
        let gone = json!({ "service": "openai", "id": id, "state": "revoked" });
        world.sim_post("/_sim/keys", gone).await;
        world
            .until("it is not replaced", async || {
                let versions = world.versions("openai", "zaxon").await;
                let active = versions.iter().find(|version| version["state"] == "active");
                active.is_some_and(|active| active["providerKeyId"] != id)
            })
            .await;
        let before = calling.done();
        world
            .until(&format!("calls stand still in round {round}"), async || {
                calling.done() > before + 16
            })
            .await;
    }
    let (done, failed) = calling.finish().await;
    assert_eq!(failed, Vec::<String>::new(), "of {done}");
    // One alarm for each key, whoever met it first.
    let alarms = world.alarms("invalid_key").await;
    assert_eq!(alarms.len(), 1, "{alarms:?}");
    assert_eq!(alarms[0]["count"], 3, "{alarms:?}");
    let causes = world.rotations().await;
    let repairs = causes.iter().filter(|one| one["cause"] == "repair").count();
    assert_eq!(repairs, 3);
}

#[tokio::test]
async fn where_no_key_can_be_made_there_is_one_error_and_one_alarm() {
    let world = World::start_with(QUICK).await;
    let token = world.ready_tenant("zaxon").await;
    let value = world.sim_key().await;
    let gone = json!({ "service": "openai", "value": value, "state": "revoked" });
    world.sim_post("/_sim/keys", gone).await;
    let mut codes = std::collections::BTreeMap::<String, usize>::new();
    for _ in 0..12 {
        let response = world.call("chat/completions", &token, &chat(false)).await;
        let status = response.status().as_u16();
        let body: Value = response.json().await.unwrap();
        let code = body["error"]["code"].as_str().unwrap_or("none").to_owned();
        *codes.entry(format!("{status} {code}")).or_default() += 1;
    }
    // The call that found out has the provider's own word for it, everybody else ours.
    assert_eq!(codes.get("401 invalid_api_key"), Some(&1), "{codes:?}");
    assert_eq!(codes.get("409 key_invalid"), Some(&11), "{codes:?}");
    for code in ["invalid_key", "rotation_waiting"] {
        let alarms = world.alarms(code).await;
        assert_eq!(alarms.len(), 1, "{alarms:?}");
        assert_eq!(alarms[0]["count"], 1, "{alarms:?}");
    }
}

#[tokio::test]
async fn an_outage_does_not_mint_a_thousand_keys() {
    let breaker = ("DIAMOND_ROTATION__BREAKER_MAX", "2");
    let settings: Vec<_> = QUICK.iter().copied().chain([breaker]).collect();
    let world = World::start_with(&settings).await;
    world.put_credential("openai").await;
    let mut tokens = Vec::new();
    for number in 0..6 {
        let token = world.keyless_tenant(&format!("tenant-{number}")).await;
        world.chat(&token, "gpt-4o-mini").await;
        tokens.push(token);
    }
    let outage = json!({
        "kind": "refuse", "status": 401, "code": "invalid_api_key", "times": 6,
    });
    fault(&world, "chat.completions", outage).await;
    let calls = tokens.iter().map(|token| async {
        let response = world.call("chat/completions", token, &chat(false)).await;
        response.status().as_u16()
    });
    let statuses = futures_util::future::join_all(calls).await;
    let replaced = statuses.iter().filter(|status| **status == 200).count();
    assert_eq!(replaced, 2, "{statuses:?}");
    assert_eq!(world.minted("openai").await.len(), 6 + 2);
    assert_eq!(world.alarms("rotation_breaker_open").await.len(), 1);
}

#[tokio::test]
async fn a_sweep_touches_only_what_is_ours_and_of_no_use() {
    let (world, _token) = rotating().await;
    let keys = world.minted("openai").await;
    let (ours, project) = (keys[0]["name"].as_str().unwrap(), &keys[0]["projectId"]);
    // What a crash long ago could have left, what is another installation's, what is a person's.
    let left = format!("{}-9", ours.rsplit_once('-').unwrap().0);
    let stranger = "ukm-00000000000000000000000007-zaxon-00000000000000000000000007-1";
    for name in [left.as_str(), stranger, "mine, do not touch"] {
        let key = json!({ "service": "openai", "name": name, "projectId": project });
        world.sim_told("/_sim/keys", &key).await;
    }
    let path = "/api/services/openai/sweep";
    let report = world
        .operate(Method::POST, path, Value::Null)
        .await
        .with(200);
    let names = |list: &str| -> Vec<String> {
        let keys = report[list].as_array().unwrap().iter();
        keys.map(|key| key["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names("ended"), [left.as_str()], "{report}");
    let unknown = names("unknown");
    for name in [stranger, "mine, do not touch"] {
        assert!(unknown.iter().any(|known| known == name), "{report}");
    }
    assert_eq!(world.alarms("unknown_provider_key").await.len(), 1);
    world
        .until("what was left over is not ended", async || {
            let keys = world.sim_get("/_sim/minted?service=openai&live=true").await;
            let live: Vec<&str> = keys["keys"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(|key| key["name"].as_str())
                .collect();
            assert!(live.contains(&stranger) && live.contains(&"mine, do not touch"));
            !live.contains(&left.as_str())
        })
        .await;
}
