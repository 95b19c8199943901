//! Waiting for the last user of a version. The futures are polled by hand, so that every
//! interleaving is the one that is written down.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use diamond_domain::VersionState;

use crate::{Ring, dedicated, version};

/// Counts how often it was woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn poll(future: &mut Pin<Box<impl Future<Output = ()>>>, woken: &Arc<Woken>) -> bool {
    let waker = Waker::from(Arc::clone(woken));
    let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
    matches!(polled, Poll::Ready(()))
}

#[test]
fn a_version_nobody_holds_is_drained_at_once() {
    let ring = Ring::new();
    ring.put(&dedicated(), 1, VersionState::Retiring);
    for number in [1, 2] {
        let (name, number) = (dedicated(), version(number));
        let mut drained = Box::pin(ring.keys.drained(&name, number));
        assert!(poll(&mut drained, &Arc::default()));
    }
}

#[test]
fn the_last_pin_wakes_whoever_waits_and_no_other_does() {
    let ring = Ring::new();
    ring.put(&dedicated(), 1, VersionState::Active);
    let first = ring.pin().unwrap();
    let second = first.clone();
    ring.put(&dedicated(), 2, VersionState::Active);
    ring.keys
        .set_state(&dedicated(), version(1), VersionState::Retiring);
    let on_the_new = ring.pin().unwrap();
    let name = dedicated();
    let mut waiters: Vec<_> = (0..2)
        .map(|_| {
            let drained = Box::pin(ring.keys.drained(&name, version(1)));
            (drained, Arc::<Woken>::default())
        })
        .collect();
    for (drained, woken) in &mut waiters {
        assert!(!poll(drained, woken));
    }
    drop(first);
    drop(on_the_new);
    for (_, woken) in &waiters {
        assert_eq!(woken.0.load(Ordering::SeqCst), 0);
    }
    drop(second);
    for (drained, woken) in &mut waiters {
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
        assert!(poll(drained, woken));
    }
}

#[test]
fn a_pin_dropped_before_the_first_poll_is_not_missed() {
    let ring = Ring::new();
    ring.put(&dedicated(), 1, VersionState::Active);
    let held = ring.pin().unwrap();
    let name = dedicated();
    let mut drained = Box::pin(ring.keys.drained(&name, version(1)));
    drop(held);
    assert!(poll(&mut drained, &Arc::default()));
}

#[test]
fn a_removed_version_is_drained_when_its_last_pin_goes() {
    let ring = Ring::new();
    ring.put(&dedicated(), 1, VersionState::Active);
    let held = ring.pin().unwrap();
    ring.keys.remove(&dedicated(), version(1));
    let name = dedicated();
    let mut drained = Box::pin(ring.keys.drained(&name, version(1)));
    let woken = Arc::default();
    assert!(!poll(&mut drained, &woken));
    drop(held);
    assert!(poll(&mut drained, &woken));
}

#[test]
fn a_pin_outlives_its_keyring() {
    let ring = Ring::new();
    ring.put(&dedicated(), 1, VersionState::Active);
    let held = ring.pin().unwrap();
    drop(ring);
    assert_eq!(held.value().expose(), "ai-openai-zaxon/1");
}
