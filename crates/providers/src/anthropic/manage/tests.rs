//! The management API on recorded answers.

use super::*;
use crate::{
    KeyVerdict,
    testing::{admin, carry, mint_spec},
};

const MANAGEMENT: AnthropicManagement = AnthropicManagement;

fn key() -> ProviderKey {
    ProviderKey {
        id: "apikey_1".into(),
        place: Home {
            workspace: Some("wrkspc_1".into()),
        }
        .place(),
    }
}

const ACTIVE: &str = r#"{"id":"apikey_1","type":"api_key","name":"n","status":"active",
    "partial_key_hint":"sk-ant-api03-R2D...igAA","created_at":"2026-11-01T09:00:00Z","expires_at":null,
    "scope":{"type":"workspace","workspace_id":"wrkspc_1"},"principal":null,"created_by":null}"#;

fn with_status(status: &str) -> String {
    ACTIVE.replace("\"active\"", &format!("\"{status}\""))
}

#[test]
fn a_key_is_made_by_a_person_in_a_workspace_that_is_prepared() {
    let made = MANAGEMENT.mint(&admin(), &mint_spec(None));
    assert!(matches!(made, Err(ManagementError::NotPossible { .. })));
    let step = MANAGEMENT.prepare_place(&admin(), "ukm-i-zaxon").unwrap();
    let (asked, place) = carry(
        step,
        &[
            (
                200,
                r#"{"data":[{"id":"wrkspc_0","name":"other","archived_at":null}],"has_more":true,"last_id":"wrkspc_0"}"#,
            ),
            (
                200,
                r#"{"data":[{"id":"wrkspc_9","name":"ukm-i-zaxon","archived_at":"2026-01-01T00:00:00Z"}],"has_more":false}"#,
            ),
            (
                200,
                r#"{"id":"wrkspc_1","type":"workspace","name":"ukm-i-zaxon","archived_at":null}"#,
            ),
        ],
    );
    assert_eq!(
        asked,
        [
            "GET /v1/organizations/workspaces?limit=1000",
            "GET /v1/organizations/workspaces?limit=1000&after_id=wrkspc_0",
            r#"POST /v1/organizations/workspaces {"name":"ukm-i-zaxon"}"#,
        ]
    );
    assert_eq!(place.unwrap().as_str(), r#"{"workspace":"wrkspc_1"}"#);
    let step = MANAGEMENT.prepare_place(&admin(), "ukm-i-zaxon").unwrap();
    let there =
        r#"{"data":[{"id":"wrkspc_1","name":"ukm-i-zaxon","archived_at":null}],"has_more":false}"#;
    let (asked, again) = carry(step, &[(200, there)]);
    assert_eq!((asked.len(), again.is_ok()), (1, true));
}

#[test]
fn keys_are_listed_with_what_is_shown_of_them() {
    let page = format!(r#"{{"data":[{ACTIVE},{}],"has_more":false}}"#, {
        with_status("inactive")
    });
    let step = MANAGEMENT.list(&admin(), Some(&key().place)).unwrap();
    let (asked, listed) = carry(step, &[(200, &page)]);
    assert_eq!(
        asked,
        ["GET /v1/organizations/api_keys?limit=1000&workspace_id=wrkspc_1"]
    );
    let listed = listed.unwrap();
    assert_eq!(listed[0].key, key());
    assert_eq!((listed[0].live, listed[1].live), (true, false));
    let shown = |text: &str| listed[0].may_be(&SecretValue::new(text.into()));
    assert!(shown("sk-ant-api03-R2D-anything-between-igAA"));
    assert!(!shown("sk-ant-api03-R2D-anything-between-igAB"));
    assert!(!shown("sk-ant-api03-R2DigAA"));
}

#[test]
fn revoking_archives_and_what_is_archived_stays_so() {
    let archived = with_status("archived");
    let step = || MANAGEMENT.revoke(&admin(), &key()).unwrap();
    let (asked, done) = carry(step(), &[(200, ACTIVE), (200, &archived)]);
    assert_eq!(
        asked,
        [
            "GET /v1/organizations/api_keys/apikey_1",
            r#"POST /v1/organizations/api_keys/apikey_1 {"status":"archived"}"#,
        ]
    );
    done.unwrap();
    carry(step(), &[(200, &archived)]).1.unwrap();
    let gone = r#"{"type":"error","error":{"type":"not_found_error","message":"m"}}"#;
    carry(step(), &[(404, gone)]).1.unwrap();
    let (_, stayed) = carry(step(), &[(200, ACTIVE), (200, ACTIVE)]);
    assert!(matches!(stayed, Err(ManagementError::Refused { .. })));
}

#[test]
fn a_key_is_switched_off_and_on() {
    for (enabled, status) in [(false, "inactive"), (true, "active")] {
        let step = MANAGEMENT.set_enabled(&admin(), &key(), enabled).unwrap();
        let (asked, done) = carry(step, &[(200, &with_status(status))]);
        assert!(asked[0].ends_with(&format!(r#"{{"status":"{status}"}}"#)));
        done.unwrap();
    }
}

#[test]
fn failures_say_whose_they_are() {
    let failed = |status, kind: &str| {
        let body = format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"m"}}}}"#);
        let step = MANAGEMENT.list(&admin(), None).unwrap();
        carry(step, &[(status, &body)]).1.unwrap_err()
    };
    assert!(matches!(
        failed(401, "authentication_error"),
        ManagementError::Credential(KeyVerdict::Invalid { .. })
    ));
    assert!(matches!(
        failed(529, "overloaded_error"),
        ManagementError::Later { .. }
    ));
    assert!(matches!(
        failed(400, "invalid_request_error"),
        ManagementError::Refused { .. }
    ));
}

#[test]
fn workspaces_are_counted_against_their_cap() {
    let one = r#"{"data":[{"id":"w","name":"n","archived_at":null}],"has_more":false}"#;
    let (_, capacity) = carry(MANAGEMENT.capacity(&admin()).unwrap(), &[(200, one)]);
    let expected = Capacity {
        what: "workspaces",
        used: 1,
        limit: Some(100),
    };
    assert_eq!(capacity.unwrap(), [expected]);
}
