//! A key's whole life: made, tested, promoted, let go of, ended at its provider.

mod callers;
mod faults;
mod life;
mod load;

use std::{
    io::Write as _,
    process::{Command, Output, Stdio},
    time::Duration,
};

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{TENANT_SCOPES, World};

/// Rotations that do not wait for what only time does: a provider's slowness is set in the
/// simulator, which counts uses and lists and has no need of a clock.
pub const QUICK: &[(&str, &str)] = &[
    ("DIAMOND_ROTATION__PROPAGATION_SECONDS", "1"),
    ("DIAMOND_LEASES__MAX_SECONDS", "1"),
];

/// Runs a program to its end, with something on its standard input.
pub async fn with_input(command: Command, input: &str) -> Output {
    let input = input.to_owned();
    // Beside the runtime, which has connections to look after meanwhile.
    tokio::task::spawn_blocking(move || ended(command, &input))
        .await
        .unwrap()
}

fn ended(mut command: Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

impl World {
    /// Gives the installation the simulator's management key of a service.
    pub async fn put_credential(&self, service: &str) {
        let body = json!({ "service": service, "kind": "admin" });
        let made = self.sim_told("/_sim/keys", &body).await;
        let path = format!("/api/services/{service}/credential");
        let body = json!({ "apiKey": made["key"]["value"] });
        self.operate(Method::PUT, &path, body).await.with(200);
    }

    /// Tells the simulator something, and what it says.
    pub async fn sim_told(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.sim_url);
        let answer = self.client.post(url).json(body).send().await.unwrap();
        answer.json().await.unwrap()
    }

    /// A tenant without a key, and a token that may do everything of its own.
    pub async fn keyless_tenant(&self, id: &str) -> String {
        self.tenant(id).await;
        self.token(id, TENANT_SCOPES).await
    }

    /// Asks for a rotation and waits until its key is in use.
    pub async fn rotate(&self, service: &str, tenant: &str) -> Value {
        let path = format!("/api/keys/{service}/{tenant}/rotate?waitSeconds=10");
        let answer = self.operate(Method::POST, &path, json!({})).await;
        answer.with(200)
    }

    /// A rotation as it is now.
    pub async fn rotation(&self, id: &Value) -> Value {
        let path = format!("/api/rotations/{}", id.as_str().unwrap());
        self.operate(Method::GET, &path, Value::Null)
            .await
            .with(200)
    }

    /// Every rotation there was, newest first.
    pub async fn rotations(&self) -> Vec<Value> {
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/api/rotations?limit=1000{cursor}");
            let page = self
                .operate(Method::GET, &path, Value::Null)
                .await
                .with(200);
            all.extend(page["items"].as_array().unwrap().iter().cloned());
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return all,
            }
        }
    }

    /// The versions of a tenant's keys for a service.
    pub async fn versions(&self, service: &str, tenant: &str) -> Vec<Value> {
        let path = format!("/api/keys/{service}/{tenant}/versions");
        let list = self
            .operate(Method::GET, &path, Value::Null)
            .await
            .with(200);
        list["items"].as_array().unwrap().clone()
    }

    /// Every key of ours that the company ever made.
    pub async fn minted(&self, service: &str) -> Vec<Value> {
        let path = format!("/_sim/minted?service={service}&namePrefix=ukm-");
        let minted = self.sim_get(&path).await;
        minted["keys"].as_array().unwrap().clone()
    }

    /// The alarms of a code.
    pub async fn alarms(&self, code: &str) -> Vec<Value> {
        let list = self
            .operate(Method::GET, "/api/alarms?limit=1000", Value::Null)
            .await;
        let list = list.with(200);
        let mut items = list["items"].as_array().unwrap().clone();
        items.retain(|alarm| alarm["code"] == code);
        items
    }

    /// Waits until something holds, as long as any machine could need.
    pub async fn until<F>(&self, what: &str, holds: impl Fn() -> F)
    where
        F: Future<Output = bool>,
    {
        let waiting = async {
            while !holds().await {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let patience = Duration::from_secs(240);
        if tokio::time::timeout(patience, waiting).await.is_err() {
            let rotations = self.rotations().await;
            panic!("{what}: {rotations:#?}");
        }
    }

    /// Waits until no rotation is under way and no former key waits for its end.
    pub async fn until_rotations_ended(&self) {
        self.until("rotations do not end", async || {
            let all = self.rotations().await;
            all.iter().all(|rotation| !rotation["endedAt"].is_null())
        })
        .await;
    }

    /// Waits until exactly the keys that are in use here are live at the company.
    pub async fn until_only_used_keys_live(&self, service: &str, tenants: &[&str]) {
        self.until(
            "keys are live at the provider that nobody uses",
            async || {
                let mut used = Vec::new();
                for tenant in tenants {
                    for version in self.versions(service, tenant).await {
                        if version["state"] == "active" && version["kind"] == "dedicated" {
                            used.push(version["providerKeyId"].as_str().unwrap().to_owned());
                        }
                    }
                }
                let minted = self.minted(service).await;
                let mut live: Vec<String> = minted
                    .iter()
                    .filter(|key| key["live"] == true)
                    .map(|key| key["id"].as_str().unwrap().to_owned())
                    .collect();
                used.sort();
                live.sort();
                used == live
            },
        )
        .await;
    }
}
