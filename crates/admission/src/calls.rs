//! The calls that are under way on this node, and how they are cut.
//!
//! A call enters when it is about to be forwarded and leaves when it is over. To cut means to set a
//! flag on every call that matches and to wake whoever polls it; the poller ends the call. A call
//! that was admitted before a cut and enters after it is refused at the entrance: it brings the
//! mark that was taken before it was admitted.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use diamond_domain::{SecretKind, SecretName, SecretVersion, ServiceId, TenantId, TokenId};
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;

/// Entering and leaving take a lock; with this many of them two calls seldom meet.
const SHARDS: usize = 64;
/// How many cuts are remembered for calls that were admitted before them.
const CUTS_KEPT: usize = 16_384;

/// What is ended at once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CutTarget {
    /// Everything of a tenant.
    Tenant(TenantId),
    /// Everything done with an access token.
    Token(TokenId),
    /// Everything done with a version of a key.
    Key(SecretName, SecretVersion),
    /// All of it: the process stops.
    Everything,
}

/// Why a call was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum CutReason {
    /// Its tenant was suspended.
    Tenant = 1,
    /// Its access token was revoked.
    Token = 2,
    /// The version of the key that it uses was revoked.
    Key = 3,
    /// The process stops.
    Stopping = 5,
    /// So much was revoked since it was admitted that nobody can tell whether it was meant.
    Overtaken = 4,
}

impl CutReason {
    const fn of(target: &CutTarget) -> Self {
        match target {
            CutTarget::Tenant(_) => Self::Tenant,
            CutTarget::Token(_) => Self::Token,
            CutTarget::Key(..) => Self::Key,
            CutTarget::Everything => Self::Stopping,
        }
    }

    const fn from_state(state: u8) -> Option<Self> {
        match state {
            1 => Some(Self::Tenant),
            2 => Some(Self::Token),
            3 => Some(Self::Key),
            4 => Some(Self::Overtaken),
            5 => Some(Self::Stopping),
            _ => None,
        }
    }
}

/// States of a call besides the reasons for which it was cut.
const RUNNING: u8 = 0;
const OVER: u8 = u8::MAX;

/// Whose call it is and what it uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallSubject {
    /// Whose.
    pub tenant: TenantId,
    /// With which access token.
    pub token: TokenId,
    /// At which service.
    pub service: ServiceId,
    /// Which of the tenant's keys for it.
    pub kind: SecretKind,
    /// Which version of it.
    pub version: SecretVersion,
}

impl CallSubject {
    fn is_of(&self, target: &CutTarget) -> bool {
        match target {
            CutTarget::Tenant(tenant) => self.tenant == *tenant,
            CutTarget::Token(token) => self.token == *token,
            CutTarget::Key(name, version) => {
                self.version == *version
                    && self.kind == name.kind()
                    && self.service == *name.service()
                    && Some(&self.tenant) == name.tenant()
            }
            CutTarget::Everything => true,
        }
    }
}

/// A point in the order of cuts: taken before a request is authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallMark(u64);

/// All calls under way on this node.
pub struct RunningCalls {
    shards: [Mutex<Vec<Arc<Entry>>>; SHARDS],
    next_shard: AtomicUsize,
    /// How many cuts there were.
    cuts: AtomicU64,
    recent: Mutex<VecDeque<(u64, CutTarget)>>,
}

struct Entry {
    subject: CallSubject,
    state: AtomicU8,
    waker: AtomicWaker,
    shard: usize,
    /// Where it stands in its shard; read and changed only under the shard's lock.
    place: AtomicUsize,
}

impl RunningCalls {
    /// No call runs yet.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            next_shard: AtomicUsize::new(0),
            cuts: AtomicU64::new(0),
            recent: Mutex::default(),
        }
    }

    /// Where the order of cuts stands. A call that is admitted after this and enters with it is
    /// sure to notice every cut that its admission could not know of.
    #[must_use]
    pub fn mark(&self) -> CallMark {
        CallMark(self.cuts.load(Ordering::SeqCst))
    }

    /// Takes a call in that was admitted after `since`.
    ///
    /// # Errors
    /// Why it must not be made: it was cut between its admission and now.
    pub fn enter(
        self: &Arc<Self>,
        since: CallMark,
        subject: CallSubject,
    ) -> Result<RunningCall, CutReason> {
        let shard = self.next_shard.fetch_add(1, Ordering::Relaxed) % SHARDS;
        let entry = Arc::new(Entry {
            subject,
            state: AtomicU8::new(RUNNING),
            waker: AtomicWaker::new(),
            shard,
            place: AtomicUsize::new(0),
        });
        {
            let mut running = self.shards[shard].lock();
            entry.place.store(running.len(), Ordering::Relaxed);
            running.push(Arc::clone(&entry));
        }
        let call = RunningCall {
            calls: Arc::clone(self),
            entry,
        };
        // A cut counts up before it walks the shards: either it found the entry, or this sees it.
        if self.mark() != since
            && let Some(reason) = self.missed(since, &call.entry.subject)
        {
            return Err(reason);
        }
        match call.is_cut() {
            Some(reason) => Err(reason),
            None => Ok(call),
        }
    }

    /// Ends every call of the target, as far as it is not over; how many those are. Whoever cuts
    /// has seen to it before that no new call of the target is admitted.
    pub fn cut(&self, target: &CutTarget) -> u64 {
        {
            let mut recent = self.recent.lock();
            let number = self.cuts.fetch_add(1, Ordering::SeqCst) + 1;
            recent.push_back((number, target.clone()));
            if recent.len() > CUTS_KEPT {
                recent.pop_front();
            }
        }
        let reason = CutReason::of(target);
        let mut found = 0;
        for shard in &self.shards {
            let matching: Vec<Arc<Entry>> = shard
                .lock()
                .iter()
                .filter(|entry| entry.subject.is_of(target))
                .cloned()
                .collect();
            found += matching.iter().filter(|entry| entry.cut(reason)).count();
        }
        u64::try_from(found).unwrap_or(u64::MAX)
    }

    /// How many calls are under way.
    #[must_use]
    pub fn count(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    fn missed(&self, since: CallMark, subject: &CallSubject) -> Option<CutReason> {
        let recent = self.recent.lock();
        let oldest = recent.front().map_or(u64::MAX, |(number, _)| *number);
        if since.0 + 1 < oldest {
            return Some(CutReason::Overtaken);
        }
        let mut later = recent.iter().rev();
        let hit = later
            .by_ref()
            .take_while(|(number, _)| *number > since.0)
            .find(|(_, target)| subject.is_of(target));
        hit.map(|(_, target)| CutReason::of(target))
    }
}

impl fmt::Debug for RunningCalls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} running calls", self.count())
    }
}

impl Entry {
    /// Whether this is who cut it.
    fn cut(&self, reason: CutReason) -> bool {
        let swapped =
            self.state
                .compare_exchange(RUNNING, reason as u8, Ordering::SeqCst, Ordering::SeqCst);
        if swapped.is_ok() {
            self.waker.wake();
        }
        swapped.is_ok()
    }
}

/// A call under way; it leaves when this is dropped.
pub struct RunningCall {
    calls: Arc<RunningCalls>,
    entry: Arc<Entry>,
}

impl RunningCall {
    /// Why it was cut, once it was. Costs one read of memory.
    #[must_use]
    pub fn is_cut(&self) -> Option<CutReason> {
        CutReason::from_state(self.entry.state.load(Ordering::SeqCst))
    }

    /// Resolves when it is cut. One task at a time may wait.
    pub fn poll_cut(&self, context: &mut Context<'_>) -> Poll<CutReason> {
        if let Some(reason) = self.is_cut() {
            return Poll::Ready(reason);
        }
        self.entry.waker.register(context.waker());
        // A cut between the look and the registration woke nobody.
        self.is_cut().map_or(Poll::Pending, Poll::Ready)
    }

    /// Says that it is over: a cut from here on does not count it.
    pub fn over(&self) {
        let _ =
            self.entry
                .state
                .compare_exchange(RUNNING, OVER, Ordering::SeqCst, Ordering::SeqCst);
    }
}

impl Drop for RunningCall {
    fn drop(&mut self) {
        let mut running = self.calls.shards[self.entry.shard].lock();
        let place = self.entry.place.load(Ordering::Relaxed);
        running.swap_remove(place);
        if let Some(moved) = running.get(place) {
            moved.place.store(place, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for RunningCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RunningCall")
            .field(&self.entry.subject)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(tenant: &str, token: u128, version: u32) -> CallSubject {
        CallSubject {
            tenant: tenant.parse().unwrap(),
            token: TokenId::from_bits(token),
            service: "openai".parse().unwrap(),
            kind: SecretKind::Dedicated,
            version: SecretVersion::new(version).unwrap(),
        }
    }

    fn key(name: &str, version: u32) -> CutTarget {
        CutTarget::Key(name.parse().unwrap(), SecretVersion::new(version).unwrap())
    }

    #[test]
    fn a_cut_hits_its_target_and_nothing_else() {
        let calls = Arc::new(RunningCalls::new());
        let enter = |subject| calls.enter(calls.mark(), subject).unwrap();
        let first = enter(subject("zaxon", 1, 1));
        let second = enter(subject("zaxon", 2, 2));
        let other = enter(subject("coaching", 3, 1));
        assert_eq!(calls.cut(&key("ai-openai-zaxon-customer", 1)), 0);
        assert_eq!(calls.cut(&key("ai-openai-zaxon", 1)), 1);
        assert_eq!(first.is_cut(), Some(CutReason::Key));
        assert_eq!(second.is_cut(), None);
        // Whoever was cut is not cut again, and whoever is over not at all.
        assert_eq!(calls.cut(&key("ai-openai-zaxon", 1)), 0);
        second.over();
        assert_eq!(calls.cut(&CutTarget::Tenant("zaxon".parse().unwrap())), 0);
        assert_eq!(calls.cut(&CutTarget::Token(TokenId::from_bits(3))), 1);
        assert_eq!(other.is_cut(), Some(CutReason::Token));
        drop((first, other, second));
        assert_eq!(calls.count(), 0);
    }

    #[test]
    fn a_call_that_was_admitted_before_the_cut_does_not_enter_after_it() {
        let calls = Arc::new(RunningCalls::new());
        let before = calls.mark();
        calls.cut(&CutTarget::Token(TokenId::from_bits(1)));
        let late = calls.enter(before, subject("zaxon", 1, 1));
        assert_eq!(late.unwrap_err(), CutReason::Token);
        assert!(calls.enter(before, subject("zaxon", 2, 1)).is_ok());
        assert!(calls.enter(calls.mark(), subject("zaxon", 1, 1)).is_ok());
        assert_eq!(calls.count(), 0);
    }

    #[test]
    fn more_cuts_than_are_remembered_let_nobody_slip_by() {
        let calls = Arc::new(RunningCalls::new());
        let before = calls.mark();
        calls.cut(&CutTarget::Token(TokenId::from_bits(1)));
        for token in 0..u128::try_from(CUTS_KEPT).unwrap() {
            calls.cut(&CutTarget::Token(TokenId::from_bits(token + 10)));
        }
        let late = calls.enter(before, subject("zaxon", 1, 1));
        assert_eq!(late.unwrap_err(), CutReason::Overtaken);
    }

    /// Many calls enter while their token is revoked and cut: each one is either cut or was never
    /// let in, and the count is of those that were cut.
    #[test]
    fn nobody_slips_between_admission_and_entry() {
        use std::sync::atomic::AtomicBool;

        for _ in 0..200 {
            let calls = Arc::new(RunningCalls::new());
            let revoked = Arc::new(AtomicBool::new(false));
            let workers: Vec<_> = (0..4)
                .map(|_| {
                    let (calls, revoked) = (Arc::clone(&calls), Arc::clone(&revoked));
                    std::thread::spawn(move || {
                        let mut entered = Vec::new();
                        for _ in 0..50 {
                            let mark = calls.mark();
                            if revoked.load(Ordering::SeqCst) {
                                break;
                            }
                            if let Ok(call) = calls.enter(mark, subject("zaxon", 1, 1)) {
                                entered.push(call);
                            }
                        }
                        entered
                    })
                })
                .collect();
            revoked.store(true, Ordering::SeqCst);
            let cut = calls.cut(&CutTarget::Token(TokenId::from_bits(1)));
            let entered: Vec<_> = workers
                .into_iter()
                .flat_map(|worker| worker.join().unwrap())
                .collect();
            assert!(entered.iter().all(|call| call.is_cut().is_some()));
            assert!(u64::try_from(entered.len()).unwrap() <= cut);
        }
    }
}
