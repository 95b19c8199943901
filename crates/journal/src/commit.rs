//! The commit thread: one flush for all that wait.

use std::{sync::Arc, time::Duration};

use parking_lot::MutexGuard;

use crate::{
    JournalError,
    error::again,
    state::{Life, Shared, State},
};

/// When so many wait, others are close behind, and one flush costs as much for few as for many.
const GATHERED_MIN: usize = 3;
/// With so many a flush is well used.
const GATHERED_MAX: usize = 48;
/// How long to wait for the next ones, as long as some come.
const GATHER_STEP: Duration = Duration::from_micros(50);
/// How often.
const GATHER_STEPS: u32 = 5;

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

        gather(shared, &mut state);
        if let Err(error) = shared.hand_over(&mut state) {
            // No space where space was prepared. They are not forgotten: the next write, or whoever
            // asks again, brings them along.
            let waiters = std::mem::take(&mut state.waiters);
            if let JournalError::Full(error) = &error {
                waiters.refuse(|| JournalError::Full(again(error)));
            } else {
                waiters.refuse(|| JournalError::Closed);
            }
            state.wanted = state.durable;
            shared.settled.notify_all();
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
                let settled = state.settle(end);
                MutexGuard::unlocked(&mut state, || settled.tell());
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
    if state.life == Life::Closing && state.failure.is_none() {
        give_back_unused(&mut state);
    }
    state.life = Life::Ended;
    let waiters = std::mem::take(&mut state.waiters);
    waiters.refuse(|| JournalError::Closed);
    shared.settled.notify_all();
}

/// Lets those come who are close behind the ones that wait already.
fn gather(shared: &Shared, state: &mut MutexGuard<'_, State>) {
    state.gathering = true;
    for _ in 0..GATHER_STEPS {
        let before = state.waiters.len();
        if !(GATHERED_MIN..GATHERED_MAX).contains(&before) || state.life != Life::Open {
            break;
        }
        shared.work.wait_for(state, GATHER_STEP);
        if state.waiters.len() == before {
            break;
        }
    }
    state.gathering = false;
}

/// Cuts off what was prepared for records that will not come.
fn give_back_unused(state: &mut State) {
    if state.prepared_bytes > state.file_bytes {
        let cut = state.file.truncate(state.file_bytes);
        if let Err(error) = cut.and_then(|()| state.file.sync_data()) {
            tracing::debug!(%error, "what was prepared of the last segment stays");
        }
    }
}
