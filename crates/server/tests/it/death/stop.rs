//! SIGTERM: within the drain limit, beyond it, and twice.

use serde_json::{Value, json};
use tokio::{io::AsyncReadExt as _, net::TcpStream, task::JoinSet};

use crate::world::World;

fn stream() -> Value {
    json!({
        "model": "gpt-4o-mini", "stream": true,
        "messages": [{ "role": "user", "content": "count to ten" }],
    })
}

async fn slow(world: &World, milliseconds: u64, times: u64) {
    let fault = json!({
        "service": "openai", "kind": "slow", "ms": milliseconds, "times": times,
    });
    world.sim_post("/_sim/faults", fault).await;
}

/// Each call is a partial event that was booked at the end, not by a recovery afterwards.
async fn cut_and_booked(world: &mut World, calls: usize) {
    assert!(world.server.wait().success(), "{}", world.server.output());
    world.start_server_again().await;
    let events = world.events("zaxon").await;
    assert_eq!(events.len(), calls);
    for event in events {
        assert_eq!(event["partial"], true, "{event}");
        assert_ne!(event["outcome"], "lost", "{event}");
    }
}

#[tokio::test]
async fn beyond_the_limit_streams_and_silent_providers_are_cut_and_written_down() {
    let mut world = World::start_with(&[("DIAMOND_SERVER__DRAIN_SECONDS", "1")]).await;
    let token = world.ready_tenant("zaxon").await;
    slow(&world, 600_000, 1).await;
    let running = world.call("chat/completions", &token, &stream()).await;
    // A provider that never answers, and a caller who left it.
    let hang = json!({ "service": "openai", "kind": "hang", "times": 2 });
    world.sim_post("/_sim/faults", hang).await;
    let ask = || {
        let body =
            json!({ "model": "gpt-4o-mini", "messages": [{ "role": "user", "content": "x" }] });
        let url = format!("{}/gateway/openai/v1/chat/completions", world.url);
        let request = world.client.post(url).bearer_auth(&token).json(&body);
        let mut asking = JoinSet::new();
        asking.spawn(request.send());
        asking
    };
    let (mut waiting, leaving) = (ask(), ask());
    loop {
        let bill = world.sim_get("/_sim/bill?service=openai").await;
        if hung(&bill) >= 2 {
            break;
        }
        tokio::task::yield_now().await;
    }
    drop(leaving);
    world.server.terminate();
    let answer = waiting.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!(answer.status(), 503);
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["error"]["code"], "server_stopping", "{answer}");
    assert!(running.text().await.is_err(), "the stream was cut");
    cut_and_booked(&mut world, 3).await;
}

/// How many calls hang, by the simulator's count of refusals.
fn hung(bill: &Value) -> u64 {
    bill["refused"]["hang"].as_u64().unwrap_or(0)
}

#[tokio::test]
async fn a_second_signal_does_not_wait() {
    let mut world = World::start_with(&[("DIAMOND_SERVER__DRAIN_SECONDS", "3600")]).await;
    let token = world.ready_tenant("zaxon").await;
    slow(&world, 600_000, 1).await;
    let running = world.call("chat/completions", &token, &stream()).await;
    world.server.terminate();
    world.server.line_with("\"draining\"").await;
    world.server.terminate();
    assert!(running.text().await.is_err(), "the stream was cut");
    cut_and_booked(&mut world, 1).await;
}

#[tokio::test]
async fn while_it_drains_nobody_new_is_served_and_idle_connections_do_not_hold_it() {
    let mut world = World::start_with(&[("DIAMOND_SERVER__DRAIN_SECONDS", "3600")]).await;
    let token = world.ready_tenant("zaxon").await;
    // One that said nothing yet, and the client's own, which was used and is idle.
    let address = world.url.strip_prefix("http://").unwrap();
    let mut silent = TcpStream::connect(address).await.unwrap();
    slow(&world, 20, 1).await;
    let running = world.call("chat/completions", &token, &stream()).await;
    world.server.terminate();
    world.server.line_with("\"draining\"").await;
    let late = reqwest::get(format!("{}/healthz", world.url)).await;
    assert!(late.is_err(), "a late request was served");
    let text = running.text().await.unwrap();
    assert!(text.ends_with("data: [DONE]\n\n"), "cut: {text}");
    assert!(world.server.wait().success());
    assert_eq!(silent.read(&mut [0; 1]).await.unwrap_or(0), 0);
    world.start_server_again().await;
    let events = world.events("zaxon").await;
    assert_eq!((events.len(), &events[0]["partial"]), (1, &json!(false)));
}
