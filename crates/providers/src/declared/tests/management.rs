use std::time::Duration;

use super::*;
use crate::{
    KeyManagement, ManagementError, Minting, Place, ProviderKey,
    testing::{admin, carry, mint_spec},
};

fn key(id: &str) -> ProviderKey {
    ProviderKey {
        id: id.to_owned(),
        place: Place::new("{}".to_owned()),
    }
}

fn with<T>(look: impl FnOnce(&dyn KeyManagement) -> T) -> T {
    let provider = shipped("openrouter");
    assert_eq!(provider.descriptor().capabilities.minting, Minting::Api);
    look(provider.management().unwrap())
}

#[test]
fn a_key_is_made_with_what_was_wished() {
    let made =
        r#"{"data":{"hash":"abc","name":"ukm-i-zaxon-r-1","disabled":false},"key":"sk-or-v1-new"}"#;
    let step = with(|management| management.mint(&admin(), &mint_spec(None)).unwrap());
    let (asked, minted) = carry(step, &[(201, made)]);
    assert_eq!(asked, [r#"POST /api/v1/keys {"name":"ukm-i-zaxon-r-1"}"#]);
    let minted = minted.unwrap();
    assert_eq!(minted.value.expose(), "sk-or-v1-new");
    assert_eq!((minted.key.id.as_str(), minted.expires_at), ("abc", None));
    let mut spec = mint_spec(None);
    spec.lifetime = Some(Duration::from_secs(86_400));
    spec.usage_limit = Some(25);
    let step = with(|management| management.mint(&admin(), &spec).unwrap());
    let (asked, minted) = carry(step, &[(200, "{}"), (201, made)]);
    assert_eq!(
        asked,
        [
            "GET /api/v1/key",
            r#"POST /api/v1/keys {"expires_at":"2026-11-29T10:00:00Z","limit":25,"name":"ukm-i-zaxon-r-1"}"#
        ]
    );
    let end = "2026-11-29T10:00:00Z".parse().ok();
    assert_eq!(minted.unwrap().expires_at, end);
    let step = with(|management| management.mint(&admin(), &mint_spec(None)).unwrap());
    let (_, failed) = carry(step, &[(201, r#"{"data":{"hash":"abc"}}"#)]);
    assert!(matches!(failed, Err(ManagementError::Unreadable { .. })));
}

#[test]
fn every_page_of_keys_is_read() {
    let page = |from: u32, to: u32| {
        let keys: Vec<String> = (from..to)
            .map(|n| {
                format!(
                    r#"{{"hash":"h{n}","name":"k{n}","label":"sk-or-v1-ab{n}...cd{n}","disabled":{},"created_at":"2026-11-01T00:00:00Z","expires_at":{}}}"#,
                    n == 1,
                    if n == 2 { "\"2026-11-02T00:00:00Z\"" } else { "null" }
                )
            })
            .collect();
        format!(r#"{{"data":[{}]}}"#, keys.join(","))
    };
    let (first, second) = (page(0, 2), page(2, 4));
    let answers = [
        (200, first.as_str()),
        (200, second.as_str()),
        (200, r#"{"data":[]}"#),
    ];
    let step = with(|management| management.list(&admin(), None).unwrap());
    let (asked, keys) = carry(step, &answers);
    let path = "GET /api/v1/keys?include_disabled=true&offset=";
    assert_eq!(asked, [0, 2, 4].map(|offset| format!("{path}{offset}")));
    let keys = keys.unwrap();
    let live: Vec<bool> = keys.iter().map(|key| key.live).collect();
    // One is switched off, one has ended.
    assert_eq!(live, [true, false, false, true]);
    let text = diamond_domain::SecretValue::new("sk-or-v1-ab3xxxxxcd3".into());
    assert!(keys[3].may_be(&text));
    let step = with(|management| management.capacity(&admin()).unwrap());
    let (_, capacity) = carry(step, &answers);
    assert_eq!(capacity.unwrap()[0].used, 2);
}

#[test]
fn a_key_is_ended_and_switched() {
    for status in [200, 404] {
        let step = with(|management| management.revoke(&admin(), &key("a/b")).unwrap());
        let (asked, ended) = carry(step, &[(status, "{}")]);
        assert_eq!(asked, ["DELETE /api/v1/keys/a%2Fb"]);
        assert_eq!(ended, Ok(()));
    }
    for (enabled, body) in [
        (false, r#"{"disabled":true}"#),
        (true, r#"{"disabled":false}"#),
    ] {
        let step = with(|management| {
            management
                .set_enabled(&admin(), &key("h"), enabled)
                .unwrap()
        });
        let (asked, _) = carry(step, &[(200, "{}")]);
        assert_eq!(asked, [format!("PATCH /api/v1/keys/h {body}")]);
    }
    let step = with(|management| management.revoke(&admin(), &key("h")).unwrap());
    let (_, refused) = carry(step, &[(401, "{}")]);
    assert!(matches!(refused, Err(ManagementError::Credential(_))));
    assert!(shipped("groq").management().is_none());
}
