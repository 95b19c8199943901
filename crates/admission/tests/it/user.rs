//! Which user a call belongs to.

use diamond_admission::{Refusal, TenantAccess};
use diamond_domain::{Scope, UserId, UserSource};

use crate::{House, service};

fn user(name: &str) -> Option<UserId> {
    Some(name.parse().unwrap())
}

fn access(house: &House, bound: Option<&str>) -> TenantAccess {
    let (token, _) = house.token(Some("zaxon"), &[Scope::Gateway], |record| {
        record.user = bound.map(|name| name.parse().unwrap());
    });
    let caller = house.authenticate(&token).unwrap();
    house
        .admission
        .gateway_access(&caller, None, &service("openai"))
        .unwrap()
}

#[test]
fn the_strongest_source_wins() {
    let house = House::new();
    let access = access(&house, None);
    for (header, body, provider, expected, source) in [
        (user("h"), user("b"), user("p"), "h", UserSource::Header),
        (None, user("b"), user("p"), "b", UserSource::Body),
        (None, None, user("p"), "p", UserSource::Provider),
        (None, None, None, "unknown", UserSource::Unknown),
    ] {
        let (found, by) = access.resolve_user(header, body, provider).unwrap();
        assert_eq!((found.as_str(), by), (expected, source));
    }
}

#[test]
fn a_bound_token_is_its_user_and_cannot_name_another() {
    let house = House::new();
    let access = access(&house, Some("ada"));
    for (header, body, provider) in [
        (None, None, None),
        (user("ada"), None, None),
        (None, user("ada"), None),
        (user("ada"), user("ada"), user("f00d-hash")),
    ] {
        let (found, by) = access.resolve_user(header, body, provider).unwrap();
        assert_eq!((found.as_str(), by), ("ada", UserSource::Token));
    }
    for (header, body) in [
        (user("bob"), None),
        (None, user("bob")),
        (user("ada"), user("bob")),
    ] {
        let refusal = access.resolve_user(header, body, None).unwrap_err();
        assert_eq!(refusal.code(), "user_mismatch");
        let Refusal::UserMismatch { named, .. } = refusal else {
            panic!("{refusal:?}");
        };
        assert_eq!(named.as_str(), "bob");
    }
}
