//! ElevenLabs through the gateway.

use reqwest::{
    Method,
    multipart::{Form, Part},
};
use serde_json::{Value, json};

use super::{Tenant, dollars, header, wav};
use crate::world::{nanos, to_end};

async fn tenant() -> Tenant {
    Tenant::of("elevenlabs", ("xi-api-key", "")).await
}

fn hearing(model: &str, sound: Vec<u8>) -> Form {
    let file = Part::bytes(sound).file_name("a.wav");
    Form::new()
        .text("model_id", model.to_owned())
        .part("file", file)
}

#[tokio::test]
async fn every_kind_of_call_costs_what_the_provider_bills() {
    let tenant = tenant().await;
    let mut expected = 0;
    // 14 code points, in more bytes; thousandths of a dollar per character.
    for (model, cost) in [
        ("eleven_v4", "0.00112"),
        ("eleven_multilingual_v2", "0.00112"),
        ("eleven_flash_v2_5", "0.00056"),
        ("eleven_turbo_v2_5", "0.00056"),
    ] {
        let body = json!({ "text": "Grüße aus Köln", "model_id": model });
        for path in ["v1/text-to-speech/any", "v1/text-to-speech/any/stream"] {
            let path = format!("{path}?output_format=pcm_16000");
            let answer = tenant.post(&path, &body).await;
            assert_eq!(answer.status(), 200);
            assert_eq!(header(&answer, "x-character-count"), "14");
            assert_eq!(header(&answer, "maximum-concurrent-requests"), "100");
            let received = answer.bytes().await.unwrap();
            let operation = if path.contains("stream") {
                "text_to_speech.stream"
            } else {
                "text_to_speech"
            };
            assert!(!received.is_empty());
            assert_eq!(received, tenant.sent(operation).await);
            let event = tenant.event().await;
            assert_eq!(nanos(&event["costUsd"]), dollars(cost), "{event}");
            assert_eq!(event["costBasis"], "priced_usage");
            expected += dollars(cost);
        }
    }
    // Without a model the provider's usual one speaks.
    let answer = tenant
        .post("v1/text-to-speech/any", &json!({ "text": "Hello" }))
        .await;
    assert_eq!(to_end(answer).await, 200);
    assert_eq!(tenant.event().await["model"], "eleven_multilingual_v2");
    expected += dollars("0.0004");
    // 3.6 seconds, and a file that streams through because it is long: 60 seconds.
    for (model, milliseconds, cost) in [
        ("scribe_v2", 3_600, "0.00022"),
        ("scribe_v1", 60_000, "0.003666667"),
    ] {
        let form = hearing(model, wav(milliseconds, 1));
        let request = tenant
            .ask(Method::POST, "v1/speech-to-text")
            .multipart(form);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        assert!(answer["text"].is_string(), "{answer}");
        let event = tenant.event().await;
        assert_eq!(nanos(&event["costUsd"]), dollars(cost), "{event}");
        expected += dollars(cost);
    }
    assert_eq!(to_end(tenant.get("v1/models").await).await, 200);
    assert_eq!(tenant.event().await["priceId"], "free");
    assert_eq!(tenant.agree().await, 11);
    assert_eq!(tenant.billed().await, expected);
}

#[tokio::test]
async fn credits_are_recorded_beside_what_is_paid() {
    let tenant = tenant().await;
    let body = json!({ "text": "Hello", "model_id": "eleven_flash_v2_5" });
    let answer = tenant.post("v1/text-to-speech/any", &body).await;
    assert_eq!(header(&answer, "character-cost"), "3");
    assert_eq!(to_end(answer).await, 200);
    let event = tenant.event().await;
    assert_eq!(event["quantities"]["characters"], 5);
    assert_eq!(event["quantities"]["credits"], 3);
    assert_eq!(
        event["providerUsage"],
        json!({ "character-cost": 3, "x-character-count": 5 })
    );
}

#[tokio::test]
async fn a_model_of_this_morning_is_unpriced_and_rings() {
    let tenant = tenant().await;
    let body = json!({ "text": "Hello", "model_id": "eleven_unlisted" });
    let answer = tenant.post("v1/text-to-speech/any", &body).await;
    assert_eq!(to_end(answer).await, 200);
    assert_eq!(tenant.event().await["costBasis"], "unpriced");
    assert!(tenant.alarms().await.contains(&"unpriced_usage".to_owned()));
}

#[tokio::test]
async fn errors_of_the_provider_pass_unchanged_and_ours_look_like_its() {
    let tenant = tenant().await;
    let speak = async || {
        let body = json!({ "text": "Hello" });
        tenant.post("v1/text-to-speech/any", &body).await
    };
    for (status, code, pause) in [
        (429, "rate_limit_exceeded", Some(2)),
        (429, "concurrent_limit_exceeded", None),
        (429, "system_busy", Some(1)),
        (401, "missing_permissions", None),
        (500, "internal_server_error", None),
    ] {
        tenant
            .fault(json!({
                "kind": "refuse", "status": status, "code": code, "retryAfter": pause,
                "operation": "text_to_speech",
            }))
            .await;
        let answer = speak().await;
        assert_eq!(answer.status(), status);
        if let Some(pause) = pause {
            assert_eq!(header(&answer, "retry-after"), pause.to_string());
        }
        let received = answer.bytes().await.unwrap();
        assert_eq!(received, tenant.sent("text_to_speech").await);
        let error: Value = serde_json::from_slice(&received).unwrap();
        assert_eq!(error["detail"]["code"], code);
        let event = tenant.event().await;
        assert_eq!(event["outcome"], "failed");
        assert_eq!(nanos(&event["costUsd"]), 0);
    }
    // None of these was the end of the key.
    assert_eq!(to_end(speak().await).await, 200);
    // A list of what is invalid.
    let invalid = tenant.post("v1/text-to-speech/any", &json!({})).await;
    assert_eq!(invalid.status(), 422);
    let invalid: Value = invalid.json().await.unwrap();
    assert!(invalid["detail"][0]["loc"].is_array(), "{invalid}");
    // A text.
    let unknown = tenant.get("v1/voices/settings/default").await;
    assert_eq!(unknown.status(), 404);
    assert!(unknown.json::<Value>().await.unwrap()["detail"].is_string());
    // And ours.
    for (path, token, status, code) in [
        ("v1/models", "dmd_nonsense", 401, "malformed_token"),
        (
            "v1/service-accounts",
            &tenant.token,
            403,
            "management_route_refused",
        ),
        (
            "v1/user/subscription",
            &tenant.token,
            403,
            "management_route_refused",
        ),
        ("models", &tenant.token, 404, "path_without_version"),
    ] {
        let request = tenant.bare(Method::GET, path).header("xi-api-key", token);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
        let error: Value = answer.json().await.unwrap();
        assert_eq!(error["detail"]["code"], code, "{error}");
        assert!(error["detail"]["message"].is_string());
    }
}

#[tokio::test]
async fn a_token_in_the_query_works_and_goes_no_further() {
    let tenant = tenant().await;
    let path = format!("v1/models?token={}&page=1", tenant.token);
    let answer = tenant.bare(Method::GET, &path).send().await.unwrap();
    assert_eq!(to_end(answer).await, 200);
    let seen = tenant.last("models.list").await["request"].to_string();
    assert!(
        !seen.contains(&tenant.token) && seen.contains("page=1"),
        "{seen}"
    );
}

#[tokio::test]
async fn who_leaves_a_stream_has_bought_it() {
    let tenant = tenant().await;
    tenant
        .fault(json!({ "kind": "slow", "ms": 20, "operation": "text_to_speech.stream" }))
        .await;
    let text = "All of it. ".repeat(50);
    let body = json!({ "text": text, "model_id": "eleven_v3" });
    let mut answer = tenant
        .post(
            "v1/text-to-speech/any/stream?output_format=pcm_16000",
            &body,
        )
        .await;
    assert!(answer.chunk().await.unwrap().is_some());
    drop(answer);
    let event = tenant.first_event().await;
    assert_eq!(event["outcome"], "cancelled");
    assert_eq!(event["quantities"]["characters"], 550);
    assert_eq!(tenant.agree().await, 1);
}
