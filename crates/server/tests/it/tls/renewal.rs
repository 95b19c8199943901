//! A new certificate while the server serves.

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::{Method, tls::TlsInfo};
use serde_json::Value;

use super::{Authority, start};
use crate::world::World;

/// The certificate that a new connection is shown.
async fn shown(authority: &Authority, world: &World) -> Vec<u8> {
    let answer = authority
        .client()
        .get(format!("{}/healthz", world.url))
        .send()
        .await
        .unwrap();
    let info = answer.extensions().get::<TlsInfo>().unwrap();
    info.peer_certificate().unwrap().to_vec()
}

fn der(pem: &str) -> Vec<u8> {
    let body: String = pem.lines().filter(|line| !line.contains("-----")).collect();
    STANDARD.decode(body).unwrap()
}

fn hang_up(world: &World) {
    let sent = Command::new("kill")
        .args(["-HUP", &world.server.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
}

/// Shows the new pair, by the signal or by the files alone, while clients call without a pause.
async fn renewed(by_signal: bool) {
    let authority = Authority::new();
    let world = Arc::new(start(&authority, &[]).await);
    let stop = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicUsize::new(0));
    let mut callers = tokio::task::JoinSet::new();
    for number in 0..16 {
        let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
        let url = format!("{}/healthz", world.url);
        let (mut client, builder) = (authority.client(), authority.builder());
        // Some keep their connection, some make one for each call.
        let anew = (number % 4 == 0).then(|| builder.pool_max_idle_per_host(0).build().unwrap());
        if let Some(anew) = anew {
            client = anew;
        }
        callers.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let answer = client.get(&url).send().await.unwrap();
                assert!(answer.status().is_success());
                answer.bytes().await.unwrap();
                answered.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let old = shown(&authority, &world).await;
    let (certificate, key) = authority.issue((2119, 1, 1));
    authority.put(&certificate, &key);
    if by_signal {
        hang_up(&world);
    }
    let new = der(&certificate);
    assert_ne!(old, new);
    while shown(&authority, &world).await != new {}
    let before = answered.load(Ordering::Relaxed);
    while answered.load(Ordering::Relaxed) < before + 200 {
        tokio::task::yield_now().await;
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(caller) = callers.join_next().await {
        caller.unwrap();
    }
}

#[tokio::test]
async fn a_signal_brings_the_new_certificate_and_no_request_fails() {
    renewed(true).await;
}

#[tokio::test]
async fn the_files_alone_bring_the_new_certificate_and_no_request_fails() {
    renewed(false).await;
}

#[tokio::test]
async fn a_pair_that_does_not_fit_leaves_the_old_one_and_raises_an_alarm() {
    let authority = Authority::new();
    let world = start(&authority, &[]).await;
    let old = shown(&authority, &world).await;
    let alarms = async |wanted: usize| {
        loop {
            let alarms = world
                .operate(Method::GET, "/api/alarms", Value::Null)
                .await
                .with(200);
            let alarm = alarms["items"]
                .as_array()
                .unwrap()
                .iter()
                .find(|alarm| alarm["code"] == "tls_certificate_unusable");
            if alarm.is_some_and(|alarm| alarm["count"].as_u64().unwrap() >= wanted as u64) {
                return alarm.unwrap()["detail"].as_str().unwrap().to_owned();
            }
        }
    };
    let (certificate, _) = authority.issue((2120, 1, 1));
    let (_, key) = authority.issue((2120, 1, 1));
    authority.put(&certificate, &key);
    hang_up(&world);
    assert!(alarms(1).await.contains("do not fit"));
    assert_eq!(shown(&authority, &world).await, old);
    // An old one does not take a good one's place either.
    let (certificate, key) = authority.issue((2021, 1, 1));
    authority.put(&certificate, &key);
    hang_up(&world);
    assert!(alarms(2).await.contains("ended at 2021-01-01"));
    assert_eq!(shown(&authority, &world).await, old);
}
