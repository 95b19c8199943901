//! When a token was last used.

use diamond_domain::{Clock, Scope};
use jiff::SignedDuration;

use crate::House;

#[test]
fn the_latest_use_is_taken_once() {
    let house = House::new();
    let (token, record) = house.token(Some("zaxon"), &[Scope::Gateway], |_| {});
    let (_unused, _) = house.token(Some("zaxon"), &[], |_| {});
    assert_eq!(house.admission.take_last_uses(), []);
    house.authenticate(&token).unwrap();
    house.clock.advance(SignedDuration::from_secs(5));
    house.authenticate(&token).unwrap();
    let at = house.clock.now();
    assert_eq!(house.admission.take_last_uses(), [(record.id, at)]);
    assert_eq!(house.admission.take_last_uses(), []);
}

#[test]
fn a_use_survives_a_change_of_the_token() {
    let house = House::new();
    let (token, record) = house.token(Some("zaxon"), &[], |_| {});
    house.authenticate(&token).unwrap();
    house.admission.upsert_token(record.clone());
    let at = house.clock.now();
    assert_eq!(house.admission.take_last_uses(), [(record.id, at)]);
}

#[test]
fn a_refused_presentation_is_no_use() {
    let house = House::new();
    let (token, _) = house.token(Some("zaxon"), &[], |record| {
        record.expires_at = house.clock.now();
    });
    house.authenticate(&token).unwrap_err();
    assert_eq!(house.admission.take_last_uses(), []);
}
