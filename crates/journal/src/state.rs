//! What writers, waiters and the commit thread share.

use std::{collections::VecDeque, io, path::PathBuf, sync::Arc};

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::{
    Disk, DiskFile, JournalError, JournalId, JournalOptions, Position, Scan,
    error::{again, is_full},
    record::{self, Seed},
    recovery::Opened,
    segment::{self, SEGMENT_HEADER_BYTES},
    waiting::Waiters,
};

/// Records that wait for the commit thread are handed over before they are more than this.
const STAGED_BYTES_MAX: usize = 256 << 10;

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

/// Which space a write may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// What is left beside the reserve.
    Common,
    /// The reserve too.
    Reserved,
}

/// How records are taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taking {
    may_stage: bool,
    room: Room,
}

impl Taking {
    /// They are with the operating system at once.
    pub(crate) const fn handed(room: Room) -> Self {
        Self {
            may_stage: false,
            room,
        }
    }

    /// The commit thread may hand them over.
    pub(crate) const fn staged(room: Room) -> Self {
        Self {
            may_stage: true,
            room,
        }
    }
}

/// Space is taken hold of in steps of at least this, so that few writes ask for it.
const STEP_BYTES_MIN: u64 = 16 << 10;

pub(crate) struct State {
    pub life: Life,
    /// Set once a flush has failed.
    pub failure: Option<io::Error>,
    /// First record's numbers of all segments; the last is written on.
    pub segments: Vec<u64>,
    pub file: Arc<dyn DiskFile>,
    /// How far the current segment is written.
    pub file_bytes: u64,
    /// How far it is zeros at least, behind what is written: those can be written over without the
    /// disk becoming full, and a flush has no new size to write down.
    pub prepared_bytes: u64,
    /// The size at which preparing is tried again, after it did not succeed.
    prepare_at: u64,
    /// Records that were taken and not yet handed to the operating system. They have their place
    /// in what is prepared.
    staged: Vec<u8>,
    /// How far the current segment is durable.
    pub durable_bytes: u64,
    /// How far the current segment can grow for certain; `u64::MAX` where no filesystem says so.
    pub allocated_bytes: u64,
    /// The number of the next record.
    pub next: u64,
    /// Records below this number are handed to the operating system.
    pub handed: u64,
    /// Records below this number are durable.
    pub durable: u64,
    /// Records below this number are wanted durable.
    pub wanted: u64,
    /// Whether the commit thread is flushing, with the lock released.
    pub flushing: bool,
    /// Whether it is about to flush, and looks by itself for who else waits.
    pub gathering: bool,
    pub waiters: Waiters,
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
            prepared_bytes: opened.prepared_bytes,
            prepare_at: 0,
            staged: Vec::new(),
            durable_bytes: opened.file_bytes,
            allocated_bytes: opened.file_bytes,
            next: end,
            handed: end,
            durable: end,
            wanted: end,
            flushing: false,
            gathering: false,
            waiters: Waiters::default(),
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

    /// Records below `end` are durable now: who waited for them, to be told.
    #[must_use]
    pub(crate) fn settle(&mut self, end: u64) -> Waiters {
        self.durable = self.durable.max(end);
        self.waiters.take_until(self.durable)
    }

    /// The file was cut behind what is written: what was allocated there is gone.
    fn forget_allocation(&mut self) {
        if self.allocated_bytes != u64::MAX {
            self.allocated_bytes = self.file_bytes;
        }
    }

    /// How far the segment reaches with all that was taken.
    fn end_bytes(&self) -> u64 {
        self.file_bytes + self.staged.len() as u64
    }

    /// A flush failed: nothing more is acknowledged, and what it may or may not have written is
    /// taken out of the file, so that a later reader is not shown what no disk holds.
    pub(crate) fn fail(&mut self, error: io::Error) {
        tracing::error!(%error, "the disk failed; the journal takes nothing more");
        if let Err(error) = self.file.truncate(self.durable_bytes) {
            tracing::error!(%error, "records that were not acknowledged could not be taken back");
        }
        self.prepared_bytes = self.durable_bytes;
        self.staged = Vec::new();
        let waiters = std::mem::take(&mut self.waiters);
        waiters.refuse(|| JournalError::Failed(again(&error)));
        self.failure = Some(error);
    }
}

impl Shared {
    /// Takes the records, all or none; where the first one stands. Unless `staged` is allowed they
    /// are with the operating system when this returns.
    pub(crate) fn write<R: AsRef<[u8]>>(
        &self,
        state: &mut State,
        records: &[R],
        taking: Taking,
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
        let unsynced = state.end_bytes() - state.durable_bytes;
        let limit = self.options.unsynced_bytes_max;
        if unsynced > 0 && unsynced.saturating_add(bytes.len() as u64) > limit {
            self.want(state, state.next);
            return Err(JournalError::Overloaded { limit });
        }
        let reserve = self.options.reserve_bytes;
        if taking.room == Room::Common
            && reserve > 0
            && let Err(error) = self.allocate(state, bytes.len() as u64 + reserve)
        {
            state.scratch = bytes;
            return Err(error);
        }
        let staged = taking.may_stage
            && state.staged.len() + bytes.len() <= STAGED_BYTES_MAX
            && self.prepare(state, bytes.len());
        if staged {
            state.staged.extend_from_slice(&bytes);
        } else {
            self.hand_over_with(state, &bytes)?;
        }
        if taking.room == Room::Common {
            state.full = None;
        }
        state.next += records.len() as u64;
        if !staged {
            state.handed = state.next;
        }
        bytes.truncate(0);
        bytes.shrink_to(1 << 20);
        state.scratch = bytes;
        if staged || (unsynced > limit / 2) || state.end_bytes() >= state.roll_at {
            self.want(state, state.next);
        }
        Ok(Position(first))
    }

    /// Sees to it that so many bytes more find their place prepared; whether they do.
    fn prepare(&self, state: &mut State, bytes: usize) -> bool {
        let end = state.end_bytes() + bytes as u64;
        if end <= state.prepared_bytes {
            return true;
        }
        let step = self.options.prepared_bytes;
        if step == 0 || end < state.prepare_at {
            return false;
        }
        // What is kept for others is not given up for this.
        if self.options.reserve_bytes > 0 && end + step > state.allocated_bytes {
            return false;
        }
        let from = state.prepared_bytes.max(state.file_bytes);
        let zeros = vec![0; usize::try_from(end - from + step).unwrap_or(0)];
        match state.file.write_all_at(&zeros, from) {
            Ok(()) => {
                state.prepared_bytes = from + zeros.len() as u64;
                true
            }
            Err(error) => {
                tracing::debug!(%error, "the segment could not be prepared; going on without");
                // Zeros that are left over are harmless; the room may be somebody's.
                let _ = state.file.truncate(from);
                state.prepared_bytes = from;
                state.allocated_bytes = state.allocated_bytes.min(from);
                state.prepare_at = end + step;
                false
            }
        }
    }

    /// Hands what is staged to the operating system. When the disk turns out to be full in spite of
    /// what was prepared (some filesystems never write in place), it stays staged.
    pub(crate) fn hand_over(&self, state: &mut State) -> Result<(), JournalError> {
        self.hand_over_with(state, &[])?;
        state.handed = state.next;
        Ok(())
    }

    /// Hands what is staged to the operating system, and these bytes behind it; on an error, none
    /// of them.
    fn hand_over_with(&self, state: &mut State, bytes: &[u8]) -> Result<(), JournalError> {
        if state.staged.is_empty() && bytes.is_empty() {
            return Ok(());
        }
        let written = if state.staged.is_empty() {
            state.file.write_all_at(bytes, state.file_bytes)
        } else if state.end_bytes() + bytes.len() as u64 > state.prepared_bytes {
            // What is staged has its place; what is behind it may find none.
            let staged = state.file.write_all_at(&state.staged, state.file_bytes);
            staged.and_then(|()| {
                state.file_bytes = state.end_bytes();
                state.handed = state.next;
                state.staged.clear();
                state.file.write_all_at(bytes, state.file_bytes)
            })
        } else {
            state.staged.extend_from_slice(bytes);
            let written = state.file.write_all_at(&state.staged, state.file_bytes);
            let kept = state.staged.len() - bytes.len();
            if written.is_err() {
                state.staged.truncate(kept);
            } else {
                state.file_bytes += kept as u64;
                state.staged.clear();
            }
            written
        };
        if let Err(error) = written {
            return Err(self.take_back(state, error));
        }
        state.file_bytes += bytes.len() as u64;
        state.prepared_bytes = state.prepared_bytes.max(state.file_bytes);
        Ok(())
    }

    /// Takes hold of so much space behind what is written.
    fn allocate(&self, state: &mut State, bytes: u64) -> Result<(), JournalError> {
        let end = state.end_bytes();
        if end.saturating_add(bytes) <= state.allocated_bytes {
            return Ok(());
        }
        let step = (self.options.reserve_bytes / 4).max(STEP_BYTES_MIN);
        let from = state.allocated_bytes.max(state.file_bytes);
        let to = end + bytes + step;
        match state.file.allocate(from, to) {
            Ok(()) => state.allocated_bytes = to,
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                tracing::info!("the filesystem keeps no space free; a full disk is met in writing");
                state.allocated_bytes = u64::MAX;
            }
            Err(error) if is_full(&error) => {
                state.full = Some(again(&error));
                return Err(JournalError::Full(error));
            }
            Err(error) => {
                state.fail(again(&error));
                self.settled.notify_all();
                return Err(JournalError::Failed(error));
            }
        }
        Ok(())
    }

    /// After a write found the disk full: whether an ordinary one would fit again.
    pub(crate) fn look_for_space(&self, state: &mut State) -> Result<(), JournalError> {
        self.allocate(state, self.options.reserve_bytes + STEP_BYTES_MIN)?;
        state.full = None;
        Ok(())
    }

    /// Asks the commit thread to make records below `end` durable.
    pub(crate) fn want(&self, state: &mut State, end: u64) {
        if end > state.wanted {
            state.wanted = end;
            if !state.gathering {
                self.work.notify_one();
            }
        }
    }

    /// Undoes a write that failed, durably, so that the next write cannot be followed by the rest
    /// of this one. When even that fails, nobody knows what the file holds.
    fn take_back(&self, state: &mut State, error: io::Error) -> JournalError {
        let undone = state.file.truncate(state.file_bytes);
        state.prepared_bytes = state.file_bytes;
        state.forget_allocation();
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
        self.hand_over(state)?;
        if state.file_bytes == SEGMENT_HEADER_BYTES {
            return Ok(());
        }
        let unused = state.prepared_bytes > state.file_bytes;
        if unused && state.file.truncate(state.file_bytes).is_ok() {
            state.prepared_bytes = state.file_bytes;
            state.forget_allocation();
        }
        if unused || state.durable < state.next {
            if let Err(error) = state.file.sync_data() {
                state.fail(again(&error));
                self.settled.notify_all();
                return Err(JournalError::Failed(error));
            }
            state.durable_bytes = state.file_bytes;
            state.settle(state.next).tell();
            self.settled.notify_all();
        }
        let first = state.next;
        let created = segment::create(self.disk.as_ref(), &self.folder, self.journal, first);
        match created.and_then(|file| Ok((self.allocated(file.as_ref())?, file))) {
            Ok((allocated, file)) => {
                // What the old one held beyond its end, the new one holds now.
                if let Err(error) = state.file.truncate(state.file_bytes) {
                    tracing::debug!(%error, "a finished segment keeps space that it does not use");
                }
                state.allocated_bytes = allocated;
                state.file = Arc::from(file);
                state.file_bytes = SEGMENT_HEADER_BYTES;
                state.prepared_bytes = SEGMENT_HEADER_BYTES;
                state.prepare_at = 0;
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

    /// Takes hold of the reserve in a new segment; how far it reaches.
    fn allocated(&self, file: &dyn DiskFile) -> io::Result<u64> {
        let reserve = self.options.reserve_bytes;
        if reserve == 0 {
            return Ok(SEGMENT_HEADER_BYTES);
        }
        let to = SEGMENT_HEADER_BYTES + reserve;
        match file.allocate(SEGMENT_HEADER_BYTES, to) {
            Ok(()) => Ok(to),
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(u64::MAX),
            Err(error) => Err(error),
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
