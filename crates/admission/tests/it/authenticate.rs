//! Who gets in at the door.

use diamond_admission::{AccessToken, RefusalKind};
use diamond_domain::{Clock, Scope};
use jiff::SignedDuration;

use crate::{HOME, House};

#[test]
fn a_known_token_is_its_record() {
    let house = House::new();
    let (token, record) = house.token(Some("zaxon"), &[Scope::Gateway], |_| {});
    let caller = house.authenticate(&token).unwrap();
    assert_eq!(**caller.token(), record);
    assert_eq!(caller.address(), HOME);
    assert!(caller.has(Scope::Gateway) && !caller.has(Scope::KeysRead));
}

#[test]
fn strangers_are_told_what_is_wrong() {
    let house = House::new();
    let admission = &house.admission;
    let stranger = AccessToken::generate();
    for (presented, code) in [
        (None, "missing_token"),
        (Some(""), "missing_token"),
        (Some("sk-proj-abc"), "malformed_token"),
        (Some(stranger.expose()), "unknown_token"),
    ] {
        let refusal = admission.authenticate(presented, HOME).unwrap_err();
        assert_eq!(refusal.code(), code);
        assert_eq!(refusal.kind(), RefusalKind::Unauthenticated);
        if let Some(text) = presented.filter(|text| !text.is_empty()) {
            assert!(!refusal.to_string().contains(text), "{refusal}");
            assert!(!format!("{refusal:?}").contains(text), "{refusal:?}");
        }
    }
}

#[test]
fn a_token_expires_at_its_instant() {
    let house = House::new();
    let (token, _) = house.token(Some("zaxon"), &[], |record| {
        record.expires_at = house.clock.now() + SignedDuration::from_secs(60);
    });
    house.clock.advance(SignedDuration::from_millis(59_999));
    house.authenticate(&token).unwrap();
    house.clock.advance(SignedDuration::from_millis(1));
    let refusal = house.authenticate(&token).unwrap_err();
    assert_eq!(refusal.code(), "expired_token");
    assert!(refusal.to_string().contains("2025-01-22T10:01:00Z"));
}

#[test]
fn a_revoked_token_stays_known_and_stays_revoked() {
    let house = House::new();
    let (token, record) = house.token(Some("zaxon"), &[], |_| {});
    let mut revoked = record.clone();
    revoked.revoked_at = Some(house.clock.now());
    house.admission.upsert_token(revoked);
    assert_eq!(
        house.authenticate(&token).unwrap_err().code(),
        "revoked_token"
    );
    // A copy that was read before the revocation arrives after it.
    house.admission.upsert_token(record.clone());
    assert_eq!(
        house.authenticate(&token).unwrap_err().code(),
        "revoked_token"
    );
    house.admission.remove_token(record.id);
    assert_eq!(
        house.authenticate(&token).unwrap_err().code(),
        "unknown_token"
    );
}

#[test]
fn a_changed_token_is_the_changed_one() {
    let house = House::new();
    let (token, mut record) = house.token(Some("zaxon"), &[Scope::Gateway], |_| {});
    record.scopes = record.scopes.without(Scope::Gateway);
    house.admission.upsert_token(record.clone());
    assert!(!house.authenticate(&token).unwrap().has(Scope::Gateway));
    // The same record under another hash: the former token is no longer one.
    let renewed = AccessToken::generate();
    record.hash = renewed.hash();
    house.admission.upsert_token(record);
    assert_eq!(
        house.authenticate(&token).unwrap_err().code(),
        "unknown_token"
    );
    house.authenticate(&renewed).unwrap();
}

#[test]
fn a_token_bound_to_addresses_works_only_from_there() {
    let house = House::new();
    let (token, _) = house.token(Some("zaxon"), &[], |record| {
        record.addresses = vec![
            "10.0.0.0/8".parse().unwrap(),
            "2001:db8::/32".parse().unwrap(),
        ];
    });
    for (peer, allowed) in [
        ("10.9.8.7", true),
        ("::ffff:10.9.8.7", true),
        ("2001:db8::5", true),
        ("192.0.2.7", false),
        ("2001:db9::5", false),
    ] {
        let peer = peer.parse().unwrap();
        match house.admission.authenticate(Some(token.expose()), peer) {
            Ok(_) => assert!(allowed, "{peer}"),
            Err(refusal) => {
                assert!(!allowed, "{peer}");
                assert_eq!(refusal.code(), "address_not_allowed");
                assert_eq!(refusal.kind(), RefusalKind::Forbidden);
            }
        }
    }
}

#[test]
fn reading_and_writing_at_once_never_lets_a_revoked_token_in() {
    let house = House::new();
    let (token, record) = house.token(Some("zaxon"), &[], |_| {});
    let mut revoked = record.clone();
    revoked.revoked_at = Some(house.clock.now());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut refused = false;
                for _ in 0..2_000 {
                    let now_refused = house.authenticate(&token).is_err();
                    assert!(now_refused || !refused, "a revoked token came back");
                    refused = now_refused;
                }
            });
        }
        scope.spawn(|| {
            for round in 0..500 {
                let copy = if round == 250 { &revoked } else { &record };
                house.admission.upsert_token(copy.clone());
            }
        });
    });
    assert_eq!(
        house.authenticate(&token).unwrap_err().code(),
        "revoked_token"
    );
}
