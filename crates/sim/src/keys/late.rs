//! What a change to a key has not reached yet.

use super::{Key, KeyState};
use crate::faults::Lateness;

/// A change that some still do not see.
#[derive(Debug, Clone)]
pub(crate) struct Late {
    uses: u64,
    until: i64,
    lists: u64,
    /// `None` where the key did not exist.
    before: Option<Before>,
}

/// What a key was allowed.
#[derive(Debug, Clone)]
struct Before {
    state: KeyState,
    scopes: Vec<String>,
    expires_at: Option<i64>,
}

impl Late {
    /// The lateness of a change to a key that was like this, or was not.
    pub(super) fn new(lateness: &Lateness, before: Option<&Key>, now: i64) -> Self {
        Self {
            uses: lateness.uses,
            until: now.saturating_add(lateness.seconds),
            lists: lateness.lists,
            before: before.map(|key| Before {
                state: key.state,
                scopes: key.scopes.clone(),
                expires_at: key.expires_at,
            }),
        }
    }

    /// Counts one use; true while uses still meet what was before.
    fn meets_use(&mut self, now: i64) -> bool {
        let late = self.uses > 0 || now < self.until;
        self.uses = self.uses.saturating_sub(1);
        late
    }

    /// Counts one list; true while lists still show what was before.
    fn meets_list(&mut self) -> bool {
        let late = self.lists > 0;
        self.lists = self.lists.saturating_sub(1);
        late
    }
}

impl Key {
    /// The key as one more call meets it.
    pub(super) fn as_used(&mut self, now: i64) -> Self {
        let late = self.late.as_mut().is_some_and(|late| late.meets_use(now));
        self.seen(late).unwrap_or_else(|| Self {
            // Unknown yet: the same answer as to a key that is none.
            state: KeyState::Revoked,
            ..self.clone()
        })
    }

    /// The key as one more list shows it, if at all.
    pub(super) fn as_listed(&mut self) -> Option<Self> {
        let late = self.late.as_mut().is_some_and(Late::meets_list);
        self.seen(late)
    }

    fn seen(&self, late: bool) -> Option<Self> {
        let mut seen = self.clone();
        if let (true, Some(late)) = (late, &self.late) {
            let before = late.before.as_ref()?;
            seen.state = before.state;
            seen.scopes.clone_from(&before.scopes);
            seen.expires_at = before.expires_at;
        }
        Some(seen)
    }
}
