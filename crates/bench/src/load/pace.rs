//! When requests are sent.

use std::time::Duration;

/// When a connection sends its next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As soon as it has the whole answer to the one before.
    Closed,
    /// The same, but the connections begin one after the other, this far apart: they would else
    /// stay in step, and every answer would come in one heap.
    Staggered(Duration),
    /// At fixed times, so many a second over all connections, whether or not answers come: what
    /// waits because others are slow has waited, and that counts.
    Rate(u32),
}

/// When to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// After this time, when the answers that are due have come.
    Time(Duration),
    /// After so many requests on each connection.
    Requests(u64),
}

impl Limit {
    /// Whether a connection that has sent so many since then is done.
    pub fn reached(self, sent: u64, elapsed: Duration) -> bool {
        match self {
            Self::Time(time) => elapsed >= time,
            Self::Requests(requests) => sent >= requests,
        }
    }
}
