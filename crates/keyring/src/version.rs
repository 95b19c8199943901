//! One version of one key, with its state and its pins in a single word.

use std::{
    fmt,
    sync::{
        OnceLock,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use diamond_domain::{KeyHealth, Payer, SecretName, SecretValue, SecretVersion, VersionState};
use jiff::Timestamp;
use parking_lot::RwLock;
use tokio::sync::Notify;

use crate::health;

/// State, mark of removal, and number of pins.
///
/// They share one atomic word because a pin must be taken under the condition that the state allows
/// it: with two words a version could be retired and found without pins between a request's look
/// at the state and its pin, and be revoked at the provider under that request.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Control(u64);

impl Control {
    const PINS: u64 = (1 << 48) - 1;
    const REMOVED: u64 = 1 << 48;
    /// No new pins, whatever the state.
    const SHUT: u64 = 1 << 49;
    const STATE_SHIFT: u32 = 56;

    const fn new(state: VersionState) -> Self {
        Self((state as u64) << Self::STATE_SHIFT)
    }

    const fn state(self) -> VersionState {
        match self.0 >> Self::STATE_SHIFT {
            0 => VersionState::Pending,
            1 => VersionState::Active,
            2 => VersionState::Retiring,
            _ => VersionState::Revoked,
        }
    }

    const fn with_state(self, state: VersionState) -> Self {
        Self(self.0 & (Self::PINS | Self::REMOVED | Self::SHUT) | Self::new(state).0)
    }

    const fn pins(self) -> u64 {
        self.0 & Self::PINS
    }

    const fn removed(self) -> bool {
        self.0 & Self::REMOVED != 0
    }

    const fn shut(self) -> bool {
        self.0 & Self::SHUT != 0
    }
}

/// A value that is not opened before it is needed. Opening waits for nobody.
pub trait ClosedValue: Send + Sync {
    /// The value of this version; `None` when it does not open, which whoever answers this has
    /// then told to whom it concerns.
    fn open(&self, name: &SecretName, version: SecretVersion) -> Option<SecretValue>;
}

/// A version: its number, value and payer never change.
///
/// Most versions are never used between two starts, and there are many: what only one in use needs
/// is made when it is.
pub(crate) struct Version {
    pub(crate) name: SecretName,
    pub(crate) version: SecretVersion,
    pub(crate) payer: Payer,
    control: AtomicU64,
    closed: Option<Box<dyn ClosedValue>>,
    used: OnceLock<Box<Used>>,
}

#[derive(Default)]
struct Used {
    /// Blank once it is known not to open.
    value: OnceLock<SecretValue>,
    health: RwLock<KeyHealth>,
    unpinned: Notify,
    /// When the last lease ends, in microseconds; 0 for none.
    leased_until: AtomicI64,
    /// When it was pinned last, in microseconds and not to the second; 0 for never.
    used_at: AtomicI64,
    /// When this process saw it retire, in microseconds; 0 when it did not.
    retired_at: AtomicI64,
}

impl Version {
    pub(crate) fn new(
        name: SecretName,
        version: SecretVersion,
        value: SecretValue,
        state: VersionState,
        payer: Payer,
    ) -> Self {
        let used = Used {
            value: value.into(),
            ..Used::default()
        };
        Self {
            name,
            version,
            payer,
            control: AtomicU64::new(Control::new(state).0),
            closed: None,
            used: OnceLock::from(Box::new(used)),
        }
    }

    pub(crate) fn closed(
        name: SecretName,
        version: SecretVersion,
        value: Box<dyn ClosedValue>,
        state: VersionState,
        payer: Payer,
    ) -> Self {
        Self {
            name,
            version,
            payer,
            control: AtomicU64::new(Control::new(state).0),
            closed: Some(value),
            used: OnceLock::new(),
        }
    }

    fn used(&self) -> &Used {
        self.used.get_or_init(Box::default)
    }

    /// The value, opened now if it was not; blank when it does not open.
    pub(crate) fn value(&self) -> &SecretValue {
        let blank = || SecretValue::new(String::new());
        self.used().value.get_or_init(|| {
            let closed = self.closed.as_ref();
            let opened = closed.and_then(|closed| closed.open(&self.name, self.version));
            opened.unwrap_or_else(|| {
                *self.used().health.write() = KeyHealth::Invalid;
                blank()
            })
        })
    }

    /// Sees whether a closed value would open, without keeping it; if not, the key does not work.
    pub(crate) fn try_open(&self) -> bool {
        let opened = self
            .used
            .get()
            .is_some_and(|used| used.value.get().is_some());
        match &self.closed {
            Some(closed) if !opened => {
                closed.open(&self.name, self.version).is_some() || {
                    // Told already, and not to be told again at the first use.
                    *self.used().health.write() = KeyHealth::Invalid;
                    false
                }
            }
            _ => true,
        }
    }

    fn control(&self) -> Control {
        Control(self.control.load(Ordering::SeqCst))
    }

    pub(crate) fn state(&self) -> VersionState {
        self.control().state()
    }

    pub(crate) fn removed(&self) -> bool {
        self.control().removed()
    }

    pub(crate) fn pins(&self) -> u64 {
        self.control().pins()
    }

    /// Whether it came at the start of the process, which then knows nothing of its earlier life.
    pub(crate) fn was_loaded(&self) -> bool {
        self.closed.is_some()
    }

    /// Moves to the state. A revoked version stays revoked: an older copy of its row that arrives
    /// late must not revive it.
    pub(crate) fn set_state(&self, state: VersionState, now: Timestamp) {
        if state == VersionState::Retiring && self.state() == VersionState::Active {
            let retired_at = &self.used().retired_at;
            retired_at.store(now.as_microsecond(), Ordering::SeqCst);
        }
        self.update(|control| match control.state() {
            VersionState::Revoked => control,
            _ => control.with_state(state),
        });
    }

    /// Notes a use, once a second at most: those who use it at once must not wait for each other.
    pub(crate) fn used_now(&self, now: Timestamp) {
        let known = &self.used().used_at;
        let now = now.as_microsecond();
        if now.saturating_sub(known.load(Ordering::Relaxed)) >= 1_000_000 {
            known.store(now, Ordering::Relaxed);
        }
    }

    /// When it was used last, to the second.
    pub(crate) fn last_used_at(&self) -> Option<Timestamp> {
        time(&self.used.get()?.used_at)
    }

    /// When this process saw it retire.
    pub(crate) fn retired_at(&self) -> Option<Timestamp> {
        time(&self.used.get()?.retired_at)
    }

    /// From now on it takes no new pins.
    pub(crate) fn shut(&self) {
        self.update(|control| Control(control.0 | Control::SHUT));
    }

    pub(crate) fn is_shut(&self) -> bool {
        self.control().shut()
    }

    /// Notes a lease; the latest end stands.
    pub(crate) fn lease(&self, until: Timestamp) {
        let known = &self.used().leased_until;
        known.fetch_max(until.as_microsecond(), Ordering::SeqCst);
    }

    /// When the last lease ends that this process gave.
    pub(crate) fn leased_until(&self) -> Option<Timestamp> {
        time(&self.used.get()?.leased_until)
    }

    /// Marks it as removed, which revokes it; whether it had no pins, so that nobody else will
    /// come to forget it.
    pub(crate) fn mark_removed(&self) -> bool {
        let before = self.update(|control| {
            Control(control.with_state(VersionState::Revoked).0 | Control::REMOVED)
        });
        before.pins() == 0
    }

    /// Adds a pin if the state is still the one that was seen.
    pub(crate) fn try_pin(&self, seen: VersionState) -> bool {
        let pinned = self
            .control
            .try_update(Ordering::SeqCst, Ordering::SeqCst, |word| {
                let control = Control(word);
                (control.state() == seen && !control.shut()).then_some(word + 1)
            });
        pinned.is_ok()
    }

    /// Adds a pin beside one that is held, whatever the state.
    pub(crate) fn pin_again(&self) {
        self.control.fetch_add(1, Ordering::SeqCst);
    }

    /// Takes a pin away; whether it was the last one of a removed version.
    pub(crate) fn unpin(&self) -> bool {
        let before = Control(self.control.fetch_sub(1, Ordering::SeqCst));
        let last = before.pins() == 1;
        if last {
            self.used().unpinned.notify_waiters();
        }
        last && before.removed()
    }

    /// Resolves when there are no pins.
    pub(crate) async fn drained(&self) {
        loop {
            let unpinned = self.used().unpinned.notified();
            let mut unpinned = std::pin::pin!(unpinned);
            // Registered before the count is read: the last unpin cannot slip in between.
            unpinned.as_mut().enable();
            if self.pins() == 0 {
                return;
            }
            unpinned.await;
        }
    }

    pub(crate) fn health(&self, now: Timestamp) -> KeyHealth {
        let known = self.used.get().map(|used| *used.health.read());
        health::in_force(known.unwrap_or_default(), now)
    }

    /// Takes a report in; whether it is what made the key invalid.
    pub(crate) fn report(&self, reported: KeyHealth, now: Timestamp) -> bool {
        // Nearly every report says that all is well with a key that was well: readers of a busy key
        // must not be held up by that.
        let known = &self.used().health;
        if reported == KeyHealth::Ok && *known.read() == KeyHealth::Ok {
            return false;
        }
        let mut health = known.write();
        let before = *health;
        *health = health::after_report(before, reported, now);
        before != KeyHealth::Invalid && *health == KeyHealth::Invalid
    }

    /// Changes the control word; what it was before.
    fn update(&self, change: impl Fn(Control) -> Control) -> Control {
        let mut before = self.control();
        loop {
            let after = change(before);
            let swapped = self.control.compare_exchange_weak(
                before.0,
                after.0,
                Ordering::SeqCst,
                Ordering::SeqCst,
            );
            match swapped {
                Ok(_) => return before,
                Err(found) => before = Control(found),
            }
        }
    }
}

fn time(micros: &AtomicI64) -> Option<Timestamp> {
    let micros = micros.load(Ordering::SeqCst);
    (micros != 0)
        .then(|| Timestamp::from_microsecond(micros).ok())
        .flatten()
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state().as_str();
        let pins = self.pins();
        write!(f, "{} {:?}, {state}, {pins} pins", self.name, self.version)
    }
}
