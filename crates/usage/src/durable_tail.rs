//! What holds at the end of what is durable.

use std::collections::VecDeque;

use diamond_journal::Position;

/// A value for each stretch of records that were taken together; tells which one is valid once
/// records up to a position are durable.
#[derive(Debug)]
pub(crate) struct DurableTail<T> {
    settled: T,
    pending: VecDeque<(Position, T)>,
}

impl<T: Clone> DurableTail<T> {
    pub(crate) fn new(settled: T) -> Self {
        Self {
            settled,
            pending: VecDeque::new(),
        }
    }

    /// The value is valid once the record at this position is durable.
    pub(crate) fn push(&mut self, position: Position, value: T, durable_end: Position) {
        self.pending.push_back((position, value));
        self.settle(durable_end);
    }

    /// The value at the end of what is durable.
    pub(crate) fn settle(&mut self, durable_end: Position) -> T {
        while let Some((position, value)) = self.pending.front() {
            if *position >= durable_end {
                break;
            }
            self.settled = value.clone();
            self.pending.pop_front();
        }
        self.settled.clone()
    }
}
