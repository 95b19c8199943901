//! Time is handed in: nothing but [`SystemClock`] asks the machine what time it is.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

/// Where the time comes from.
///
/// `now` may jump (an operator sets the machine's clock); `monotonic` never goes back and is what
/// durations and deadlines are measured with.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The present instant, UTC.
    fn now(&self) -> Timestamp;

    /// Nanoseconds since an arbitrary start; never decreases.
    fn monotonic_nanos(&self) -> u64;
}

/// The machine's own clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that asks the machine"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that asks the machine"
    )]
    fn monotonic_nanos(&self) -> u64 {
        use std::{sync::OnceLock, time::Instant};
        static START: OnceLock<Instant> = OnceLock::new();
        let start = *START.get_or_init(Instant::now);
        u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// A clock that moves only when told to: for tests and replays.
#[derive(Debug)]
pub struct ManualClock {
    now_nanos: AtomicI64,
    monotonic: AtomicI64,
}

impl ManualClock {
    /// A clock that stands at `start`.
    #[must_use]
    pub fn new(start: Timestamp) -> Self {
        let nanos = i64::try_from(start.as_nanosecond()).unwrap_or(i64::MAX);
        Self {
            now_nanos: AtomicI64::new(nanos),
            monotonic: AtomicI64::new(0),
        }
    }

    /// Moves both the wall clock and the monotonic clock forward.
    pub fn advance(&self, by: SignedDuration) {
        let nanos = i64::try_from(by.as_nanos()).unwrap_or(i64::MAX);
        self.now_nanos.fetch_add(nanos, Ordering::SeqCst);
        self.monotonic.fetch_add(nanos.max(0), Ordering::SeqCst);
    }

    /// Sets the wall clock, forward or back, as an operator or NTP might; the monotonic clock
    /// does not notice.
    pub fn set(&self, to: Timestamp) {
        let nanos = i64::try_from(to.as_nanosecond()).unwrap_or(i64::MAX);
        self.now_nanos.store(nanos, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        let nanos = self.now_nanos.load(Ordering::SeqCst);
        Timestamp::from_nanosecond(i128::from(nanos)).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    fn monotonic_nanos(&self) -> u64 {
        u64::try_from(self.monotonic.load(Ordering::SeqCst)).unwrap_or(0)
    }
}
