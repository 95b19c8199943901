//! Every route × (no token, stranger's token, own token without the scope, right token).

use std::collections::BTreeMap;

use diamond_api::RouteInfo;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::World;

/// How to ask for a route in a way that is answered, and as whom.
struct Case {
    /// The path, with `own` as the tenant; a stranger asks for exactly this.
    path: String,
    body: Option<Value>,
    /// Whether only the platform's own tokens may.
    operators_only: bool,
    /// Whether the path or body names something of the tenant `own`.
    names_tenant: bool,
}

fn case(path: impl Into<String>, body: Option<Value>) -> Case {
    Case {
        path: path.into(),
        body,
        operators_only: false,
        names_tenant: true,
    }
}

impl Case {
    fn operators(mut self) -> Self {
        self.operators_only = true;
        self
    }

    fn of_caller(mut self) -> Self {
        self.names_tenant = false;
        self
    }
}

/// The case of each route. A route without one fails the test: add it here.
fn cases(
    token_id: &str,
    alarm_id: &str,
    revocation_id: &str,
    rotation_id: &str,
) -> BTreeMap<&'static str, Case> {
    let report = json!({
        "id": "access", "tenantId": "own", "service": "openai", "model": "gpt-4o-mini",
        "quantities": { "input_tokens": 1 },
    });
    let new_token = json!({
        "tenantId": "own", "name": "n", "owner": "o", "purpose": "p", "scopes": ["keys:read"],
    });
    let tpc = "/api/analytics/tpc/own";
    BTreeMap::from([
        (
            "create_tenant",
            case(
                "/api/tenants",
                Some(json!({ "id": "own", "tier": "managed-starter" })),
            )
            .operators()
            .of_caller(),
        ),
        (
            "list_tenants",
            case("/api/tenants", None).operators().of_caller(),
        ),
        ("get_tenant", case("/api/tenants/own", None)),
        (
            "update_tenant",
            case("/api/tenants/own", Some(json!({ "displayName": "Own" }))).operators(),
        ),
        ("list_keys", case("/api/tenants/own/keys", None)),
        (
            "take_backup",
            case("/api/backup", None).operators().of_caller(),
        ),
        (
            "get_restore",
            case("/api/restore", None).operators().of_caller(),
        ),
        (
            "release_restore",
            case(
                "/api/restore/release",
                Some(json!({ "digest": "d", "reason": "r" })),
            )
            .operators()
            .of_caller(),
        ),
        ("list_budgets", case("/api/budgets?tenantId=own", None)),
        (
            "put_budget",
            case(
                "/api/budgets/own/access",
                Some(json!({ "limitUsd": "100" })),
            )
            .operators(),
        ),
        ("get_budget", case("/api/budgets/own/access", None)),
        (
            "delete_budget",
            case("/api/budgets/own/access", None).operators(),
        ),
        ("create_token", case("/api/tokens", Some(new_token))),
        ("list_tokens", case("/api/tokens?tenantId=own", None)),
        ("get_token", case(format!("/api/tokens/{token_id}"), None)),
        (
            "revoke_token",
            case(format!("/api/tokens/{token_id}"), None),
        ),
        (
            "lease_key",
            case("/api/keys/openai/own", Some(json!({ "purpose": "access" }))),
        ),
        (
            "put_customer_key",
            case(
                "/api/keys/openai/own/customer",
                Some(json!({ "apiKey": "sk-access-test", "validate": false })),
            ),
        ),
        (
            "put_dedicated_key",
            case(
                "/api/keys/openai/own/dedicated",
                Some(json!({ "apiKey": "sk-access-test", "validate": false })),
            ),
        ),
        (
            "check_key",
            case(
                "/api/keys/openai/own/check",
                Some(json!({ "apiKey": "sk-access-test", "kind": "dedicated", "validate": false })),
            ),
        ),
        (
            "list_key_versions",
            case("/api/keys/openai/own/versions", None),
        ),
        (
            "revoke_key_version",
            case("/api/keys/openai/own/versions/1?kind=dedicated", None),
        ),
        (
            "get_revocation",
            case(format!("/api/revocations/{revocation_id}"), None),
        ),
        (
            "rotate_key",
            case("/api/keys/openai/own/rotate?waitSeconds=0", Some(json!({}))),
        ),
        (
            "provision_key",
            case(
                "/api/keys/anthropic/own/provision?waitSeconds=0",
                Some(json!({})),
            ),
        ),
        (
            "put_tenant_credential",
            case(
                "/api/keys/openai/own/admin",
                Some(json!({ "apiKey": "sk-admin-access-test", "validate": false })),
            ),
        ),
        (
            "put_credential",
            case(
                "/api/services/openai/credential",
                Some(json!({ "apiKey": "sk-admin-access-test", "validate": false })),
            )
            .operators()
            .of_caller(),
        ),
        (
            "rotate_all_keys",
            case("/api/services/openai/rotate", Some(json!({})))
                .operators()
                .of_caller(),
        ),
        (
            "sweep_provider",
            case("/api/services/openai/sweep", None)
                .operators()
                .of_caller(),
        ),
        ("list_rotations", case("/api/rotations?tenantId=own", None)),
        (
            "get_rotation",
            case(format!("/api/rotations/{rotation_id}"), None),
        ),
        ("report_usage", case("/api/usage", Some(report))),
        (
            "list_usage_events",
            case("/api/usage/events?tenantId=own", None),
        ),
        ("get_tpc", case(tpc, None)),
        ("list_tpc_users", case(format!("{tpc}/users"), None)),
        ("list_tpc_services", case(format!("{tpc}/services"), None)),
        ("list_tpc_series", case(format!("{tpc}/series"), None)),
        (
            "list_tpc_tenants",
            case("/api/analytics/tpc", None).operators().of_caller(),
        ),
        ("list_alarms", case("/api/alarms?tenantId=own", None)),
        (
            "acknowledge_alarm",
            case(format!("/api/alarms/{alarm_id}/acknowledge"), None)
                .operators()
                .of_caller(),
        ),
        (
            "close_alarm",
            case(format!("/api/alarms/{alarm_id}/close"), None)
                .operators()
                .of_caller(),
        ),
        ("list_services", case("/api/services", None).of_caller()),
        (
            "check_service",
            case(
                "/api/services/check",
                Some(json!({ "file": "x.toml", "text": "" })),
            )
            .operators()
            .of_caller(),
        ),
        ("get_seal", case("/api/seal", None).operators().of_caller()),
        (
            "cancel_rekey",
            case("/api/seal/rekey", None).operators().of_caller(),
        ),
        (
            "begin_rekey",
            case("/api/seal/rekey", None).operators().of_caller(),
        ),
        ("list_audit", case("/api/audit?tenantId=own", None)),
        (
            "report_incident",
            case("/api/incidents?service=openai&tenantId=own&version=1", None),
        ),
        (
            "verify_audit_checkpoints",
            case("/api/audit/verify", Some(json!({ "checkpoints": [] })))
                .operators()
                .of_caller(),
        ),
        (
            "get_audit_status",
            case("/api/audit/status", None).operators().of_caller(),
        ),
        (
            "begin_audit_anew",
            case("/api/audit/begin-anew", Some(json!({ "reason": "access" })))
                .operators()
                .of_caller(),
        ),
        (
            "verify_audit",
            case("/api/audit/verify", None).operators().of_caller(),
        ),
    ])
}

/// The entries of the audit chain behind a sequence, and the last one's.
async fn audit_after(world: &World, after: u64) -> (Vec<Value>, u64) {
    let mut entries = Vec::new();
    let mut cursor = after;
    loop {
        let path = format!("/api/audit?limit=1000&cursor={cursor}");
        let page = world
            .operate(Method::GET, &path, Value::Null)
            .await
            .with(200);
        entries.extend(page["items"].as_array().unwrap().iter().cloned());
        if let Some(last) = entries.last() {
            cursor = last["sequence"].as_u64().unwrap();
        }
        if page["nextCursor"].is_null() {
            return (entries, cursor);
        }
    }
}

#[tokio::test]
async fn every_route_holds_against_everybody() {
    let world = World::start().await;
    world.tenant("own").await;
    world.put_key("own").await;
    world.tenant("strange").await;
    let all: Vec<&str> = crate::world::TENANT_SCOPES.to_vec();
    let own = world.token("own", &all).await;
    let stranger = world.token("strange", &all).await;
    // Something that is the tenant's own, to be looked at and revoked.
    let tokens = world
        .operate(Method::GET, "/api/tokens?tenantId=own", Value::Null)
        .await
        .with(200);
    let sacrifice = world.token("own", &["keys:read"]).await;
    assert!(!sacrifice.is_empty());
    let tokens_now = world
        .operate(Method::GET, "/api/tokens?tenantId=own", Value::Null)
        .await
        .with(200);
    let before = tokens["items"].as_array().unwrap().len();
    let token_id = tokens_now["items"][before]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    world.chat(&own, "sim-unlisted").await;
    let alarms = world
        .operate(Method::GET, "/api/alarms", Value::Null)
        .await
        .with(200);
    let alarm_id = alarms["items"][0]["id"].as_str().unwrap().to_owned();

    let short_lived = world.token("own", &["keys:read"]).await;
    assert!(!short_lived.is_empty());
    let tokens_now = world
        .operate(Method::GET, "/api/tokens?tenantId=own", Value::Null)
        .await
        .with(200);
    let last = tokens_now["items"].as_array().unwrap().last().unwrap();
    let path = format!("/api/tokens/{}", last["id"].as_str().unwrap());
    let revoked = world
        .operate(Method::DELETE, &path, Value::Null)
        .await
        .with(200);
    let revocation_id = revoked["revocation"]["id"].as_str().unwrap().to_owned();

    let path = "/api/keys/openai/own/rotate?waitSeconds=0";
    let rotation = world.operate(Method::POST, path, json!({})).await.with(200);
    let rotation_id = rotation["id"].as_str().unwrap().to_owned();

    let mut cases = cases(&token_id, &alarm_id, &revocation_id, &rotation_id);
    // The routes that end something come last.
    let mut routes: Vec<RouteInfo> = diamond_api::routes();
    routes.sort_by_key(|route| route.operation_id.starts_with("revoke"));
    for route in routes {
        if route.public {
            let answer = world
                .send(route.method.clone(), route.path, None, None)
                .await;
            assert_eq!(answer.status, 200, "{} {}", route.method, route.path);
            continue;
        }
        let name = route.operation_id;
        let case = cases.remove(name).unwrap_or_else(|| {
            panic!(
                "the route {} {} ({name}) has no access case",
                route.method, route.path
            )
        });
        let ask = async |token: Option<&str>| {
            let answer = world
                .send(route.method.clone(), &case.path, token, case.body.as_ref())
                .await;
            answer.status.as_u16()
        };
        let what = format!("{} {} ({name})", route.method, case.path);
        let before = audit_after(&world, 0).await.1;
        assert_eq!(ask(None).await, 401, "{what} without a token");
        let nonsense = "dmd_".to_owned() + &"0".repeat(49);
        assert_eq!(ask(Some(&nonsense)).await, 401, "{what} with nonsense");
        let scope = route
            .scope
            .expect("a route that is not public has a scope")
            .as_str();
        let others: Vec<&str> = all
            .iter()
            .copied()
            .filter(|held| {
                // What a scope includes: cost readers may ask what usage readers may.
                *held != scope && !(scope == "usage:read" && *held == "cost:read")
            })
            .collect();
        let without = world.token("own", &others).await;
        assert_eq!(ask(Some(&without)).await, 403, "{what} without {scope}");
        if case.names_tenant {
            assert_eq!(ask(Some(&stranger)).await, 404, "{what} by a stranger");
        }
        if case.operators_only {
            assert_eq!(ask(Some(&own)).await, 403, "{what} by a tenant");
        }
        let right = if case.operators_only {
            &world.operator
        } else {
            &own
        };
        // The refusal left a trace: with which token, from where, why.
        let (refused, before) = audit_after(&world, before).await;
        let trace = |entry: &&Value| {
            entry["outcome"] == "refused"
                && entry["detail"] == "missing_scope"
                && entry["tokenId"].is_string()
                && entry["address"] == "127.0.0.1"
        };
        assert!(refused.iter().any(|e| trace(&e)), "{what}: {refused:?}");
        let status = ask(Some(right)).await;
        assert!(
            (200..300).contains(&status)
                || (["create_tenant", "release_restore", "begin_audit_anew"].contains(&name)
                    && status == 409),
            "{what} with the right token: {status}"
        );
        // What changes something or hands something out left one as well; a usage report is an
        // event, which says with which token it came.
        // `cancel_rekey` comes before there is anything to give up.
        let leaves = route.method != Method::GET
            && ![
                "report_usage",
                "verify_audit_checkpoints",
                "cancel_rekey",
                "check_service",
            ]
            .contains(&name)
            && status != 409;
        if leaves {
            let (granted, _) = audit_after(&world, before).await;
            assert!(
                granted.iter().any(|entry| entry["outcome"] == "granted"
                    && entry["tokenId"].is_string()
                    && entry["address"] == "127.0.0.1"),
                "{what}: {granted:?}"
            );
        }
    }
    assert!(
        cases.is_empty(),
        "cases without a route: {:?}",
        cases.keys()
    );
}
