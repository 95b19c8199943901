//! Keys that stop working.

use std::sync::atomic::Ordering;

use diamond_domain::{CallOutcome, KeyHealth, SecretName, SecretVersion};

use crate::support::{CHAT, CHAT_ANSWER, Reply, Rig, service, tenant};

const INVALID: &str = include_str!("../../../providers/fixtures/openai/error_invalid_api_key.json");
const EMPTY: &str = r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#;

fn name() -> SecretName {
    SecretName::Dedicated {
        service: service(),
        tenant: tenant(),
    }
}

#[tokio::test]
async fn a_dead_key_is_replaced_and_the_caller_never_sees_it() {
    let rig = Rig::new(|seen| match seen.bearer() {
        "sk-first" => Reply::error(401, INVALID),
        _ => Reply::json(CHAT_ANSWER),
    })
    .await;
    let (status, body) = rig.post_text("/v1/chat/completions", CHAT).await;
    assert_eq!((status.as_u16(), &body[..]), (200, CHAT_ANSWER.as_bytes()));
    let events = rig.sink.events(2).await;
    assert_eq!(
        (events[0].outcome, events[1].outcome),
        (CallOutcome::Failed, CallOutcome::Succeeded)
    );
    assert_ne!(events[0].event_id, events[1].event_id);
    assert_eq!(events[0].operation_id, events[1].operation_id);
    assert_eq!(events[1].secret_version, SecretVersion::new(2));
    assert_eq!(rig.alarms.codes(), ["invalid_key"]);
    assert_eq!(
        rig.keyring.health(&name(), SecretVersion::FIRST),
        Some(KeyHealth::Invalid)
    );
    rig.is_settled().await;
}

#[tokio::test]
async fn a_dead_key_that_cannot_be_replaced_shows_the_providers_error() {
    let rig = Rig::new(|_| Reply::error(401, INVALID)).await;
    rig.repair.may.store(false, Ordering::SeqCst);
    let (status, body) = rig.post_text("/v1/chat/completions", CHAT).await;
    assert_eq!((status.as_u16(), &body[..]), (401, INVALID.as_bytes()));
    // The next call does not reach the provider with a key that is known to be dead.
    let (status, body) = rig.post_text("/v1/chat/completions", CHAT).await;
    assert_eq!(status, 409);
    assert!(std::str::from_utf8(&body).unwrap().contains("zaxon"));
    assert_eq!(rig.provider.seen.lock().len(), 1);
    rig.sink.events(1).await;
    rig.is_settled().await;
}

#[tokio::test]
async fn a_new_key_that_is_dead_too_is_not_replayed_for_ever() {
    let rig = Rig::new(|_| Reply::error(401, INVALID)).await;
    let (status, _) = rig.post_text("/v1/chat/completions", CHAT).await;
    assert_eq!(status, 401);
    assert_eq!(rig.repair.asked.load(Ordering::SeqCst), 1);
    rig.sink.events(2).await;
    rig.is_settled().await;
}

#[tokio::test]
async fn an_empty_account_is_noticed_and_the_error_passes() {
    let rig = Rig::new(|_| Reply::error(429, EMPTY)).await;
    let (status, body) = rig.post_text("/v1/chat/completions", CHAT).await;
    assert_eq!((status.as_u16(), &body[..]), (429, EMPTY.as_bytes()));
    assert_eq!(rig.alarms.codes(), ["exhausted_key"]);
    let health = rig.keyring.health(&name(), SecretVersion::FIRST);
    assert!(matches!(health, Some(KeyHealth::Exhausted { .. })));
    assert_eq!(rig.repair.asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_missing_scope_is_not_a_dead_key() {
    let scopes = include_str!("../../../providers/fixtures/openai/error_missing_scopes.json");
    let rig = Rig::new(move |_| Reply::error(401, scopes)).await;
    let (status, _) = rig.post_text("/v1/chat/completions", CHAT).await;
    assert_eq!(status, 401);
    assert_eq!(
        rig.keyring.health(&name(), SecretVersion::FIRST),
        Some(KeyHealth::Ok)
    );
    assert!(rig.alarms.codes().is_empty());
}
