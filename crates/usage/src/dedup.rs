//! Which facts were taken: the index that tells a repeat from something new.

use std::{collections::HashMap, num::NonZeroU64};

use diamond_domain::EventId;
use jiff::{SignedDuration, Timestamp};

use crate::{UserCode, stored::microseconds};

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
    window: SignedDuration,
    events: HashMap<EventId, Taken>,
    provider_calls: HashMap<u128, EventId>,
    /// What is older may have been forgotten; never goes back, whatever the clock does.
    forgotten_before_us: i64,
    /// When it is worth looking for what can be forgotten.
    sweep_at_us: i64,
}

impl DedupIndex {
    pub(crate) fn new(window: SignedDuration, now: Timestamp) -> Self {
        let mut index = Self {
            window,
            events: HashMap::new(),
            provider_calls: HashMap::new(),
            forgotten_before_us: i64::MIN,
            sweep_at_us: i64::MIN,
        };
        index.forget(now);
        index
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
        let oldest = self.begin_of_window(now).max(self.forgotten_before_us);
        if microseconds(timestamp) < oldest {
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
        // What is already outside of the window (at a rebuild) would only be swept again.
        if taken.latest_us < self.forgotten_before_us {
            return None;
        }
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
        let now_us = microseconds(now);
        if now_us < self.sweep_at_us {
            return;
        }
        let oldest = self.begin_of_window(now).max(self.forgotten_before_us);
        let calls = &mut self.provider_calls;
        self.events.retain(|event, taken| {
            let kept = taken.latest_us >= oldest;
            // Of two events of one call the later one holds it.
            if !kept && calls.get(&taken.provider_call) == Some(event) {
                calls.remove(&taken.provider_call);
            }
            kept
        });
        self.forgotten_before_us = oldest;
        // A sweep looks at everything, so not more often than some forty times in a window.
        let pause = i64::try_from(self.window.as_micros() / 40).unwrap_or(i64::MAX);
        self.sweep_at_us = now_us.saturating_add(pause);
    }

    fn begin_of_window(&self, now: Timestamp) -> i64 {
        let window = i64::try_from(self.window.as_micros()).unwrap_or(i64::MAX);
        microseconds(now).saturating_sub(window)
    }
}
