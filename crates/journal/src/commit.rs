//! The commit thread: one flush for all that wait.

use std::sync::Arc;

use parking_lot::MutexGuard;

use crate::{
    JournalError,
    state::{Life, Shared},
};

/// Flushes when somebody wants something durable, until the journal ends. While a flush runs,
/// writers go on; what they write is covered by the next one.
pub(crate) fn run(shared: &Arc<Shared>) {
    let mut state = shared.state.lock();
    loop {
        if state.life == Life::Abandoned {
            break;
        }
        let wanted = match state.life {
            Life::Closing => state.next,
            _ => state.wanted,
        };
        if state.failure.is_some() || wanted <= state.durable {
            if state.life == Life::Closing {
                break;
            }
            shared.work.wait(&mut state);
            continue;
        }

        let file = state.file.clone();
        let (end, bytes) = (state.next, state.file_bytes);
        state.flushing = true;
        let flushed = MutexGuard::unlocked(&mut state, || file.sync_data());
        state.flushing = false;
        match flushed {
            // Undoing a write failed meanwhile: then this flush means nothing either.
            Ok(()) if state.failure.is_some() => {}
            Ok(()) => {
                state.durable_bytes = bytes;
                state.settle(end);
            }
            Err(error) => state.fail(error),
        }
        shared.settled.notify_all();
        if state.failure.is_none()
            && state.file_bytes >= state.roll_at
            && let Err(error) = shared.roll(&mut state)
        {
            tracing::warn!(%error, "no new segment could be begun; going on in the old one");
        }
    }
    state.life = Life::Ended;
    for (_, waiter) in state.waiters.drain(..) {
        let _ = waiter.send(Err(JournalError::Closed));
    }
    shared.settled.notify_all();
}
