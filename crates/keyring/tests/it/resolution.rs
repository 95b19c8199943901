//! Which key a tenant gets, and what it hears when there is none.

use diamond_domain::{KeyHealth, Payer, SecretKind, VersionState};
use diamond_keyring::{NoKey, SourceState};
use jiff::Timestamp;

use crate::{Ring, customer, dedicated, name, openai, version};

#[test]
fn the_customers_own_key_comes_first() {
    let ring = Ring::new();
    ring.put(&dedicated(), 1, VersionState::Active);
    let pinned = ring.pin().unwrap();
    assert_eq!(pinned.kind(), SecretKind::Dedicated);
    assert_eq!(pinned.payer(), Payer::Platform);
    ring.put(&customer(), 4, VersionState::Active);
    let pinned = ring.pin().unwrap();
    assert_eq!(pinned.kind(), SecretKind::Customer);
    assert_eq!(pinned.payer(), Payer::Tenant);
    assert_eq!(pinned.name(), &customer());
    assert_eq!(pinned.version(), version(4));
    assert_eq!(pinned.value().expose(), "ai-openai-zaxon-customer/4");
}

#[test]
fn nobody_gets_another_tenants_key_or_a_management_credential() {
    let ring = Ring::new();
    for other in [
        "ai-openai-admin",
        "ai-openai-zaxon-admin",
        "ai-openai-coaching",
        "ai-openai-coaching-customer",
        "ai-hume-zaxon",
    ] {
        ring.put(&name(other), 1, VersionState::Active);
    }
    let refused = ring.pin().unwrap_err();
    assert_eq!(refused.code(), "key_not_configured");
    let tried = refused.tried().sources.clone();
    assert_eq!(
        tried,
        [
            (customer(), SourceState::Absent),
            (dedicated(), SourceState::Absent)
        ]
    );
}

#[test]
fn the_message_names_what_was_tried_and_what_to_do() {
    let ring = Ring::new();
    ring.put(&customer(), 2, VersionState::Revoked);
    ring.put(&dedicated(), 1, VersionState::Pending);
    let refused = ring.pin().unwrap_err();
    assert_eq!(refused.code(), "key_pending");
    let text = refused.to_string();
    assert!(
        text.contains("ai-openai-zaxon-customer: version 2 was revoked"),
        "{text}"
    );
    assert!(
        text.contains("ai-openai-zaxon: version 1 is not activated yet"),
        "{text}"
    );
    let other = "hume".parse().unwrap();
    let text = ring
        .keys
        .pin(&other, &crate::zaxon())
        .unwrap_err()
        .to_string();
    assert!(text.contains("diamond ai keys:put hume zaxon"), "{text}");
}

#[test]
fn a_withdrawn_customer_key_gives_way_to_the_dedicated_one() {
    let ring = Ring::new();
    ring.put(&customer(), 1, VersionState::Revoked);
    ring.put(&dedicated(), 1, VersionState::Active);
    assert_eq!(ring.pinned(), "ai-openai-zaxon/1");
    ring.keys
        .set_state(&dedicated(), version(1), VersionState::Revoked);
    assert_eq!(ring.pin().unwrap_err().code(), "key_revoked");
}

#[test]
fn a_broken_customer_key_does_not_make_the_platform_pay() {
    let ring = Ring::new();
    ring.put(&customer(), 1, VersionState::Active);
    ring.put(&dedicated(), 1, VersionState::Active);
    ring.keys
        .report(&customer(), version(1), KeyHealth::Invalid);
    let refused = ring.pin().unwrap_err();
    let NoKey::Invalid {
        name,
        version: failed,
        tried,
    } = refused
    else {
        panic!("{refused:?}");
    };
    assert_eq!((name, failed), (customer(), version(1)));
    assert_eq!(tried.sources.len(), 1);
    // Another service of the tenant and another tenant are not touched.
    ring.put(&dedicated(), 1, VersionState::Active);
    assert!(
        ring.keys
            .pin(&openai(), &"coaching".parse().unwrap())
            .is_err()
    );
}

#[test]
fn a_broken_key_says_who_pays_all_the_same() {
    let ring = Ring::new();
    let payer = || ring.keys.payer(&openai(), &crate::zaxon());
    assert_eq!(payer(), None);
    ring.put(&customer(), 1, VersionState::Pending);
    assert_eq!(payer(), None, "not in use yet");
    ring.put(&dedicated(), 1, VersionState::Active);
    assert_eq!(payer(), Some(Payer::Platform));
    ring.keys
        .set_state(&customer(), version(1), VersionState::Active);
    assert_eq!(payer(), Some(Payer::Tenant));
    let until = Timestamp::MAX;
    for health in [KeyHealth::Exhausted { until }, KeyHealth::Invalid] {
        ring.keys.report(&customer(), version(1), health);
        assert!(ring.pin().is_err());
        assert_eq!(payer(), Some(Payer::Tenant), "{health:?}");
    }
    ring.keys
        .report(&dedicated(), version(1), KeyHealth::Invalid);
    ring.keys
        .set_state(&customer(), version(1), VersionState::Revoked);
    assert_eq!(payer(), Some(Payer::Platform));
    ring.keys
        .set_state(&dedicated(), version(1), VersionState::Revoked);
    assert_eq!(payer(), None);
}

#[test]
fn health_decides_what_is_given_and_passes_by_itself() {
    let ring = Ring::new();
    ring.put(&dedicated(), 1, VersionState::Active);
    let until: Timestamp = "2025-01-22T10:00:30Z".parse().unwrap();
    // The provider decides about each call; we do not decide for it.
    for health in [KeyHealth::Limited { until }, KeyHealth::Suspect] {
        ring.keys.report(&dedicated(), version(1), health);
        assert_eq!(ring.keys.health(&dedicated(), version(1)), Some(health));
        ring.pin().unwrap();
    }
    let exhausted = KeyHealth::Exhausted { until };
    ring.keys.report(&dedicated(), version(1), exhausted);
    let refused = ring.pin().unwrap_err();
    assert_eq!(refused.code(), "key_exhausted");
    assert!(
        refused.to_string().contains("2025-01-22T10:00:30Z"),
        "{refused}"
    );
    ring.clock.set(until);
    assert_eq!(
        ring.keys.health(&dedicated(), version(1)),
        Some(KeyHealth::Ok)
    );
    ring.pin().unwrap();
}

#[test]
fn an_invalid_key_stays_invalid_until_a_new_version() {
    let ring = Ring::new();
    ring.put(&dedicated(), 1, VersionState::Active);
    ring.keys
        .report(&dedicated(), version(1), KeyHealth::Invalid);
    ring.keys.report(&dedicated(), version(1), KeyHealth::Ok);
    ring.put(&dedicated(), 1, VersionState::Active);
    assert_eq!(ring.pin().unwrap_err().code(), "key_invalid");
    ring.put(&dedicated(), 2, VersionState::Active);
    assert_eq!(ring.pinned(), "ai-openai-zaxon/2");
    assert_eq!(
        ring.keys.health(&dedicated(), version(2)),
        Some(KeyHealth::Ok)
    );
}

#[test]
fn an_unknown_version_has_no_health_and_no_pins() {
    let ring = Ring::new();
    ring.keys
        .report(&dedicated(), version(9), KeyHealth::Invalid);
    ring.keys
        .set_state(&dedicated(), version(9), VersionState::Active);
    ring.keys.remove(&dedicated(), version(9));
    assert_eq!(ring.keys.health(&dedicated(), version(9)), None);
    assert_eq!(ring.keys.pins(&dedicated(), version(9)), 0);
}
