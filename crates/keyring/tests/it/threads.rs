//! Requests and rotations at once.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use diamond_domain::VersionState;

use crate::{Ring, dedicated, version};

/// Rotations under load, as the app runs them: put the new version, retire the old one, wait until
/// it is drained, revoke it at the provider. No request may fail, and none may be using a key that
/// has been revoked at the provider.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_and_none_uses_a_key_after_its_drain() {
    const ROTATIONS: u32 = 300;
    let ring = Ring::new();
    ring.put(&dedicated(), 1, VersionState::Active);
    let stop = AtomicBool::new(false);
    // Versions up to this number are dead at the provider.
    let dead = AtomicU32::new(0);
    let used = AtomicU32::new(0);
    let handle = tokio::runtime::Handle::current();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    let pinned = ring.pin().unwrap();
                    let copy = pinned.clone();
                    drop(pinned);
                    std::hint::spin_loop();
                    let number = copy.version().get();
                    assert!(
                        number > dead.load(Ordering::SeqCst),
                        "version {number} is dead"
                    );
                    drop(copy);
                    used.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        scope.spawn(|| {
            for old in 1..=ROTATIONS {
                let name = dedicated();
                let retire = || {
                    ring.keys
                        .set_state(&name, version(old), VersionState::Retiring);
                };
                // In either order, as the feed may bring them.
                if old % 2 == 0 {
                    retire();
                }
                ring.put(&name, old + 1, VersionState::Active);
                if old % 2 == 1 {
                    retire();
                }
                handle.block_on(ring.keys.drained(&name, version(old)));
                dead.store(old, Ordering::SeqCst);
                ring.keys
                    .set_state(&name, version(old), VersionState::Revoked);
                ring.keys.remove(&name, version(old));
            }
            stop.store(true, Ordering::SeqCst);
        });
    });
    for number in 1..=ROTATIONS + 1 {
        assert_eq!(ring.keys.pins(&dedicated(), version(number)), 0);
    }
    assert_eq!(ring.pinned(), format!("ai-openai-zaxon/{}", ROTATIONS + 1));
}

#[test]
fn pins_of_many_threads_come_back_to_nothing() {
    let ring = Ring::new();
    ring.put(&dedicated(), 1, VersionState::Active);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..2_000 {
                    let held: Vec<_> = (0..3).map(|_| ring.pin().unwrap()).collect();
                    assert!(ring.keys.pins(&dedicated(), version(1)) >= held.len());
                }
            });
        }
    });
    assert_eq!(ring.keys.pins(&dedicated(), version(1)), 0);
}
