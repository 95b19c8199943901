//! The management API on recorded answers.

use std::time::Duration;

use super::*;
use crate::{
    KeyVerdict,
    testing::{admin, carry, mint_spec},
};

const MANAGEMENT: DeepgramManagement = DeepgramManagement;
const ONE: &str = r#"{"projects":[{"project_id":"p_1","name":"Main"}]}"#;
const TWO: &str = r#"{"projects":[{"project_id":"p_1","name":"Main"},
    {"project_id":"p_2","name":"ukm-i-zaxon"}]}"#;
const MADE: &str = r#"{"api_key_id":"k_1","key":"0a1b2c","comment":"ukm-i-zaxon-r-1",
    "scopes":["usage:write"],"created":"2026-11-28T10:00:00.000000Z"}"#;

fn place() -> Place {
    Home {
        project: "p_1".into(),
    }
    .place()
}

fn key() -> ProviderKey {
    ProviderKey {
        id: "k_1".into(),
        place: place(),
    }
}

#[test]
fn a_key_is_made_in_the_project_that_there_is() {
    for (projects, project) in [(ONE, "p_1"), (TWO, "p_2")] {
        let step = MANAGEMENT.mint(&admin(), &mint_spec(None)).unwrap();
        let (asked, minted) = carry(step, &[(200, projects), (200, MADE)]);
        assert_eq!(asked[0], "GET /v1/projects");
        let expected = format!(
            r#"POST /v1/projects/{project}/keys {{"comment":"ukm-i-zaxon-r-1","scopes":["usage:write"]}}"#
        );
        assert_eq!(asked[1], expected);
        let minted = minted.unwrap();
        assert_eq!(minted.value.expose(), "0a1b2c");
        assert_eq!(minted.key.id, "k_1");
        assert_eq!(minted.expires_at, None);
    }
    let other = TWO.replace("ukm-i-zaxon", "Second");
    for projects in [other.as_str(), r#"{"projects":[]}"#] {
        let step = MANAGEMENT.mint(&admin(), &mint_spec(None)).unwrap();
        let (_, refused) = carry(step, &[(200, projects)]);
        assert!(matches!(refused, Err(ManagementError::Refused { .. })));
    }
}

#[test]
fn a_key_is_bound_as_asked() {
    let spec = MintSpec {
        permissions: vec!["usage:write".into(), "usage:read".into()],
        lifetime: Some(Duration::from_secs(600)),
        tags: vec!["zaxon".into()],
        ..mint_spec(Some(place()))
    };
    let dated = MADE.replace(
        "\"created\"",
        "\"expiration_date\":\"2026-11-28T10:10:01Z\",\"created\"",
    );
    for (made, end) in [
        (MADE, "2026-11-28T10:10:00Z"),
        (&dated, "2026-11-28T10:10:01Z"),
    ] {
        let step = MANAGEMENT.mint(&admin(), &spec).unwrap();
        let (asked, minted) = carry(step, &[(200, made)]);
        let body = asked[0]
            .strip_prefix("POST /v1/projects/p_1/keys ")
            .unwrap();
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        let expected = json!({
            "comment": "ukm-i-zaxon-r-1", "scopes": ["usage:write", "usage:read"],
            "tags": ["zaxon"], "time_to_live_in_seconds": 600,
        });
        assert_eq!(body, expected);
        assert_eq!(minted.unwrap().expires_at, Some(end.parse().unwrap()));
    }
    for spec in [
        MintSpec {
            usage_limit: Some(1),
            ..mint_spec(None)
        },
        MintSpec {
            addresses: vec!["10.0.0.0/8".into()],
            ..mint_spec(None)
        },
    ] {
        let refused = MANAGEMENT.mint(&admin(), &spec);
        assert!(matches!(refused, Err(ManagementError::NotPossible { .. })));
    }
}

#[test]
fn every_key_of_every_project_is_listed() {
    let keys = r#"{"api_keys":[
        {"member":{"member_id":"m","email":"e"},"api_key":{"api_key_id":"k_1","comment":"one",
         "scopes":["usage:write"],"created":"2026-11-01T09:00:00Z"}},
        {"member":{"member_id":"m","email":"e"},"api_key":{"api_key_id":"k_0","comment":"old",
         "scopes":[],"created":"2026-10-01T09:00:00Z","expiration_date":"2026-11-28T10:00:00Z"}}]}"#;
    let step = MANAGEMENT.list(&admin(), None).unwrap();
    let (asked, listed) = carry(
        step,
        &[(200, TWO), (200, keys), (200, r#"{"api_keys":[]}"#)],
    );
    assert_eq!(
        asked,
        [
            "GET /v1/projects",
            "GET /v1/projects/p_2/keys",
            "GET /v1/projects/p_1/keys"
        ]
    );
    let listed = listed.unwrap();
    assert_eq!(listed.len(), 2);
    assert_eq!((listed[0].name.as_str(), listed[0].live), ("one", true));
    assert_eq!((listed[1].name.as_str(), listed[1].live), ("old", false));
    assert!(!listed[0].may_be(&SecretValue::new("0a1b2c".into())));
    let (_, capacity) = carry(
        MANAGEMENT.capacity(&admin()).unwrap(),
        &[(200, ONE), (200, keys)],
    );
    assert_eq!(capacity.unwrap()[0].used, 2);
}

#[test]
fn revoking_what_is_gone_is_done_and_nothing_is_switched() {
    for (status, body) in [
        (200, r#"{"message":"Successfully deleted the API key!"}"#),
        (404, ""),
    ] {
        let (asked, ended) = carry(
            MANAGEMENT.revoke(&admin(), &key()).unwrap(),
            &[(status, body)],
        );
        assert_eq!(asked, ["DELETE /v1/projects/p_1/keys/k_1"]);
        assert_eq!(ended, Ok(()));
    }
    let denied = include_str!("../../../fixtures/deepgram/error_insufficient_permissions.json");
    let step = MANAGEMENT.revoke(&admin(), &key()).unwrap();
    let (_, failed) = carry(step, &[(403, denied)]);
    assert!(matches!(
        failed,
        Err(ManagementError::Credential(KeyVerdict::MissingScope { .. }))
    ));
    let switched = MANAGEMENT.set_enabled(&admin(), &key(), false);
    assert!(matches!(switched, Err(ManagementError::NotPossible { .. })));
}

#[test]
fn a_token_lives_as_long_as_the_provider_lets_it() {
    for (lifetime, body, seconds) in [
        (None, "{}", 30),
        (Some(60), r#"{"ttl_seconds":60}"#, 60),
        (Some(86_400), r#"{"ttl_seconds":3600}"#, 3_600),
    ] {
        let spec = ShortLivedSpec {
            kind: None,
            lifetime: lifetime.map(Duration::from_secs),
        };
        let answer = format!(r#"{{"access_token":"eyJ.a.b","expires_in":{seconds}}}"#);
        let (asked, token) = carry(short_lived(&admin(), &spec).unwrap(), &[(200, &answer)]);
        assert_eq!(asked, [format!("POST /v1/auth/grant {body}")]);
        let token = token.unwrap();
        let length = token.expires_at.duration_since(crate::testing::now());
        assert_eq!(length.as_secs(), seconds);
        assert!(!token.single_use);
    }
    let other = ShortLivedSpec {
        kind: Some("management".into()),
        lifetime: None,
    };
    assert!(short_lived(&admin(), &other).is_err());
}
