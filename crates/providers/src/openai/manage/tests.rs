//! The management API on recorded answers.

use super::*;
use crate::testing::{admin, carry, mint_spec as spec};

const NEW_KEY: &str = r#"{"object":"organization.project.api_key","id":"key_1",
    "name":"n","value":"sk-svcacct-canary","created_at":1,"expires_at":null}"#;

#[test]
fn the_first_key_of_a_tenant_makes_its_project_and_account() {
    let step = OpenAiManagement.mint(&admin(), &spec(None)).unwrap();
    let (asked, minted) = carry(
        step,
        &[
            (
                200,
                r#"{"data":[{"id":"proj_0","name":"other"}],"has_more":true,"last_id":"proj_0"}"#,
            ),
            (
                200,
                r#"{"data":[{"id":"proj_a","name":"ukm-i-zaxon","status":"archived"}],"has_more":false}"#,
            ),
            (
                200,
                r#"{"id":"proj_1","name":"ukm-i-zaxon","status":"active"}"#,
            ),
            (200, r#"{"data":[],"has_more":false}"#),
            (
                200,
                r#"{"id":"svc_1","name":"ukm-i-zaxon","role":"member","api_key":null}"#,
            ),
            (200, NEW_KEY),
        ],
    );
    assert_eq!(
        asked,
        [
            "GET /v1/organization/projects?limit=100",
            "GET /v1/organization/projects?limit=100&after=proj_0",
            r#"POST /v1/organization/projects {"name":"ukm-i-zaxon"}"#,
            "GET /v1/organization/projects/proj_1/service_accounts?limit=100",
            r#"POST /v1/organization/projects/proj_1/service_accounts {"create_service_account_only":true,"name":"ukm-i-zaxon"}"#,
            r#"POST /v1/organization/projects/proj_1/service_accounts/svc_1/api_keys {"name":"ukm-i-zaxon-r-1"}"#,
        ]
    );
    let minted = minted.unwrap();
    assert_eq!(minted.value.expose(), "sk-svcacct-canary");
    assert!(!format!("{minted:?}").contains("canary"));
    assert_eq!(minted.key.id, "key_1");
    // The next key finds its place at once.
    let step = OpenAiManagement.mint(&admin(), &spec(Some(minted.key.place)));
    let (asked, again) = carry(step.unwrap(), &[(200, NEW_KEY)]);
    assert_eq!(asked.len(), 1);
    again.unwrap();
}

#[test]
fn what_was_made_before_a_crash_is_found() {
    let step = OpenAiManagement.mint(&admin(), &spec(None)).unwrap();
    let (asked, minted) = carry(
        step,
        &[
            (
                200,
                r#"{"data":[{"id":"proj_1","name":"ukm-i-zaxon"}],"has_more":false}"#,
            ),
            (
                200,
                r#"{"data":[{"id":"svc_1","name":"ukm-i-zaxon"}],"has_more":false}"#,
            ),
            (200, NEW_KEY),
        ],
    );
    minted.unwrap();
    assert!(asked.iter().filter(|line| line.starts_with("POST")).count() == 1);
}

#[test]
fn every_key_of_every_project_is_listed() {
    let (_, listed) = carry(
        OpenAiManagement.list(&admin(), None).unwrap(),
        &[
            (
                200,
                r#"{"data":[{"id":"p1","name":"a"},{"id":"p2","name":"b"}],"has_more":false}"#,
            ),
            (
                200,
                r#"{"data":[{"id":"k1","name":"one","created_at":5,"owner":{"type":"service_account","service_account":{"id":"svc_2"}}}],"has_more":true,"last_id":"k1"}"#,
            ),
            (
                200,
                r#"{"data":[{"id":"k2","name":null,"expires_at":-5}],"has_more":false}"#,
            ),
            (
                200,
                r#"{"data":[{"id":"k3","name":"three"}],"has_more":false}"#,
            ),
        ],
    );
    let listed = listed.unwrap();
    let seen: Vec<_> = listed
        .iter()
        .map(|row| (row.key.id.as_str(), row.name.as_str(), row.live))
        .collect();
    assert_eq!(
        seen,
        [
            ("k1", "one", true),
            ("k2", "", false),
            ("k3", "three", true)
        ]
    );
    assert_eq!(
        listed[0].key.place.as_str(),
        r#"{"account":"svc_2","project":"p2"}"#
    );
}

#[test]
fn revoking_what_is_gone_is_done() {
    let key = ProviderKey {
        id: "key_1".into(),
        place: Place::new(r#"{"project":"p","account":"s"}"#.into()),
    };
    for (status, body, done) in [
        (200, r#"{"object":"x","id":"key_1","deleted":true}"#, true),
        (
            404,
            r#"{"error":{"message":"no such key","code":"not_found"}}"#,
            true,
        ),
        (
            400,
            r#"{"error":{"message":"cannot delete","code":null}}"#,
            false,
        ),
        (500, "{}", false),
    ] {
        let step = OpenAiManagement.revoke(&admin(), &key).unwrap();
        let (asked, ended) = carry(step, &[(status, body)]);
        assert_eq!(asked, ["DELETE /v1/organization/projects/p/api_keys/key_1"]);
        assert_eq!(ended.is_ok(), done, "{status}");
    }
}

#[test]
fn failures_say_what_can_be_done() {
    for (status, body, expected) in [
        (
            401,
            r#"{"error":{"message":"Incorrect","code":"invalid_api_key"}}"#,
            "Credential",
        ),
        (429, r#"{"error":{"code":"rate_limit_exceeded"}}"#, "Later"),
        (500, "oops", "Later"),
        (400, r#"{"error":{"code":"invalid_value"}}"#, "Refused"),
        (200, "<html>", "Unreadable"),
        (200, r#"{"id":5,"value":"sk-svcacct-canary"}"#, "Unreadable"),
    ] {
        let place = Place::new(r#"{"project":"p","account":"s"}"#.into());
        let step = OpenAiManagement.mint(&admin(), &spec(Some(place))).unwrap();
        let error = carry(step, &[(status, body)]).1.unwrap_err();
        let text = format!("{error:?}");
        assert!(text.starts_with(expected), "{status} {body}: {text}");
        assert!(!text.contains("canary"));
    }
}

#[test]
fn a_short_lived_secret_lives_as_long_as_the_provider_lets_it() {
    let spec = ShortLivedSpec {
        kind: None,
        lifetime: Some(std::time::Duration::from_secs(1)),
    };
    let (asked, short) = carry(
        short_lived(&admin(), &spec).unwrap(),
        &[(200, r#"{"value":"ek_1","expires_at":600,"session":{}}"#)],
    );
    assert_eq!(
        asked,
        [
            r#"POST /v1/realtime/client_secrets {"expires_after":{"anchor":"created_at","seconds":10}}"#
        ]
    );
    assert_eq!(short.unwrap().expires_at.as_second(), 600);
}
