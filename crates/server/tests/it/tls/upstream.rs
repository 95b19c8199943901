//! TLS and HTTP/2 from us to the providers.

use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Sim, World};

/// A world whose provider speaks TLS; the server trusts its authority or does not.
async fn start(arguments: &[&str], trusted: bool) -> (World, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("authority.pem");
    let file = file.to_str().unwrap();
    let mut all = vec!["--tls-listen", "127.0.0.1:0", "--authority-file", file];
    all.extend_from_slice(arguments);
    let sim = Sim::start(&all).await;
    let base = format!("{}/openai", sim.tls_url().await);
    let mut environment = vec![("DIAMOND_SERVICES__OPENAI__BASE_URL", &*base)];
    if trusted {
        assert!(Path::new(file).exists());
        environment.push(("DIAMOND_OUTBOUND__EXTRA_CA_FILE", file));
    }
    let world = World::start_beside(sim, &environment, None, reqwest::Client::new()).await;
    (world, dir)
}

#[tokio::test]
async fn calls_travel_over_whatever_the_provider_speaks() {
    for (protocols, version) in [
        ("both", "HTTP/2.0"),
        ("http1", "HTTP/1.1"),
        ("http2", "HTTP/2.0"),
    ] {
        let (world, _dir) = start(&["--protocols", protocols], true).await;
        // Putting the key asks the provider, by the management client.
        let token = world.ready_tenant("zaxon").await;
        let mut calls = tokio::task::JoinSet::new();
        for number in 0..24 {
            let body = json!({
                "model": "gpt-4o-mini", "stream": number % 2 == 0,
                "messages": [{ "role": "user", "content": "count to ten" }],
            });
            let request = world
                .client
                .post(format!("{}/gateway/openai/v1/chat/completions", world.url))
                .bearer_auth(&token)
                .json(&body);
            calls.spawn(async move {
                let answer = request.send().await.unwrap();
                assert_eq!(answer.status(), 200);
                answer.text().await.unwrap()
            });
        }
        while let Some(text) = calls.join_next().await {
            assert!(!text.unwrap().is_empty());
        }
        assert_eq!(crate::gateway::agree(&world, "zaxon").await, 24);
        let last = world.sim_get("/_sim/last?operation=chat.completions").await;
        assert_eq!(last["request"]["version"], version, "{last}");
    }
}

#[tokio::test]
async fn nothing_is_sent_to_whoever_is_not_believed_to_be_the_provider() {
    for (arguments, trusted) in [
        (&[][..], false),
        (&["--certificate", "expired"], true),
        (&["--certificate", "wrong-host"], true),
        (&["--certificate", "stranger"], true),
    ] {
        let (world, _dir) = start(arguments, trusted).await;
        world.tenant("zaxon").await;
        let key = world.sim_key().await;
        let path = "/api/keys/openai/zaxon/dedicated";
        let refused = world
            .operate(Method::PUT, path, json!({ "apiKey": key }))
            .await
            .refused(503);
        assert_eq!(refused, "upstream_untrusted");
        let unchecked = json!({ "apiKey": key, "validate": false });
        world.operate(Method::PUT, path, unchecked).await.with(200);
        let token = world.token("zaxon", &["gateway"]).await;
        let body =
            json!({ "model": "gpt-4o-mini", "messages": [{ "role": "user", "content": "hi" }] });
        let answer = world.call("chat/completions", &token, &body).await;
        assert_eq!(answer.status(), 502);
        let said: Value = answer.json().await.unwrap();
        assert_eq!(said["error"]["code"], "upstream_untrusted", "{said}");
        // Not forwarded, so nothing is booked, and the provider has heard nothing.
        assert_eq!(world.events("zaxon").await, Vec::<Value>::new());
        let bill = world.sim_get("/_sim/bill?service=openai").await;
        assert_eq!(bill["calls"], json!([]));
        let alarms = world
            .operate(Method::GET, "/api/alarms", Value::Null)
            .await
            .with(200);
        assert!(
            alarms.to_string().contains("upstream_untrusted"),
            "{alarms}"
        );
    }
}

#[test]
fn keys_do_not_travel_unencrypted_beyond_this_machine() {
    let refused = |environment: &[(&str, &str)]| {
        let dir = tempfile::tempdir().unwrap();
        let mut server = diamond_test_support::ServerProcess::spawn(
            &diamond_test_support::binary("diamond-server"),
            |command| {
                command
                    .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
                    .arg(dir.path())
                    .env("DIAMOND_SERVICES__OPENAI__BASE_URL", "http://llm.example")
                    .envs(environment.iter().copied());
            },
        );
        let runtime = tokio::runtime::Runtime::new().unwrap();
        if environment.is_empty() {
            assert_eq!(server.wait().code(), Some(2));
            assert!(server.output().contains("outbound.allow_plain_http"));
        } else {
            runtime.block_on(server.line_with("serving"));
        }
    };
    refused(&[]);
    refused(&[("DIAMOND_OUTBOUND__ALLOW_PLAIN_HTTP", "true")]);
}
