//! The management API on recorded answers.

use std::time::Duration;

use super::*;
use crate::testing::{admin, carry, mint_spec};

const MANAGEMENT: ElevenLabsManagement = ElevenLabsManagement;
const MADE: &str = r#"{"xi-api-key":"sk_new","key_id":"k_1"}"#;
const THERE: &str = r#"{"service-accounts":[
    {"service_account_user_id":"sa_0","name":"somebody's","created_at_unix":1,"api-keys":[]},
    {"service_account_user_id":"sa_1","name":"ukm-i","created_at_unix":1,"api-keys":[
        {"key_id":"k_0","name":"ukm-i-zaxon-r-0","hint":"a1B2","is_disabled":true,
         "created_at_unix":1793000000,"expires_at_unix":1795000000,"permissions":["text_to_speech"]}]}]}"#;

fn place() -> Place {
    Home {
        account: "sa_1".into(),
    }
    .place()
}

fn key() -> ProviderKey {
    ProviderKey {
        id: "k_1".into(),
        place: place(),
    }
}

fn error(code: &str) -> String {
    format!(r#"{{"detail":{{"code":"{code}","status":"{code}","message":"m"}}}}"#)
}

#[test]
fn tenants_share_an_account_that_is_made_once() {
    let step = MANAGEMENT.mint(&admin(), &mint_spec(None)).unwrap();
    let (asked, minted) = carry(
        step,
        &[
            (200, r#"{"service-accounts":[]}"#),
            (200, r#"{"service-account-user-id":"sa_1"}"#),
            (200, MADE),
        ],
    );
    assert_eq!(asked[0], "GET /v1/service-accounts");
    assert_eq!(asked[1], r#"POST /v1/service-accounts {"name":"ukm-i"}"#);
    let body = asked[2].strip_prefix("POST /v1/service-accounts/sa_1/api-keys ");
    let body: serde_json::Value = serde_json::from_str(body.unwrap()).unwrap();
    let expected = json!({ "name": "ukm-i-zaxon-r-1", "permissions": PERMISSIONS });
    assert_eq!(body, expected);
    let minted = minted.unwrap();
    assert_eq!(minted.value.expose(), "sk_new");
    assert_eq!(minted.key, key());
    assert_eq!(minted.expires_at, None);
    let step = MANAGEMENT.mint(&admin(), &mint_spec(None)).unwrap();
    let (asked, _) = carry(step, &[(200, THERE), (200, MADE)]);
    assert_eq!(asked.len(), 2, "it is found by its name");
}

#[test]
fn a_key_is_bound_as_asked_within_what_the_provider_takes() {
    for (hours, seconds) in [(1, 3_600), (24 * 365, 90 * 86_400 - 60), (0, 16 * 60)] {
        let spec = MintSpec {
            permissions: vec!["text_to_speech".into()],
            lifetime: Some(Duration::from_secs(hours * 3_600)),
            usage_limit: Some(5_000),
            addresses: vec!["10.0.0.0/24".into()],
            ..mint_spec(Some(place()))
        };
        let step = MANAGEMENT.mint(&admin(), &spec).unwrap();
        let (asked, minted) = carry(step, &[(200, THERE), (200, MADE)]);
        let end = crate::testing::now().as_second() + seconds;
        let body = asked[1].split_once("api-keys ").unwrap().1;
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        let expected = json!({
            "name": "ukm-i-zaxon-r-1", "permissions": ["text_to_speech"], "character_limit": 5_000,
            "allowed_ips": ["10.0.0.0/24"], "expires_at_unix": end,
        });
        assert_eq!(body, expected);
        assert_eq!(minted.unwrap().expires_at.unwrap().as_second(), end);
    }
    let tagged = MintSpec {
        tags: vec!["zaxon".into()],
        ..mint_spec(None)
    };
    let refused = MANAGEMENT.mint(&admin(), &tagged);
    assert!(matches!(refused, Err(ManagementError::NotPossible { .. })));
}

#[test]
fn a_full_workspace_is_full() {
    for (answers, code) in [
        (
            vec![(200, r#"{"service-accounts":[]}"#)],
            "service_account_limit_reached",
        ),
        (vec![(200, THERE)], "api_key_limit_reached"),
    ] {
        let body = error(code);
        let mut answers = answers;
        answers.push((400, &body));
        let step = MANAGEMENT.mint(&admin(), &mint_spec(None)).unwrap();
        let (_, failed) = carry(step, &answers);
        assert!(matches!(failed, Err(ManagementError::Full { reason }) if reason == code));
    }
    let step = MANAGEMENT.capacity(&admin()).unwrap();
    let (_, capacity) = carry(step, &[(200, THERE)]);
    let expected = Capacity {
        what: "service_accounts",
        used: 2,
        limit: Some(20),
    };
    assert_eq!(capacity.unwrap(), [expected]);
}

#[test]
fn keys_are_listed_with_what_is_shown_of_them() {
    let step = MANAGEMENT.list(&admin(), None).unwrap();
    let (asked, keys) = carry(step, &[(200, THERE)]);
    assert_eq!(asked, ["GET /v1/service-accounts"]);
    let keys = keys.unwrap();
    assert_eq!(keys.len(), 1);
    assert_eq!(keys[0].key.place, place());
    assert_eq!(keys[0].name, "ukm-i-zaxon-r-0");
    assert!(!keys[0].live);
    assert_eq!(keys[0].expires_at.unwrap().as_second(), 1_795_000_000);
    assert!(keys[0].may_be(&SecretValue::new("sk_xxxxa1B2".into())));
    assert!(!keys[0].may_be(&SecretValue::new("sk_xxxxa1B3".into())));
    let step = MANAGEMENT.list(&admin(), Some(&place())).unwrap();
    let one = r#"{"api-keys":[{"key_id":"k_1","name":"n","hint":"abcd","is_disabled":false}]}"#;
    let (asked, keys) = carry(step, &[(200, one)]);
    assert_eq!(asked, ["GET /v1/service-accounts/sa_1/api-keys"]);
    assert!(keys.unwrap()[0].live);
}

#[test]
fn a_key_is_deleted_or_else_switched_off() {
    let path = "/v1/service-accounts/sa_1/api-keys/k_1";
    let denied = error("missing_permissions");
    let downgraded = error("subscription_required");
    let gone = error("api_key_not_found");
    type Case<'a> = (Vec<(u16, &'a str)>, Vec<&'a str>);
    let cases: [Case<'_>; 5] = [
        (vec![(200, "{}")], vec!["DELETE"]),
        (vec![(404, &gone)], vec!["DELETE"]),
        (
            vec![(403, &downgraded), (200, "{}")],
            vec!["DELETE", "POST"],
        ),
        (
            vec![(401, &denied), (404, "{}"), (200, "{}")],
            vec!["DELETE", "POST", "PATCH"],
        ),
        (
            vec![(400, &downgraded), (405, "{}"), (404, &gone)],
            vec!["DELETE", "POST", "PATCH"],
        ),
    ];
    for (answers, methods) in cases {
        let (asked, ended) = carry(MANAGEMENT.revoke(&admin(), &key()).unwrap(), &answers);
        assert_eq!(ended, Ok(()), "{answers:?}");
        let expected: Vec<String> = methods
            .iter()
            .map(|method| match *method {
                "POST" => format!("POST {path}/disable"),
                "PATCH" => format!("PATCH {path} {{\"is_enabled\":false}}"),
                method => format!("{method} {path}"),
            })
            .collect();
        assert_eq!(asked, expected);
    }
    for (status, body) in [(401, error("invalid_api_key")), (503, String::new())] {
        let step = MANAGEMENT.revoke(&admin(), &key()).unwrap();
        let (asked, failed) = carry(step, &[(status, &body)]);
        assert_eq!(asked.len(), 1);
        assert!(failed.is_err());
    }
}

#[test]
fn a_key_is_switched_off_and_on() {
    let path = "/v1/service-accounts/sa_1/api-keys/k_1";
    let step = MANAGEMENT.set_enabled(&admin(), &key(), false).unwrap();
    let (asked, done) = carry(step, &[(200, "{}")]);
    assert_eq!(
        (asked, done),
        (vec![format!("POST {path}/disable")], Ok(()))
    );
    let step = MANAGEMENT.set_enabled(&admin(), &key(), true).unwrap();
    let (asked, done) = carry(step, &[(404, &error("api_key_not_found"))]);
    assert_eq!(asked, [format!("PATCH {path} {{\"is_enabled\":true}}")]);
    assert!(done.is_err(), "a key that is gone cannot be switched on");
}

#[test]
fn a_token_opens_one_thing_once() {
    let spec = |kind: Option<&str>| ShortLivedSpec {
        kind: kind.map(str::to_owned),
        lifetime: None,
    };
    let step = short_lived(&admin(), &spec(Some("tts_websocket"))).unwrap();
    let (asked, token) = carry(step, &[(200, r#"{"token":"sutkn_1"}"#)]);
    assert_eq!(asked, ["POST /v1/single-use-token/tts_websocket"]);
    let token = token.unwrap();
    assert_eq!(token.value.expose(), "sutkn_1");
    assert!(token.single_use);
    assert_eq!(token.expires_at, "2026-11-28T10:15:00Z".parse().unwrap());
    for kind in [None, Some("realtime"), Some("../workspace")] {
        let refused = short_lived(&admin(), &spec(kind));
        assert!(matches!(refused, Err(ManagementError::NotPossible { .. })));
    }
}

#[test]
fn a_place_of_another_service_is_refused() {
    let stranger = Place::new(r#"{"project":"p"}"#.into());
    assert!(MANAGEMENT.list(&admin(), Some(&stranger)).is_err());
    let step = MANAGEMENT.prepare_place(&admin(), "ukm-i-zaxon").unwrap();
    let (asked, found) = carry(step, &[(200, THERE)]);
    assert_eq!((asked.len(), found), (1, Ok(place())));
    assert_eq!(account_name("plain"), "plain");
}
