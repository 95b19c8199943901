//! Keys: put, handed out, looked at, revoked.

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{TENANT_SCOPES, World};

#[tokio::test]
async fn a_key_is_handed_out_as_it_was_put_and_every_access_is_in_the_chain() {
    let world = World::start().await;
    let token = world.ready_tenant("zaxon").await;
    let body = json!({ "userId": "ada", "purpose": "first contact" });
    let answer = world
        .send(
            Method::POST,
            "/api/keys/openai/zaxon",
            Some(&token),
            Some(&body),
        )
        .await;
    assert_eq!(answer.headers["cache-control"], "no-store");
    let lease = answer.with(200);
    assert_eq!(lease["apiKey"], world.sim_key().await);
    assert_eq!(lease["version"], 1);
    assert_eq!(lease["kind"], "dedicated");
    assert!(lease["expiresAt"].is_string() && lease["traceId"].is_string());

    let audit = world
        .operate(Method::GET, "/api/audit?tenantId=zaxon", Value::Null)
        .await
        .with(200);
    let reveal = audit["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["action"] == "key_reveal")
        .unwrap()
        .clone();
    assert_eq!(reveal["outcome"], "granted");
    assert_eq!(reveal["userId"], "ada");
    assert_eq!(reveal["purpose"], "first contact");
    assert_eq!(reveal["version"], 1);

    let path = "/api/keys/openai/zaxon/versions";
    let versions = world
        .send(Method::GET, path, Some(&token), None)
        .await
        .with(200);
    assert!(
        !versions
            .to_string()
            .contains(lease["apiKey"].as_str().unwrap())
    );
}

#[tokio::test]
async fn a_new_version_takes_over_and_a_revoked_one_is_refused() {
    let world = World::start().await;
    let token = world.ready_tenant("zaxon").await;
    let put = async |body: Value| {
        world
            .operate(Method::PUT, "/api/keys/openai/zaxon/dedicated", body)
            .await
    };
    // Compare-and-set: whoever believes there is none yet is told.
    let stale = json!({ "apiKey": "sk-second-key", "validate": false, "expectedVersion": 0 });
    assert_eq!(put(stale).await.refused(409), "version_conflict");
    let second = json!({ "apiKey": "sk-second-key", "validate": false, "expectedVersion": 1 });
    assert_eq!(put(second).await.with(200)["version"], 2);
    let lease = async || {
        world
            .send(
                Method::POST,
                "/api/keys/openai/zaxon",
                Some(&token),
                Some(&json!({})),
            )
            .await
    };
    assert_eq!(lease().await.with(200)["apiKey"], "sk-second-key");
    let path = "/api/keys/openai/zaxon/versions";
    let versions = world
        .send(Method::GET, path, Some(&token), None)
        .await
        .with(200);
    let states: Vec<&Value> = versions["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|version| &version["state"])
        .collect();
    assert_eq!(states, ["retiring", "active"]);
    world
        .send(Method::DELETE, &format!("{path}/2"), Some(&token), None)
        .await
        .with(200);
    let refused = lease().await;
    assert_eq!(refused.status, 404, "{}", refused.json);
    assert!(
        !refused.json.to_string().contains("sk-"),
        "an error never holds a key"
    );
}

#[tokio::test]
async fn a_put_repeated_under_its_idempotency_key_changes_nothing() {
    let world = World::start().await;
    world.tenant("zaxon").await;
    let put = async |key: &str| {
        let answer = world
            .client
            .put(format!("{}/api/keys/openai/zaxon/dedicated", world.url))
            .bearer_auth(&world.operator)
            .header("idempotency-key", "put-1")
            .json(&json!({ "apiKey": key, "validate": false }))
            .send()
            .await
            .unwrap();
        (
            answer.status().as_u16(),
            answer.json::<Value>().await.unwrap(),
        )
    };
    let (status, first) = put("sk-the-same-key").await;
    assert_eq!((status, &first["version"]), (200, &json!(1)));
    let (status, again) = put("sk-the-same-key").await;
    assert_eq!((status, &again["version"]), (200, &json!(1)));
    let (status, other) = put("sk-another-key").await;
    assert_eq!(
        (status, &other["error"]["code"]),
        (409, &json!("request_reused"))
    );
}

#[tokio::test]
async fn a_key_that_its_provider_refuses_is_not_taken() {
    let world = World::start().await;
    world.tenant("zaxon").await;
    let body = json!({ "apiKey": "sk-nobody-knows-this-key" });
    let answer = world
        .operate(Method::PUT, "/api/keys/openai/zaxon/dedicated", body)
        .await;
    assert_eq!(answer.refused(422), "key_rejected");
    let path = "/api/keys/openai/zaxon/versions";
    let versions = world
        .operate(Method::GET, path, Value::Null)
        .await
        .with(200);
    assert_eq!(versions["items"], json!([]));
    for bad in [
        "",
        "short",
        "with a space in it",
        "with\nnewline-in-it",
        "ümlaut-in-the-key",
    ] {
        let body = json!({ "apiKey": bad, "validate": false });
        let answer = world
            .operate(Method::PUT, "/api/keys/openai/zaxon/dedicated", body)
            .await;
        assert_eq!(answer.status, 400, "{bad:?}");
    }
}

#[tokio::test]
async fn a_customers_own_key_goes_first_and_the_tenant_pays() {
    let world = World::start().await;
    let token = world.ready_tenant("zaxon").await;
    // The platform's own key, which the tenant was shown, is not the customer's to bring.
    let body = json!({ "apiKey": world.sim_key().await });
    let path = "/api/keys/openai/zaxon/customer";
    let answer = world
        .send(Method::PUT, path, Some(&token), Some(&body))
        .await;
    assert_eq!(answer.refused(409), "key_of_platform");
    let key = "sk-sim-the-customers-own-key-0001";
    let sim_key = json!({ "service": "openai", "value": key, "state": "active" });
    world.sim_post("/_sim/keys", sim_key).await;
    let body = json!({ "apiKey": key });
    world
        .send(
            Method::PUT,
            "/api/keys/openai/zaxon/customer",
            Some(&token),
            Some(&body),
        )
        .await
        .with(200);
    let lease = world
        .send(
            Method::POST,
            "/api/keys/openai/zaxon",
            Some(&token),
            Some(&json!({})),
        )
        .await;
    assert_eq!(lease.with(200)["kind"], "customer");
    world.chat(&token, "gpt-4o-mini").await;
    let events = world.events("zaxon").await;
    assert_eq!(events[0]["payer"], "tenant");
    let path = "/api/analytics/tpc/zaxon?period=daily";
    let tpc = world
        .send(Method::GET, path, Some(&token), None)
        .await
        .with(200);
    assert_eq!(tpc["directCostUsd"], "0.000000000");
    assert_eq!(tpc["tenantPaidUsd"], events[0]["costUsd"]);
}

#[tokio::test]
async fn policy_decides_about_revealing_and_operators_must_say_why() {
    let world = World::start().await;
    let token = world.ready_tenant("zaxon").await;
    let lease = async |token: &str, body: Value| {
        world
            .send(
                Method::POST,
                "/api/keys/openai/zaxon",
                Some(token),
                Some(&body),
            )
            .await
    };
    let wrong_tier = json!({ "tier": "managed-starter" });
    assert_eq!(
        lease(&token, wrong_tier).await.refused(409),
        "tier_mismatch"
    );
    assert_eq!(
        lease(&world.operator, json!({})).await.refused(400),
        "purpose_required"
    );
    lease(&world.operator, json!({ "purpose": "incident 7" }))
        .await
        .with(200);
    let alarms = world
        .operate(Method::GET, "/api/alarms", Value::Null)
        .await
        .with(200);
    assert_eq!(alarms["items"][0]["code"], "operator_reveal");
    let hide = json!({ "reveal": false });
    world
        .operate(Method::PATCH, "/api/tenants/zaxon", hide)
        .await
        .with(200);
    assert_eq!(
        lease(&token, json!({})).await.refused(403),
        "reveal_not_allowed"
    );
    // The gateway goes on: the key is used, not shown.
    world.chat(&token, "gpt-4o-mini").await;
}

#[tokio::test]
async fn strangers_find_nothing() {
    let world = World::start().await;
    world.ready_tenant("zaxon").await;
    world.tenant("stranger").await;
    let stranger = world.token("stranger", TENANT_SCOPES).await;
    for (method, path) in [
        (Method::POST, "/api/keys/openai/zaxon"),
        (Method::POST, "/api/keys/openai/nobody-at-all"),
        (Method::GET, "/api/keys/openai/zaxon/versions"),
        (Method::GET, "/api/tenants/zaxon/keys"),
        (Method::GET, "/api/analytics/tpc/zaxon"),
        (Method::GET, "/api/tenants/zaxon"),
    ] {
        let body = (method == Method::POST).then(|| json!({}));
        let answer = world
            .send(method.clone(), path, Some(&stranger), body.as_ref())
            .await;
        assert_eq!(answer.refused(404), "tenant_not_found", "{method} {path}");
    }
}

#[tokio::test]
async fn a_damaged_key_is_not_replaced_by_an_older_one_in_silence() {
    let mut world = World::start().await;
    let token = world.ready_tenant("zaxon").await;
    let second = json!({ "apiKey": "sk-second-key", "validate": false });
    let path = "/api/keys/openai/zaxon/dedicated";
    world.operate(Method::PUT, path, second).await.with(200);
    world.server.terminate();
    assert!(world.server.wait().success());
    // Somebody puts the first version's sealed value in the place of the second's.
    let swap = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); \
        db.execute('UPDATE sealed_versions SET sealed = \
        (SELECT sealed FROM sealed_versions WHERE version = 1) WHERE version = 2'); db.commit()";
    let swapped = std::process::Command::new("python3")
        .args(["-c", swap])
        .arg(world.data().join("control.db"))
        .status()
        .unwrap();
    assert!(swapped.success());
    world.start_server_again().await;
    let lease = world
        .send(
            Method::POST,
            "/api/keys/openai/zaxon",
            Some(&token),
            Some(&json!({})),
        )
        .await;
    assert_eq!(lease.status, 404, "{}", lease.json);
    let alarms = world
        .operate(Method::GET, "/api/alarms", Value::Null)
        .await
        .with(200);
    assert!(alarms.to_string().contains("unreadable_secret"), "{alarms}");
}
