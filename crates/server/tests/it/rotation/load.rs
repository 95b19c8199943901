//! Rotations while everybody calls.

use serde_json::{Value, json};

use super::{
    QUICK,
    callers::{Callers, OpenStream},
};
use crate::world::World;

/// How many rotations, and how many callers.
fn sizes() -> (usize, usize) {
    match crate::settings::full_scale() {
        true => (200, 64),
        false => (6, 16),
    }
}

/// Every call of every key, as the company counted it, is an event of the version that carried it.
pub async fn events_agree(world: &World, tenants: &[&str]) {
    for tenant in tenants {
        let events = all_events(world, tenant).await;
        for version in world.versions("openai", tenant).await {
            let Some(id) = version["providerKeyId"].as_str() else {
                continue;
            };
            let ours = events
                .iter()
                .filter(|event| event["secretVersion"] == version["version"])
                .count() as u64;
            let theirs = world.bill_calls("openai", id).await;
            assert_eq!(ours, theirs, "{tenant}, version {}", version["version"]);
        }
    }
}

/// All events of a tenant, page after page.
async fn all_events(world: &World, tenant: &str) -> Vec<Value> {
    let mut all = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/api/usage/events?tenantId={tenant}&limit=1000{cursor}");
        let page = world
            .operate(reqwest::Method::GET, &path, Value::Null)
            .await
            .with(200);
        all.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

impl World {
    /// How many calls of a key the company billed.
    async fn bill_calls(&self, service: &str, key: &str) -> u64 {
        let path = format!("/_sim/bill?service={service}&keyId={key}");
        let bill = self.sim_get(&path).await;
        bill["calls"].as_array().unwrap().len() as u64
    }
}

#[tokio::test]
async fn rotations_under_load_fail_no_request() {
    let world = World::start_with(QUICK).await;
    let (rotations, callers) = sizes();
    world.put_credential("openai").await;
    let tenants = ["alpha", "beta"];
    let mut tokens = Vec::new();
    for tenant in tenants {
        let token = world.keyless_tenant(tenant).await;
        world.chat(&token, "gpt-4o-mini").await;
        tokens.push(token);
    }
    // Streams take a while, so that each promotion finds some open.
    let slow = json!({
        "service": "openai", "operation": "chat.completions", "kind": "slow", "ms": 2,
        "times": "forever",
    });
    world.sim_post("/_sim/faults", slow).await;
    let calling = Callers::start(&world, &tokens, callers);
    for number in 0..rotations {
        let place = number % tenants.len();
        // Eight in flight besides the callers', and one stream that is open across the promotion.
        let mut open = Vec::new();
        for _ in 0..9 {
            open.push(OpenStream::begin(&world, &tokens[place]).await);
        }
        let before = calling.done();
        let rotation = world.rotate("openai", tenants[place]).await;
        assert!(rotation["promotedAt"].is_string(), "{rotation}");
        for stream in open {
            stream.end().await;
        }
        world
            .until("calls stand still", async || calling.done() > before)
            .await;
    }
    let (done, failed) = calling.finish().await;
    assert_eq!(failed, Vec::<String>::new(), "of {done}");
    world.until_rotations_ended().await;
    world.until_only_used_keys_live("openai", &tenants).await;
    events_agree(&world, &tenants).await;
    println!("report: {rotations} rotations under {callers} callers, {done} calls, none failed");
}
