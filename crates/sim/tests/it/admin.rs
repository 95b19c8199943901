use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{KEY_ID, Sim, finish};

#[tokio::test]
async fn a_key_lives_from_its_creation_to_its_deletion() {
    let sim = Sim::start().await;
    let none = Value::Null;
    let project = sim
        .manage(Method::POST, "projects", &json!({"name": "zaxon"}))
        .await
        .json();
    let project = format!("projects/{}", project["id"].as_str().unwrap());
    let path = format!("{project}/service_accounts");
    let account = sim
        .manage(Method::POST, &path, &json!({"name": "ukm"}))
        .await
        .json();
    let key = &account["api_key"];
    let value = key["value"].as_str().unwrap();
    let models = |value: &str| finish(sim.request(Method::GET, "models", value));
    assert_eq!(models(value).await.status, 200);

    let keys = sim
        .manage(Method::GET, &format!("{project}/api_keys"), &none)
        .await;
    assert!(!keys.text().contains(value), "a value is shown once");
    let listed = &keys.json()["data"][0];
    assert_eq!(listed["id"], key["id"]);
    assert_eq!(listed["owner"]["service_account"]["id"], account["id"]);

    // One more for the same account, which may only read and ends in a minute.
    let path = format!(
        "{project}/service_accounts/{}/api_keys",
        account["id"].as_str().unwrap()
    );
    let limits = json!({"scopes": ["api.all.read"], "expires_in_seconds": 60});
    let second = sim.manage(Method::POST, &path, &limits).await.json();
    let embed = |value: &str| {
        let body = json!({"model": "text-embedding-3-small", "input": "x"});
        finish(sim.request(Method::POST, "embeddings", value).json(&body))
    };
    let second_value = second["value"].as_str().unwrap();
    assert_eq!(models(second_value).await.status, 200);
    assert_eq!(
        embed(second_value).await.json()["error"]["code"],
        "missing_scope"
    );
    let second_path = format!("{project}/api_keys/{}", second["id"].as_str().unwrap());
    sim.manage(Method::POST, &second_path, &json!({"scopes": []}))
        .await;
    assert_eq!(embed(second_value).await.status, 200);
    sim.judge(Method::POST, "clock", &json!({"advanceSeconds": 61}))
        .await;
    assert_eq!(embed(second_value).await.status, 401);
    let update = sim
        .manage(Method::POST, &second_path, &json!({"scopes": []}))
        .await;
    assert_eq!(update.status, 400, "an expired key cannot be updated");

    // Deleting one leaves the other; archiving the project leaves none.
    let path = format!("{project}/api_keys/{}", key["id"].as_str().unwrap());
    assert_eq!(
        sim.manage(Method::DELETE, &path, &none).await.json()["deleted"],
        true
    );
    assert_eq!(models(value).await.status, 401);
    assert_eq!(sim.manage(Method::GET, &path, &none).await.status, 404);
    let path = format!("{project}/service_accounts");
    let third = sim
        .manage(Method::POST, &path, &json!({"name": "last"}))
        .await
        .json();
    let third = third["api_key"]["value"].as_str().unwrap();
    assert_eq!(models(third).await.status, 200);
    sim.manage(Method::POST, &format!("{project}/archive"), &none)
        .await;
    assert_eq!(models(third).await.status, 401);
    let late = sim
        .manage(Method::POST, &path, &json!({"name": "too late"}))
        .await;
    assert_eq!(late.status, 400);
}

#[tokio::test]
async fn the_administration_opens_to_admin_keys_only() {
    let sim = Sim::start().await;
    let path = "organization/admin_api_keys?limit=1";
    let refused = sim.get(path).await;
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("Missing scopes: api.management"));
    let body = json!({"name": "second"});
    let made = sim
        .manage(Method::POST, "admin_api_keys", &body)
        .await
        .json();
    let value = made["value"].as_str().unwrap();
    let list = finish(sim.request(Method::GET, path, value)).await.json();
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
    assert_eq!(list["has_more"], true);
    let id = made["id"].as_str().unwrap();
    sim.manage(
        Method::DELETE,
        &format!("admin_api_keys/{id}"),
        &Value::Null,
    )
    .await;
    assert_eq!(
        finish(sim.request(Method::GET, path, value)).await.status,
        401
    );
}

#[tokio::test]
async fn costs_and_usage_are_the_bill_in_buckets() {
    let sim = Sim::start().await;
    for input in ["x", "abcdefgh"] {
        let body = json!({"model": "text-embedding-3-small", "input": input});
        sim.post("embeddings", &body).await;
    }
    let body =
        json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "words:6"}]});
    sim.post("chat/completions", &body).await;
    let start = sim.bill().await["calls"][0]["servedAt"].as_i64().unwrap();

    let path = format!("costs?start_time={start}&group_by[]=api_key_id");
    let costs = sim.manage(Method::GET, &path, &Value::Null).await.json();
    let results = &costs["data"][0]["results"];
    assert_eq!(results.as_array().unwrap().len(), 1);
    assert_eq!(results[0]["api_key_id"], KEY_ID);
    // 1 × 0.02/M + 2 × 0.02/M + the chat's 0.000006
    assert_eq!(results[0]["amount"]["value"].to_string(), "6.06e-6");

    let path = format!("usage/embeddings?start_time={start}&bucket_width=1h&group_by=model");
    let usage = sim.manage(Method::GET, &path, &Value::Null).await.json();
    let row = &usage["data"][0]["results"][0];
    assert_eq!(row["input_tokens"], 3);
    assert_eq!(row["num_model_requests"], 2);
    assert_eq!(row["model"], "text-embedding-3-small");
    let path = format!("usage/completions?start_time={start}");
    let usage = sim.manage(Method::GET, &path, &Value::Null).await.json();
    assert_eq!(usage["data"][0]["results"][0]["output_tokens"], 9);
}
