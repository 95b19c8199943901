//! Deepgram through the gateway.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Tenant, dollars, header, wav};
use crate::world::{nanos, to_end};

async fn tenant() -> Tenant {
    Tenant::of("deepgram", ("authorization", "Token ")).await
}

async fn listen(tenant: &Tenant, query: &str, sound: Vec<u8>) -> reqwest::Response {
    tenant
        .ask(Method::POST, &format!("v1/listen?{query}"))
        .header("content-type", "audio/wav")
        .body(sound)
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn every_kind_of_call_costs_what_the_provider_bills() {
    let tenant = tenant().await;
    let mut expected = 0;
    // 0.0043 dollars a minute; by the channel; with what is asked for beside; dearer models; and a
    // file that is too long to be held.
    for (query, milliseconds, channels, cost) in [
        ("model=nova-3", 60_000, 1, "0.0043"),
        ("model=nova-3&multichannel=true", 1_500, 2, "0.000215"),
        ("model=nova-3&multichannel=false", 1_500, 2, "0.0001075"),
        (
            "model=nova-3&diarize=true&redact=pci&keyterm=a",
            60_000,
            1,
            "0.0096",
        ),
        ("model=nova-3-medical", 30_000, 1, "0.0026"),
        ("", 6_000, 1, "0.00125"),
        ("model=nova-2", 600_000, 1, "0.043"),
    ] {
        let answer = listen(&tenant, query, wav(milliseconds, channels)).await;
        assert_eq!(answer.status(), 200, "{query}");
        let received = answer.bytes().await.unwrap();
        assert_eq!(received, tenant.sent("listen").await);
        let event = tenant.event().await;
        assert_eq!(nanos(&event["costUsd"]), dollars(cost), "{query}: {event}");
        assert_eq!(event["costBasis"], "priced_usage");
        expected += dollars(cost);
    }
    // A sound that the provider fetches.
    let distant = json!({ "url": "https://example.com/a.wav" });
    let answer = tenant.post("v1/listen?model=nova-3", &distant).await;
    assert_eq!(to_end(answer).await, 200);
    expected += nanos(&tenant.event().await["costUsd"]);
    // 14 code points, in more bytes.
    for (voice, cost) in [
        ("aura-2-thalia-en", "0.00042"),
        ("aura-asteria-en", "0.00021"),
    ] {
        let path = format!("v1/speak?model={voice}&encoding=linear16");
        let text = json!({ "text": "Grüße aus Köln" });
        let answer = tenant.post(&path, &text).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(header(&answer, "dg-char-count"), "14");
        let received = answer.bytes().await.unwrap();
        assert_eq!(received, tenant.sent("speak").await);
        let event = tenant.event().await;
        assert_eq!(nanos(&event["costUsd"]), dollars(cost), "{event}");
        expected += dollars(cost);
    }
    assert_eq!(tenant.agree().await, 10);
    assert_eq!(tenant.billed().await, expected);
}

#[tokio::test]
async fn what_is_read_is_counted_in_tokens_and_has_no_known_price() {
    let tenant = tenant().await;
    let text = json!({ "text": "A ledger forgets nothing and forgives nothing." });
    let answer = tenant
        .post("v1/read?summarize=true&topics=true", &text)
        .await;
    assert_eq!(to_end(answer).await, 200);
    let event = tenant.event().await;
    assert_eq!(event["costBasis"], "unpriced");
    assert_eq!(event["model"], "text-intelligence");
    let call = &tenant.world.sim_get("/_sim/bill?service=deepgram").await["calls"][0];
    for meter in ["input_tokens", "output_tokens"] {
        assert_eq!(event["quantities"][meter], call["quantities"][meter]);
    }
    assert!(tenant.alarms().await.contains(&"unpriced_usage".to_owned()));
}

#[tokio::test]
async fn what_goes_to_a_callback_is_unpriced_until_the_provider_reports_it() {
    let tenant = tenant().await;
    let query = "model=nova-3&callback=https%3A%2F%2Fexample.com";
    let answer = listen(&tenant, query, wav(1_000, 1)).await;
    assert_eq!(to_end(answer).await, 200);
    assert_eq!(tenant.event().await["costBasis"], "unpriced");
}

#[tokio::test]
async fn the_tenant_is_a_tag_at_the_provider_and_the_token_is_not_there() {
    let tenant = tenant().await;
    let answer = listen(&tenant, "model=nova-3&tag=own", wav(100, 1)).await;
    assert_eq!(to_end(answer).await, 200);
    let last = tenant.last("listen").await;
    let seen = last["request"].to_string();
    assert!(seen.contains("tag=own&tag=zaxon"), "{seen}");
    assert!(!seen.contains(&tenant.token));
    // A bearer is taken for what it is: our token.
    let request = tenant.bare(Method::GET, "v1/auth/token");
    let answer = request.bearer_auth(&tenant.token).send().await.unwrap();
    assert_eq!(to_end(answer).await, 200);
}

#[tokio::test]
async fn errors_of_the_provider_pass_unchanged_and_ours_look_like_its() {
    let tenant = tenant().await;
    for (status, code, pause) in [
        (429, Some("TOO_MANY_REQUESTS"), Some(2)),
        (403, Some("INSUFFICIENT_PERMISSIONS"), None),
        (422, Some("ASR_UNPROCESSABLE_ENTITY"), None),
        // Plain text.
        (503, None, Some(1)),
    ] {
        tenant
            .fault(json!({
                "kind": "refuse", "status": status, "code": code, "retryAfter": pause,
                "operation": "listen",
            }))
            .await;
        let answer = listen(&tenant, "model=nova-3", wav(100, 1)).await;
        assert_eq!(answer.status(), status);
        if let Some(pause) = pause {
            assert_eq!(header(&answer, "retry-after"), pause.to_string());
        }
        let received = answer.bytes().await.unwrap();
        assert_eq!(received, tenant.sent("listen").await);
        let event = tenant.event().await;
        assert_eq!(event["outcome"], "failed");
        assert_eq!(nanos(&event["costUsd"]), 0);
    }
    // None of these was the end of the key.
    let again = listen(&tenant, "model=nova-3", wav(100, 1)).await;
    assert_eq!(to_end(again).await, 200);
    for (path, token, status, code) in [
        ("v1/models", "dmd_nonsense", 401, "malformed_token"),
        (
            "v1/projects",
            &tenant.token,
            403,
            "management_route_refused",
        ),
        ("listen", &tenant.token, 404, "path_without_version"),
    ] {
        let token = format!("Token {token}");
        let request = tenant
            .bare(Method::GET, path)
            .header("authorization", token);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
        let error: Value = answer.json().await.unwrap();
        assert_eq!(error["err_code"], code, "{error}");
        assert!(error["err_msg"].is_string());
    }
}
