//! Who waits until records are durable.

use std::{
    cell::Cell,
    sync::atomic::{AtomicUsize, Ordering},
};

use tokio::sync::oneshot;

use crate::JournalError;

/// What a waiter is told.
type Answer = Result<Neighbours, JournalError>;

/// Those who wait. To wake one in another thread costs a call to the operating system, so one of
/// each thread is woken, and wakes its neighbours, which costs next to nothing.
#[derive(Default)]
pub(crate) struct Waiters(Vec<Waiter>);

struct Waiter {
    /// Records below this number are wanted durable.
    until: u64,
    thread: usize,
    answer: oneshot::Sender<Answer>,
}

/// Others of the same thread, whose records are durable as well. They are told when this is
/// dropped, wherever that happens: nobody is forgotten because somebody else went away.
#[derive(Default)]
pub(crate) struct Neighbours(Vec<oneshot::Sender<Answer>>);

impl Drop for Neighbours {
    fn drop(&mut self) {
        for neighbour in self.0.drain(..) {
            // A waiter that went away wants no answer.
            let _ = neighbour.send(Ok(Self::default()));
        }
    }
}

impl Waiters {
    /// Somebody of this thread waits for records below this number.
    pub(crate) fn add(&mut self, until: u64) -> oneshot::Receiver<Answer> {
        let (answer, told) = oneshot::channel();
        self.0.push(Waiter {
            until,
            thread: this_thread(),
            answer,
        });
        told
    }

    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes out who waits for nothing beyond this number.
    pub(crate) fn take_until(&mut self, durable: u64) -> Self {
        Self(
            self.0
                .extract_if(.., |waiter| waiter.until <= durable)
                .collect(),
        )
    }

    /// Tells all of them that what they wait for is durable.
    pub(crate) fn tell(mut self) {
        while let Some(first) = self.0.pop() {
            let neighbours = self.0.extract_if(.., |other| other.thread == first.thread);
            let neighbours = neighbours.map(|neighbour| neighbour.answer).collect();
            let _ = first.answer.send(Ok(Neighbours(neighbours)));
        }
    }

    /// Tells all of them that it will not be.
    pub(crate) fn refuse(self, error: impl Fn() -> JournalError) {
        for waiter in self.0 {
            let _ = waiter.answer.send(Err(error()));
        }
    }
}

/// A number that no other thread has.
fn this_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    thread_local! {
        static NUMBER: Cell<usize> = const { Cell::new(0) };
    }
    NUMBER.with(|number| {
        if number.get() == 0 {
            number.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        number.get()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_goes_away_takes_nobody_along() {
        for gone in 0..3 {
            let mut waiters = Waiters::default();
            let mut waiting: Vec<_> = (0..3).map(|_| waiters.add(1)).collect();
            let mut early = waiters.add(2);
            drop(waiting.remove(gone));
            waiters.take_until(1).tell();
            // The one that is told tells the other.
            let mut told = 0;
            for _ in 0..2 {
                waiting.retain_mut(|waiter| match waiter.try_recv() {
                    Ok(answer) => {
                        assert!(answer.is_ok());
                        told += 1;
                        false
                    }
                    Err(_) => true,
                });
            }
            assert_eq!(told, 2);
            assert!(early.try_recv().is_err(), "not durable yet");
            assert_eq!(waiters.len(), 1);
        }
    }
}
