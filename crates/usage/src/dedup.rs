//! Which facts were taken: the index that tells a repeat from something new.

use std::{collections::HashMap, num::NonZeroU64};

use diamond_domain::EventId;
use jiff::{SignedDuration, Timestamp};

use crate::{UserCode, progress::Progress, stored::microseconds};

/// Below this many facts a rebuild does not look for what can be forgotten.
const SWEPT_MIN: usize = 4_096;

/// What is kept of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Hash of its content without the user.
    pub content: u64,
    pub user: UserCode,
    pub provider_call: u128,
    /// The later of its own time and the time at which it was taken, in microseconds.
    pub latest_us: i64,
    /// Its sequence if it was told to us and names the provider's call: the gateway's own event
    /// of that call displaces it.
    pub report: Option<NonZeroU64>,
}

/// Where a report stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReportPlace {
    pub event: EventId,
    pub sequence: u64,
    pub user: UserCode,
}

/// What the index knows of an event that is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// Nothing.
    New,
    /// Nothing, and it is so old that this means nothing.
    TooOld,
    /// An event of this id.
    Same(Taken),
    /// A report of another id with the same provider's request id.
    Reported(ReportPlace),
    /// The gateway's event of another id with the same provider's request id.
    SameCall,
}

/// Facts of the last days, in memory. About a hundred bytes each.
#[derive(Debug)]
pub(crate) struct DedupIndex {
    window_us: i64,
    events: HashMap<EventId, Taken>,
    provider_calls: HashMap<u128, EventId>,
    /// A clock that is set forward by mistake and back must not make us forget.
    progress: Progress,
    /// All that was forgotten is older; never goes back, whatever the clock does.
    forgotten_before_us: i64,
    /// When it is worth looking for what can be forgotten.
    sweep_at_us: i64,
    /// The same in a rebuild, by how many facts there are.
    sweep_at_count: usize,
}

impl DedupIndex {
    pub(crate) fn new(window: SignedDuration) -> Self {
        let window_us = i64::try_from(window.as_micros()).unwrap_or(i64::MAX);
        Self {
            window_us,
            events: HashMap::new(),
            provider_calls: HashMap::new(),
            // Small beside the window, and longer than a night.
            progress: Progress::new(window_us / 8),
            forgotten_before_us: i64::MIN,
            sweep_at_us: i64::MIN,
            sweep_at_count: SWEPT_MIN,
        }
    }

    /// What is known of an event.
    pub(crate) fn look_up(
        &self,
        event: EventId,
        provider_call: u128,
        timestamp: Timestamp,
        now: Timestamp,
    ) -> Known {
        if let Some(taken) = self.events.get(&event) {
            return Known::Same(*taken);
        }
        if self.provider_calls.contains_key(&provider_call) {
            let reported = self.reported(provider_call);
            return reported.map_or(Known::SameCall, Known::Reported);
        }
        let now_us = microseconds(now);
        let now_us = now_us.min(self.progress.reached(now_us));
        let oldest = now_us.saturating_sub(self.window_us);
        if microseconds(timestamp) < oldest.max(self.forgotten_before_us) {
            Known::TooOld
        } else {
            Known::New
        }
    }

    pub(crate) fn contains(&self, event: EventId) -> bool {
        self.events.contains_key(&event)
    }

    /// The report by which a provider's call is known, if that is how.
    pub(crate) fn reported(&self, provider_call: u128) -> Option<ReportPlace> {
        let event = *self.provider_calls.get(&provider_call)?;
        let taken = self.events.get(&event)?;
        let (sequence, user) = (taken.report?.get(), taken.user);
        Some(ReportPlace {
            event,
            sequence,
            user,
        })
    }

    /// Takes a fact in. The provider's call is its from now on; whose it was before.
    pub(crate) fn insert(&mut self, event: EventId, taken: Taken) -> Option<EventId> {
        self.events.insert(event, taken);
        match taken.provider_call {
            0 => None,
            call => self.provider_calls.insert(call, event),
        }
    }

    /// Undoes an insertion whose record could not be written; `before` is what it answered.
    pub(crate) fn remove(&mut self, event: EventId, before: Option<EventId>) {
        if let Some(taken) = self.events.remove(&event) {
            match before {
                Some(before) => self.provider_calls.insert(taken.provider_call, before),
                None => self.provider_calls.remove(&taken.provider_call),
            };
        }
    }

    /// Forgets what is older than the window, once in a while.
    pub(crate) fn forget(&mut self, now: Timestamp) {
        let reached_us = self.progress.follow(microseconds(now));
        if reached_us < self.sweep_at_us {
            return;
        }
        self.sweep(reached_us);
        // A sweep looks at everything, so not more often than some forty times in a window.
        self.sweep_at_us = reached_us.saturating_add(self.window_us / 40);
    }

    /// The same in a rebuild, which goes through time in no time.
    pub(crate) fn forget_rebuilding(&mut self, then_us: i64) {
        let reached_us = self.progress.follow(then_us);
        if self.events.len() >= self.sweep_at_count {
            self.sweep(reached_us);
            self.sweep_at_count = (self.events.len() * 2).max(SWEPT_MIN);
        }
    }

    fn sweep(&mut self, reached_us: i64) {
        let oldest = reached_us.saturating_sub(self.window_us);
        let calls = &mut self.provider_calls;
        let mut forgotten_before_us = self.forgotten_before_us;
        self.events.retain(|event, taken| {
            let kept = taken.latest_us >= oldest;
            if !kept {
                forgotten_before_us = forgotten_before_us.max(taken.latest_us.saturating_add(1));
                // Of two events of one call the later one holds it.
                if calls.get(&taken.provider_call) == Some(event) {
                    calls.remove(&taken.provider_call);
                }
            }
            kept
        });
        self.forgotten_before_us = forgotten_before_us;
    }
}
