//! The interleavings that a thread test would meet once in a year: what another thread does stands
//! between the look at a version and the pin on it.

use std::cell::Cell;

use diamond_domain::ManualClock;

use super::*;

const START: Timestamp = Timestamp::UNIX_EPOCH;

fn name() -> SecretName {
    "ai-openai-zaxon".parse().unwrap()
}

fn version(number: u32) -> SecretVersion {
    SecretVersion::new(number).unwrap()
}

fn put(keys: &Keyring, number: u32, state: VersionState) {
    keys.upsert(KeyEntry {
        name: name(),
        version: version(number),
        value: SecretValue::new(number.to_string()),
        state,
        payer: Payer::Platform,
    });
}

/// Pins version 1, found in `first` state, while `other` happens once at the worst moment.
fn pin_while(first: VersionState, other: impl Fn(&Keyring)) -> Result<u32, SourceState> {
    let keys = Keyring::new(Arc::new(ManualClock::new(START)));
    put(&keys, 1, first);
    let happened = Cell::new(false);
    let pinned = keys.pin_secret_after(&name(), START, || {
        if !happened.replace(true) {
            other(&keys);
            assert_eq!(keys.pins(&name(), version(1)), 0, "drained, as it seems");
        }
    });
    pinned.map(|pinned| pinned.version().get())
}

#[test]
fn a_version_retired_and_drained_behind_our_back_is_not_pinned() {
    let pinned = pin_while(VersionState::Active, |keys| {
        put(keys, 2, VersionState::Active);
        keys.set_state(&name(), version(1), VersionState::Retiring);
    });
    assert_eq!(pinned, Ok(2));
}

#[test]
fn a_retiring_version_superseded_behind_our_back_is_not_pinned() {
    let pinned = pin_while(VersionState::Retiring, |keys| {
        put(keys, 2, VersionState::Active);
    });
    assert_eq!(pinned, Ok(2));
}

#[test]
fn a_version_revoked_behind_our_back_is_not_pinned() {
    let revoked = Err(SourceState::Revoked {
        version: version(1),
    });
    for first in [VersionState::Active, VersionState::Retiring] {
        let pinned = pin_while(first, |keys| {
            keys.set_state(&name(), version(1), VersionState::Revoked);
        });
        assert_eq!(pinned, revoked);
        let pinned = pin_while(first, |keys| keys.remove(&name(), version(1)));
        assert_eq!(pinned, Err(SourceState::Absent));
    }
}

#[test]
fn a_version_forgotten_before_its_successor_came_is_not_pinned() {
    let pinned = pin_while(VersionState::Active, |keys| {
        keys.remove(&name(), version(1));
        put(keys, 2, VersionState::Active);
    });
    assert_eq!(pinned, Ok(2));
}
