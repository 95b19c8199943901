//! What writers, waiters and the commit thread share.

use std::{collections::VecDeque, io, path::PathBuf, sync::Arc};

use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::sync::oneshot;

use crate::{
    Disk, DiskFile, JournalError, JournalId, JournalOptions, Position, Scan,
    error::{again, is_full},
    record::{self, Seed},
    recovery::Opened,
    segment::{self, SEGMENT_HEADER_BYTES},
};

pub(crate) struct Shared {
    pub disk: Arc<dyn Disk>,
    pub folder: PathBuf,
    pub journal: JournalId,
    pub seed: Seed,
    pub options: JournalOptions,
    pub state: Mutex<State>,
    /// Wakes the commit thread.
    pub work: Condvar,
    /// Wakes threads that wait for something to be durable.
    pub settled: Condvar,
}

/// How the journal is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    Open,
    /// Make everything durable, then end.
    Closing,
    /// End at once, as if the process had died.
    Abandoned,
    Ended,
}

pub(crate) struct State {
    pub life: Life,
    /// Set once a flush has failed.
    pub failure: Option<io::Error>,
    /// First record's numbers of all segments; the last is written on.
    pub segments: Vec<u64>,
    pub file: Arc<dyn DiskFile>,
    /// How far the current segment is written.
    pub file_bytes: u64,
    /// How far the current segment is durable.
    pub durable_bytes: u64,
    /// The number of the next record.
    pub next: u64,
    /// Records below this number are durable.
    pub durable: u64,
    /// Records below this number are wanted durable.
    pub wanted: u64,
    /// Whether the commit thread is flushing, with the lock released.
    pub flushing: bool,
    /// Who waits until records below the number are durable.
    pub waiters: Vec<(u64, oneshot::Sender<Result<(), JournalError>>)>,
    /// The size at which a new segment is tried.
    pub roll_at: u64,
    scratch: Vec<u8>,
    /// Why the last write was refused, if the disk was full; the next one may fit again.
    pub full: Option<io::Error>,
}

impl State {
    pub(crate) fn of(opened: Opened, options: &JournalOptions) -> Self {
        let end = opened.recovery.end.0;
        Self {
            life: Life::Open,
            failure: None,
            segments: opened.segments,
            file: Arc::from(opened.file),
            file_bytes: opened.file_bytes,
            durable_bytes: opened.file_bytes,
            next: end,
            durable: end,
            wanted: end,
            flushing: false,
            waiters: Vec::new(),
            roll_at: options.segment_bytes,
            scratch: Vec::new(),
            full: None,
        }
    }

    /// Whether records are still taken.
    pub(crate) fn check(&self) -> Result<(), JournalError> {
        match &self.failure {
            Some(error) => Err(JournalError::Failed(again(error))),
            None if self.life == Life::Open => Ok(()),
            None => Err(JournalError::Closed),
        }
    }

    /// Whether it makes sense to wait for a flush.
    pub(crate) fn check_waiting(&self) -> Result<(), JournalError> {
        match self.check() {
            Err(JournalError::Closed) if self.life == Life::Closing => Ok(()),
            checked => checked,
        }
    }

    /// Records below `end` are durable now: tells those who wait for them.
    pub(crate) fn settle(&mut self, end: u64) {
        self.durable = self.durable.max(end);
        let durable = self.durable;
        for (_, waiter) in self.waiters.extract_if(.., |(until, _)| *until <= durable) {
            // A waiter that went away wants no answer.
            let _ = waiter.send(Ok(()));
        }
    }

    /// A flush failed: nothing more is acknowledged, and what it may or may not have written is
    /// taken out of the file, so that a later reader is not shown what no disk holds.
    pub(crate) fn fail(&mut self, error: io::Error) {
        tracing::error!(%error, "the disk failed; the journal takes nothing more");
        if let Err(error) = self.file.truncate(self.durable_bytes) {
            tracing::error!(%error, "records that were not acknowledged could not be taken back");
        }
        for (_, waiter) in self.waiters.drain(..) {
            let _ = waiter.send(Err(JournalError::Failed(again(&error))));
        }
        self.failure = Some(error);
    }
}

impl Shared {
    /// Hands the records to the operating system, all or none; where the first one stands.
    pub(crate) fn write<R: AsRef<[u8]>>(
        &self,
        state: &mut State,
        records: &[R],
    ) -> Result<Position, JournalError> {
        state.check()?;
        let first = state.next;
        let limit = self.options.record_bytes_max;
        let mut bytes = std::mem::take(&mut state.scratch);
        bytes.clear();
        for (number, payload) in (first..).zip(records) {
            let payload = payload.as_ref();
            let size = payload.len();
            if size == 0 || size > limit {
                return Err(JournalError::Size { size, limit });
            }
            record::write(&mut bytes, self.seed, number, state.durable, payload);
        }
        let unsynced = state.file_bytes - state.durable_bytes;
        let limit = self.options.unsynced_bytes_max;
        if unsynced > 0 && unsynced.saturating_add(bytes.len() as u64) > limit {
            self.want(state, state.next);
            return Err(JournalError::Overloaded { limit });
        }
        if let Err(error) = state.file.write_all_at(&bytes, state.file_bytes) {
            return Err(self.take_back(state, error));
        }
        state.full = None;
        state.file_bytes += bytes.len() as u64;
        state.next += records.len() as u64;
        bytes.truncate(0);
        bytes.shrink_to(1 << 20);
        state.scratch = bytes;
        if (unsynced > limit / 2) || state.file_bytes >= state.roll_at {
            self.want(state, state.next);
        }
        Ok(Position(first))
    }

    /// Asks the commit thread to make records below `end` durable.
    pub(crate) fn want(&self, state: &mut State, end: u64) {
        if end > state.wanted {
            state.wanted = end;
            self.work.notify_one();
        }
    }

    /// Undoes a write that failed, durably, so that the next write cannot be followed by the rest
    /// of this one. When even that fails, nobody knows what the file holds.
    fn take_back(&self, state: &mut State, error: io::Error) -> JournalError {
        let undone = state.file.truncate(state.file_bytes);
        match undone.and_then(|()| state.file.sync_data()) {
            // The flush says nothing of what was written before: the commit thread's own, which
            // may be under way, may have failed for that.
            Ok(()) => {
                if is_full(&error) {
                    state.full = Some(again(&error));
                    return JournalError::Full(error);
                }
                state.fail(again(&error));
            }
            Err(second) => state.fail(second),
        }
        self.settled.notify_all();
        JournalError::Failed(error)
    }

    /// Begins a new segment, after everything in the present one is durable. Holds up writers for
    /// the flushes; it happens once in `segment_bytes`.
    pub(crate) fn roll(&self, state: &mut MutexGuard<'_, State>) -> Result<(), JournalError> {
        // A second flush beside one that fails could succeed, without meaning anything.
        while state.flushing {
            self.settled.wait(state);
        }
        let state: &mut State = state;
        state.check()?;
        if state.file_bytes == SEGMENT_HEADER_BYTES {
            return Ok(());
        }
        if state.durable < state.next {
            if let Err(error) = state.file.sync_data() {
                state.fail(again(&error));
                self.settled.notify_all();
                return Err(JournalError::Failed(error));
            }
            state.durable_bytes = state.file_bytes;
            state.settle(state.next);
            self.settled.notify_all();
        }
        let first = state.next;
        match segment::create(self.disk.as_ref(), &self.folder, self.journal, first) {
            Ok(file) => {
                state.file = Arc::from(file);
                state.file_bytes = SEGMENT_HEADER_BYTES;
                state.durable_bytes = SEGMENT_HEADER_BYTES;
                state.segments.push(first);
                state.roll_at = self.options.segment_bytes;
                Ok(())
            }
            Err(error) => {
                // Stay on the present segment; the half-made one must not be taken for its heir.
                let removed = self.disk.remove(&segment::path(&self.folder, first));
                let gone = match removed {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                    removed => removed,
                };
                if let Err(error) = gone.and_then(|()| self.disk.sync_folder(&self.folder)) {
                    state.fail(error);
                    self.settled.notify_all();
                }
                state.roll_at = state.file_bytes + self.options.segment_bytes / 8;
                Err(JournalError::of_write(error))
            }
        }
    }

    pub(crate) fn scan(&self, from: Position) -> Scan {
        let state = self.state.lock();
        let behind = state.segments.partition_point(|&first| first <= from.0);
        let segments: VecDeque<u64> = state.segments[behind.saturating_sub(1)..].to_vec().into();
        Scan {
            disk: self.disk.clone(),
            folder: self.folder.clone(),
            journal: self.journal,
            record_bytes_max: self.options.record_bytes_max,
            reader: None,
            next: segments.front().copied().unwrap_or(0),
            from: from.0,
            end: state.durable,
            segments,
        }
    }
}
