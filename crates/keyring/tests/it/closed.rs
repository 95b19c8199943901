//! Values that are opened when they are first used.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use diamond_domain::{
    KeyHealth, Payer, SecretName, SecretValue, SecretVersion,
    VersionState::{self, Active, Retiring, Revoked},
};
use diamond_keyring::{ClosedEntry, ClosedValue, NoKey};

use crate::{Ring, dedicated, version};

/// Counts how often it is opened; opens to nothing when it is damaged.
struct Closed {
    opened: Arc<AtomicU32>,
    damaged: bool,
}

impl ClosedValue for Closed {
    fn open(&self, name: &SecretName, version: SecretVersion) -> Option<SecretValue> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        (!self.damaged).then(|| SecretValue::new(format!("{name}/{version}")))
    }
}

fn entry(number: u32, state: VersionState, opened: &Arc<AtomicU32>, damaged: bool) -> ClosedEntry {
    ClosedEntry {
        name: dedicated(),
        version: version(number),
        value: Box::new(Closed {
            opened: Arc::clone(opened),
            damaged,
        }),
        state,
        payer: Payer::Platform,
    }
}

#[test]
fn a_value_is_opened_once_and_only_when_it_is_used() {
    let ring = Ring::new();
    let (old, new) = (Arc::default(), Arc::default());
    ring.keys.fill(vec![
        entry(1, Retiring, &old, false),
        entry(2, Active, &new, false),
    ]);
    assert_eq!(new.load(Ordering::Relaxed), 0);
    for _ in 0..3 {
        assert_eq!(ring.pinned(), "ai-openai-zaxon/2");
    }
    assert_eq!(new.load(Ordering::Relaxed), 1);
    assert_eq!(old.load(Ordering::Relaxed), 0);
}

#[test]
fn a_damaged_value_takes_its_place_as_a_key_that_does_not_work() {
    let ring = Ring::new();
    let (old, new) = (Arc::default(), Arc::default());
    ring.keys.fill(vec![
        entry(1, Retiring, &old, false),
        entry(2, Active, &new, true),
    ]);
    for _ in 0..2 {
        let refused = ring.pin().unwrap_err();
        assert!(matches!(refused, NoKey::Invalid { .. }), "{refused:?}");
    }
    assert_eq!(new.load(Ordering::Relaxed), 1, "told once");
    assert_eq!(old.load(Ordering::Relaxed), 0);
    assert_eq!(ring.keys.pins(&dedicated(), version(2)), 0);
}

#[test]
fn damage_is_found_before_somebody_needs_the_key() {
    let ring = Ring::new();
    let (old, new) = (Arc::default(), Arc::default());
    ring.keys.fill(vec![
        entry(1, Retiring, &old, true),
        entry(2, Active, &new, false),
    ]);
    assert_eq!(ring.pinned(), "ai-openai-zaxon/2");
    assert_eq!(ring.keys.count_damaged(), 1);
    assert_eq!(
        ring.keys.health(&dedicated(), version(1)),
        Some(KeyHealth::Invalid)
    );
    assert_eq!(
        new.load(Ordering::Relaxed),
        1,
        "one in use is known to open"
    );
}

#[test]
fn filling_again_keeps_what_is_there() {
    let ring = Ring::new();
    ring.put(&dedicated(), 1, Active);
    let pin = ring.pin().unwrap();
    let opened = Arc::default();
    ring.keys.fill(vec![
        entry(1, Active, &opened, true),
        entry(2, Revoked, &opened, true),
    ]);
    assert_eq!(ring.keys.pins(&dedicated(), version(1)), 1);
    assert_eq!(ring.pinned(), "ai-openai-zaxon/1");
    assert_eq!(opened.load(Ordering::Relaxed), 0);
    drop(pin);
}
