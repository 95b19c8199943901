//! A version's life: states in every order, pins that outlive them.

use diamond_domain::{Payer, SecretValue, SecretVersion, VersionState};
use diamond_keyring::KeyEntry;
use proptest::prelude::*;

use crate::{Ring, dedicated, version};

#[test]
fn a_rotation_never_leaves_a_request_without_a_key() {
    // The two steps of a promotion may arrive in either order.
    for new_first in [true, false] {
        let ring = Ring::new();
        ring.put(&dedicated(), 1, VersionState::Active);
        let old = ring.pin().unwrap();
        ring.put(&dedicated(), 2, VersionState::Pending);
        assert_eq!(ring.pinned(), "ai-openai-zaxon/1");
        if new_first {
            ring.keys
                .set_state(&dedicated(), version(2), VersionState::Active);
            assert_eq!(ring.pinned(), "ai-openai-zaxon/2");
            ring.keys
                .set_state(&dedicated(), version(1), VersionState::Retiring);
        } else {
            ring.keys
                .set_state(&dedicated(), version(1), VersionState::Retiring);
            assert_eq!(ring.pinned(), "ai-openai-zaxon/1");
            ring.keys
                .set_state(&dedicated(), version(2), VersionState::Active);
        }
        assert_eq!(ring.pinned(), "ai-openai-zaxon/2");
        assert_eq!(old.value().expose(), "ai-openai-zaxon/1");
        assert_eq!(ring.keys.pins(&dedicated(), version(1)), 1);
    }
}

#[test]
fn revoking_the_newest_does_not_bring_the_one_before_back() {
    let ring = Ring::new();
    ring.put(&dedicated(), 1, VersionState::Retiring);
    ring.put(&dedicated(), 2, VersionState::Active);
    ring.keys
        .set_state(&dedicated(), version(2), VersionState::Revoked);
    assert_eq!(ring.pin().unwrap_err().code(), "key_revoked");
}

#[test]
fn a_revoked_version_takes_no_new_pins_and_keeps_the_old_ones() {
    let ring = Ring::new();
    ring.put(&dedicated(), 1, VersionState::Active);
    let held = ring.pin().unwrap();
    ring.keys
        .set_state(&dedicated(), version(1), VersionState::Revoked);
    assert_eq!(ring.pin().unwrap_err().code(), "key_revoked");
    let again = held.clone();
    assert_eq!(ring.keys.pins(&dedicated(), version(1)), 2);
    drop(held);
    assert_eq!(again.value().expose(), "ai-openai-zaxon/1");
    // A late copy of the row does not revive it.
    ring.put(&dedicated(), 1, VersionState::Active);
    assert_eq!(ring.pin().unwrap_err().code(), "key_revoked");
}

#[test]
fn a_version_seen_again_keeps_its_value_and_its_pins() {
    let ring = Ring::new();
    ring.put(&dedicated(), 1, VersionState::Active);
    let held = ring.pin().unwrap();
    ring.keys.upsert(KeyEntry {
        name: dedicated(),
        version: version(1),
        value: SecretValue::new("something else".into()),
        state: VersionState::Retiring,
        payer: Payer::Tenant,
    });
    assert_eq!(ring.keys.pins(&dedicated(), version(1)), 1);
    assert_eq!(ring.pinned(), "ai-openai-zaxon/1");
    drop(held);
}

#[test]
fn a_removed_version_goes_with_its_last_pin() {
    let ring = Ring::new();
    ring.put(&dedicated(), 1, VersionState::Active);
    let held = ring.pin().unwrap();
    ring.keys.remove(&dedicated(), version(1));
    assert!(ring.pin().is_err());
    assert_eq!(ring.keys.pins(&dedicated(), version(1)), 1);
    drop(held);
    assert_eq!(ring.keys.health(&dedicated(), version(1)), None);
    assert_eq!(ring.pin().unwrap_err().code(), "key_not_configured");
    // Nothing is left; the number can come again (a restore) with its value.
    assert_eq!(format!("{:?}", ring.keys), "Keyring of 0 secrets");
    ring.put(&dedicated(), 1, VersionState::Active);
    assert_eq!(ring.pinned(), "ai-openai-zaxon/1");
}

#[test]
fn nothing_prints_a_key() {
    let ring = Ring::new();
    ring.put(&dedicated(), 1, VersionState::Active);
    let held = ring.pin().unwrap();
    for text in [format!("{held:?}"), format!("{:?}", ring.keys)] {
        assert!(!text.contains("zaxon/1"), "{text}");
    }
}

/// One thing that happens to the versions of a secret.
#[derive(Debug, Clone)]
enum Step {
    Put(u32, VersionState),
    Move(u32, VersionState),
    Pin,
    Unpin(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let state = proptest::sample::select(vec![
        VersionState::Pending,
        VersionState::Active,
        VersionState::Retiring,
        VersionState::Revoked,
    ]);
    prop_oneof![
        (1_u32..4, state.clone()).prop_map(|(number, state)| Step::Put(number, state)),
        (1_u32..4, state).prop_map(|(number, state)| Step::Move(number, state)),
        Just(Step::Pin),
        any::<usize>().prop_map(Step::Unpin),
    ]
}

/// What `pin` should give, from a plain table of states: index 0 is version 1.
fn expected(states: [Option<VersionState>; 3]) -> Option<u32> {
    let numbered = || (1_u32..).zip(states).rev_pairs();
    let active = numbered().find(|(_, state)| *state == VersionState::Active);
    let in_use = numbered().find(|(_, state)| *state != VersionState::Pending);
    active
        .or(in_use.filter(|(_, state)| *state == VersionState::Retiring))
        .map(|(number, _)| number)
}

/// The known versions, newest first.
trait RevPairs {
    fn rev_pairs(self) -> std::vec::IntoIter<(u32, VersionState)>;
}

impl<I: Iterator<Item = (u32, Option<VersionState>)>> RevPairs for I {
    fn rev_pairs(self) -> std::vec::IntoIter<(u32, VersionState)> {
        let mut known: Vec<_> = self.filter_map(|(n, state)| Some((n, state?))).collect();
        known.reverse();
        known.into_iter()
    }
}

proptest! {
    #[test]
    fn any_history_gives_the_version_in_use_and_counts_its_pins(
        steps in proptest::collection::vec(step(), 0..60),
    ) {
        let ring = Ring::new();
        let mut states = [None; 3];
        let mut held: Vec<(u32, diamond_keyring::PinnedKey)> = Vec::new();
        for step in steps {
            match step {
                Step::Put(number, state) => {
                    ring.put(&dedicated(), number, state);
                    let known = &mut states[number as usize - 1];
                    if *known != Some(VersionState::Revoked) {
                        *known = Some(state);
                    }
                }
                Step::Move(number, state) => {
                    ring.keys.set_state(&dedicated(), version(number), state);
                    let known = &mut states[number as usize - 1];
                    if known.is_some_and(|known| known != VersionState::Revoked) {
                        *known = Some(state);
                    }
                }
                Step::Pin => {
                    let pinned = ring.pin().ok();
                    let number = pinned.as_ref().map(|pinned| pinned.version().get());
                    prop_assert_eq!(number, expected(states));
                    held.extend(number.zip(pinned));
                }
                Step::Unpin(n) if !held.is_empty() => {
                    held.swap_remove(n % held.len());
                }
                Step::Unpin(_) => {}
            }
            for number in 1..4 {
                let counted = held.iter().filter(|(of, _)| *of == number).count();
                let version = SecretVersion::new(number).unwrap();
                prop_assert_eq!(ring.keys.pins(&dedicated(), version), counted);
            }
        }
    }
}
