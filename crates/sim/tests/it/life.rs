//! The life of keys: what the judge knows of them, and how the world can be late or lie.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{KEY_ID, Sim, chat, finish};

/// A project with a service account; where it stands, and the value of its key.
async fn account(sim: &Sim) -> (String, Value) {
    let project = sim
        .manage(Method::POST, "projects", &json!({"name": "zaxon"}))
        .await
        .json();
    let project = format!("projects/{}", project["id"].as_str().unwrap());
    let path = format!("{project}/service_accounts");
    let made = sim
        .manage(Method::POST, &path, &json!({"name": "ukm"}))
        .await
        .json();
    (project, made)
}

async fn more_key(sim: &Sim, project: &str, account: &Value, name: &str) -> Value {
    let account = account["id"].as_str().unwrap();
    let path = format!("{project}/service_accounts/{account}/api_keys");
    let made = sim
        .manage(Method::POST, &path, &json!({"name": name}))
        .await;
    assert_eq!(made.status, 200);
    made.json()
}

async fn models(sim: &Sim, key: &Value) -> u16 {
    let value = key["value"].as_str().unwrap();
    finish(sim.request(Method::GET, "models", value))
        .await
        .status
}

async fn listed(sim: &Sim, project: &str) -> usize {
    let path = format!("{project}/api_keys?limit=100");
    let list = sim.manage(Method::GET, &path, &Value::Null).await.json();
    list["data"].as_array().unwrap().len()
}

#[tokio::test]
async fn the_judge_knows_every_key_there_ever_was_and_tells_no_value() {
    let sim = Sim::start().await;
    let (project, account) = account(&sim).await;
    let key = &account["api_key"];
    let second = more_key(&sim, &project, &account, "ukm-second").await;
    assert_eq!(models(&sim, key).await, 200);
    let path = format!("{project}/api_keys/{}", key["id"].as_str().unwrap());
    sim.manage(Method::DELETE, &path, &Value::Null).await;
    assert_eq!(models(&sim, key).await, 401);
    let told = sim.minted("openai", "").await;
    let of = |key: &Value| {
        told.iter()
            .find(|told| told["id"] == key["id"])
            .unwrap()
            .clone()
    };
    let gone = of(key);
    assert_eq!(gone["live"], false);
    assert!(gone["deletedAt"].is_i64());
    assert_eq!(
        (&gone["callsReceived"], &gone["callsRefused"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(gone["origin"], "administration");
    assert_eq!(of(&second)["live"], true);
    assert_eq!(of(&second)["serviceAccountId"], account["id"]);
    let text = json!(told).to_string();
    for value in [&key["value"], &second["value"], &json!(sim.key)] {
        assert!(!text.contains(value.as_str().unwrap()));
    }
    let living = sim.minted("openai", "&live=true&namePrefix=ukm-").await;
    assert_eq!(living, [of(&second)]);
}

#[tokio::test]
async fn an_answer_is_lost_after_the_key_was_made() {
    let sim = Sim::start().await;
    let (project, account) = account(&sim).await;
    let id = account["id"].as_str().unwrap();
    let path = format!("organization/{project}/service_accounts/{id}/api_keys");
    let ask = || {
        sim.request(Method::POST, &path, &sim.admin_key)
            .json(&json!({"name": "ukm-lost"}))
    };
    sim.fault(json!({"operation": "api_keys.create", "kind": "drop"}))
        .await;
    assert!(ask().send().await.is_err());
    sim.fault(json!({"operation": "api_keys.create", "kind": "act_then_refuse", "status": 500}))
        .await;
    assert_eq!(finish(ask()).await.status, 500);
    sim.fault(json!({"operation": "api_keys.create", "kind": "refuse", "status": 503}))
        .await;
    assert_eq!(finish(ask()).await.status, 503);
    // Two were made, whose values nobody has.
    let lost = sim.minted("openai", "&namePrefix=ukm-lost").await;
    assert_eq!(lost.len(), 2);
    assert_eq!(listed(&sim, &project).await, 3);
}

#[tokio::test]
async fn a_key_works_only_after_some_uses() {
    let sim = Sim::start().await;
    let (project, account) = account(&sim).await;
    sim.fault(json!({
        "operation": "api_keys.create", "kind": "late", "uses": 2, "lists": 1,
    }))
    .await;
    let key = more_key(&sim, &project, &account, "late").await;
    for status in [401, 401, 200, 200] {
        assert_eq!(models(&sim, &key).await, status);
    }
    assert_eq!(listed(&sim, &project).await, 1);
    assert_eq!(listed(&sim, &project).await, 2);
}

#[tokio::test]
async fn a_key_works_only_after_some_time_and_a_deleted_one_a_little_longer() {
    let sim = Sim::start().await;
    let (project, account) = account(&sim).await;
    sim.fault(json!({"operation": "api_keys.*", "kind": "late", "seconds": 30}))
        .await;
    let key = more_key(&sim, &project, &account, "late").await;
    let wait = json!({"advanceSeconds": 31});
    assert_eq!(models(&sim, &key).await, 401);
    sim.judge(Method::POST, "clock", &wait).await;
    assert_eq!(models(&sim, &key).await, 200);

    sim.fault(json!({
        "operation": "api_keys.delete", "kind": "late", "uses": 1, "lists": 1,
    }))
    .await;
    let path = format!("{project}/api_keys/{}", key["id"].as_str().unwrap());
    let deleted = sim.manage(Method::DELETE, &path, &Value::Null).await;
    assert_eq!(deleted.json()["deleted"], true);
    assert_eq!(models(&sim, &key).await, 200);
    assert_eq!(models(&sim, &key).await, 401);
    assert_eq!(listed(&sim, &project).await, 2);
    assert_eq!(listed(&sim, &project).await, 1);
    // The truth was told at once.
    let told = sim.minted("openai", "&namePrefix=late").await;
    assert_eq!(told[0]["live"], false);
}

#[tokio::test]
async fn scopes_come_late_too() {
    let sim = Sim::start().await;
    let (project, account) = account(&sim).await;
    let key = &account["api_key"];
    sim.fault(json!({"operation": "api_keys.update", "kind": "late", "uses": 1}))
        .await;
    let path = format!("{project}/api_keys/{}", key["id"].as_str().unwrap());
    let scopes = json!({"scopes": ["api.all.read"]});
    sim.manage(Method::POST, &path, &scopes).await;
    let value = key["value"].as_str().unwrap();
    for status in [200, 403] {
        let ask = sim.request(Method::POST, "chat/completions", value);
        let answer = finish(ask.json(&chat("gpt-4o-mini", "Hi"))).await;
        assert_eq!(answer.status, status);
    }
}

#[tokio::test]
async fn a_key_is_revoked_behind_its_owner_s_back_at_a_call_that_was_counted() {
    let sim = Sim::start().await;
    sim.fault(json!({"kind": "revoke", "operation": "chat.completions", "after": 2}))
        .await;
    for status in [200, 200, 401, 401] {
        let answer = sim
            .post("chat/completions", &chat("gpt-4o-mini", "Hi"))
            .await;
        assert_eq!(answer.status, status);
    }
    let told = sim.minted("openai", "&live=false").await;
    assert_eq!(told[0]["id"], KEY_ID);
    assert_eq!(told[0]["callsRefused"], 2);
}

#[tokio::test]
async fn the_money_of_a_project_or_of_an_organization_ends_for_all_its_keys() {
    let sim = Sim::start().await;
    let (_, account) = account(&sim).await;
    let other = account["api_key"]["value"].as_str().unwrap();
    let ask = async |key: &str| {
        let request = sim.request(Method::POST, "chat/completions", key);
        let answer = finish(request.json(&chat("gpt-4o-mini", "Hi"))).await;
        let code = if answer.status == 200 {
            Value::Null
        } else {
            answer.json()["error"]["code"].clone()
        };
        (answer.status, code)
    };
    let limit = |change: Value| {
        let mut body = json!({"service": "openai"});
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    };
    let project = limit(json!({"projectId": "proj_sim_default", "exhausted": true}));
    sim.judge(Method::POST, "limits", &project).await;
    assert_eq!(
        ask(&sim.key).await,
        (429, json!("project_spend_limit_exceeded"))
    );
    assert_eq!(ask(other).await, (200, Value::Null));
    let organization = limit(json!({
        "organizationId": "org-sim", "exhausted": true, "code": "organization_spend_limit_exceeded",
    }));
    sim.judge(Method::POST, "limits", &organization).await;
    assert_eq!(
        ask(other).await,
        (429, json!("organization_spend_limit_exceeded"))
    );
    assert_eq!(
        sim.get("models").await.status,
        200,
        "what is free is not touched"
    );
}

#[tokio::test]
async fn an_organization_sees_only_what_is_its_own() {
    let sim = Sim::start().await;
    let (project, account) = account(&sim).await;
    let admin = json!({"service": "openai", "kind": "admin", "organizationId": "org-customer"});
    let admin = sim.judge(Method::POST, "keys", &admin).await["key"]["value"].clone();
    let admin = admin.as_str().unwrap();
    let projects = sim.request(Method::GET, "organization/projects", admin);
    let projects = finish(projects).await.json();
    assert_eq!(projects["data"].as_array().unwrap().len(), 1);
    assert_eq!(projects["data"][0]["id"], "proj_org-customer");
    let key = account["api_key"]["id"].as_str().unwrap();
    for path in [
        format!("organization/{project}"),
        format!("organization/{project}/api_keys"),
        format!("organization/{project}/api_keys/{key}"),
    ] {
        let answer = finish(sim.request(Method::GET, &path, admin)).await;
        assert_eq!(answer.status, 404, "{path}");
    }
    let keys = sim.request(Method::GET, "organization/admin_api_keys", admin);
    assert_eq!(
        finish(keys).await.json()["data"].as_array().unwrap().len(),
        1
    );
}
