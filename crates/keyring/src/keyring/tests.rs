//! The interleavings that a thread test would meet once in a year: what another thread does stands
//! between the look at a version and the pin on it.

use std::cell::Cell;

use diamond_domain::ManualClock;

use super::*;

const START: Timestamp = Timestamp::constant(1, 0);

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

/// Version 1 was in use and retired behind version 2, which is pinned.
fn rotated(clock: &Arc<ManualClock>) -> (Keyring, PinnedKey) {
    let keys = Keyring::new(Arc::<ManualClock>::clone(clock));
    put(&keys, 1, VersionState::Active);
    put(&keys, 2, VersionState::Active);
    keys.set_state(&name(), version(1), VersionState::Retiring);
    let new = keys.pin_secret(&name(), START).unwrap();
    assert_eq!(new.version(), version(2));
    (keys, new)
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn while_a_new_key_is_young_the_one_before_it_serves() {
    let clock = Arc::new(ManualClock::new(START));
    let (keys, new) = rotated(&clock);
    let former = keys.fall_back(&new, MINUTE).unwrap();
    assert_eq!(former.version(), version(1));
    assert!(
        keys.fall_back(&former, MINUTE).is_none(),
        "nothing is before it"
    );
    assert_eq!(keys.pins(&name(), version(1)), 1, "a drain waits for it");
    clock.advance(SignedDuration::from_secs(60));
    assert!(keys.fall_back(&new, MINUTE).is_none());
}

#[test]
fn nobody_falls_back_to_what_was_let_go_of() {
    let clock = Arc::new(ManualClock::new(START));
    let (keys, new) = rotated(&clock);
    keys.shut(&name(), version(1));
    assert!(keys.fall_back(&new, MINUTE).is_none());
    // Not even when the new one goes: that is for a person to decide.
    keys.remove(&name(), version(2));
    let found = keys.pin_secret(&name(), START).map(|key| key.version());
    assert_eq!(
        found,
        Err(SourceState::Revoked {
            version: version(2)
        })
    );
}

#[test]
fn nobody_falls_back_to_a_key_that_is_refused_itself() {
    let clock = Arc::new(ManualClock::new(START));
    let (keys, new) = rotated(&clock);
    assert!(keys.report(&name(), version(1), KeyHealth::Invalid));
    assert!(
        !keys.report(&name(), version(1), KeyHealth::Invalid),
        "told once"
    );
    assert!(keys.fall_back(&new, MINUTE).is_none());
}

#[test]
fn only_what_a_newer_key_stands_before_is_retiring() {
    let clock = Arc::new(ManualClock::new(START));
    let keys = Keyring::new(clock);
    put(&keys, 1, VersionState::Retiring);
    assert_eq!(
        keys.retiring(),
        [],
        "it serves as long as the newer one is not here"
    );
    put(&keys, 2, VersionState::Active);
    let [retiring] = &keys.retiring()[..] else {
        panic!("one retires")
    };
    assert_eq!((retiring.version, retiring.retired_at), (version(1), None));
    keys.set_state(&name(), version(1), VersionState::Revoked);
    assert_eq!(keys.retiring(), []);
}

#[test]
fn the_latest_lease_stands() {
    let clock = Arc::new(ManualClock::new(START));
    let (keys, new) = rotated(&clock);
    let leased = || keys.leased_until(&name(), version(2), MINUTE);
    assert_eq!(leased(), None);
    let at = |second| Timestamp::from_second(second).unwrap();
    for second in [30, 90, 60] {
        new.lease(at(second));
    }
    assert_eq!(leased(), Some(at(90)));
}
