//! The journal itself.

use std::{
    fmt, io,
    path::Path,
    sync::Arc,
    thread::{Builder, JoinHandle},
};

use parking_lot::{Condvar, Mutex};

use crate::{
    Disk, DiskLock, JournalError, JournalId, JournalOptions, Position, Recovery, Scan, commit,
    error::again,
    record::Seed,
    recovery::recover,
    segment,
    state::{Life, Room, Shared, State, Taking},
};

/// An append-only durable log in a folder of its own. Cheap to clone; any number of threads and
/// tasks may write and read at once.
///
/// Dropping the last handle ends the journal as death would: what nobody waited for may be lost
/// with the machine's power. [`Journal::close`] makes everything durable first.
#[derive(Clone)]
pub struct Journal(Arc<Handle>);

struct Handle {
    shared: Arc<Shared>,
    committer: Mutex<Option<JoinHandle<()>>>,
    _lock: Box<dyn DiskLock>,
}

impl Journal {
    /// Opens the journal in a folder, making both when they are missing. A torn tail (records
    /// that nobody was told to be durable) is cut off; what is left is durable before this returns.
    ///
    /// # Errors
    /// [`JournalError::Locked`] when the folder has an owner, [`JournalError::Corrupt`] when what
    /// was durable has been changed.
    pub fn open(
        folder: &Path,
        disk: Arc<dyn Disk>,
        options: JournalOptions,
    ) -> Result<(Self, Recovery), JournalError> {
        disk.create_folder(folder).map_err(JournalError::of_write)?;
        let lock = disk.lock(&folder.join("lock")).map_err(|source| {
            if source.kind() == io::ErrorKind::WouldBlock {
                JournalError::Locked {
                    folder: folder.to_owned(),
                }
            } else {
                JournalError::of_write(source)
            }
        })?;
        let opened = recover(disk.as_ref(), folder, &options)?;
        let recovery = opened.recovery.clone();
        let shared = Arc::new(Shared {
            disk,
            folder: folder.to_owned(),
            journal: recovery.journal,
            seed: Seed::of(recovery.journal),
            state: Mutex::new(State::of(opened, &options)),
            options,
            work: Condvar::new(),
            settled: Condvar::new(),
        });
        let committer = Builder::new()
            .name(shared.options.thread_name.clone())
            .spawn({
                let shared = shared.clone();
                move || commit::run(&shared)
            })
            .map_err(JournalError::Failed)?;
        let handle = Handle {
            shared,
            committer: Mutex::new(Some(committer)),
            _lock: lock,
        };
        Ok((Self(Arc::new(handle)), recovery))
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.0.shared
    }

    /// The journal's random name.
    #[must_use]
    pub fn id(&self) -> JournalId {
        self.0.shared.journal
    }

    /// Takes a record without waiting for the disk; it outlives the process at once and the
    /// machine's power with the next commit.
    ///
    /// # Errors
    /// [`JournalError`]; the record was then not taken.
    pub fn append(&self, record: &[u8]) -> Result<Position, JournalError> {
        self.append_all(&[record])
    }

    /// Takes successive records, all or none, as [`Journal::append`] does; where the first stands.
    /// Only the loss of power can separate them: then a first part of them is kept.
    ///
    /// # Errors
    /// [`JournalError`]; none of the records was then taken.
    pub fn append_all<R: AsRef<[u8]>>(&self, records: &[R]) -> Result<Position, JournalError> {
        let shared = &self.0.shared;
        shared.write(
            &mut shared.state.lock(),
            records,
            Taking::handed(Room::Common),
        )
    }

    /// Takes successive records, all or none, that somebody will wait for with
    /// [`Journal::durable`]; where the first stands. The commit thread, which is told, hands them
    /// over and makes them durable together with everybody else's: until then they outlive neither
    /// the process nor the machine's power.
    ///
    /// # Errors
    /// [`JournalError`]; none of the records was then taken.
    pub fn stage_all<R: AsRef<[u8]>>(&self, records: &[R]) -> Result<Position, JournalError> {
        let shared = &self.0.shared;
        shared.write(
            &mut shared.state.lock(),
            records,
            Taking::staged(Room::Common),
        )
    }

    /// As [`Journal::stage_all`], for records that end what is under way: they may also use the
    /// space that is kept for them.
    ///
    /// # Errors
    /// As [`Journal::stage_all`].
    pub fn stage_reserved<R: AsRef<[u8]>>(&self, records: &[R]) -> Result<Position, JournalError> {
        let shared = &self.0.shared;
        let taking = Taking::staged(Room::Reserved);
        shared.write(&mut shared.state.lock(), records, taking)
    }

    /// As [`Journal::append_all`], for records that end what is under way: they may also use the
    /// space that is kept for them.
    ///
    /// # Errors
    /// As [`Journal::append_all`].
    pub fn append_reserved<R: AsRef<[u8]>>(&self, records: &[R]) -> Result<Position, JournalError> {
        let shared = &self.0.shared;
        shared.write(
            &mut shared.state.lock(),
            records,
            Taking::handed(Room::Reserved),
        )
    }

    /// Takes successive records and waits until they are durable, together with everybody else
    /// who waits; where the first stands.
    ///
    /// # Errors
    /// [`JournalError::Full`], [`JournalError::Overloaded`], [`JournalError::Size`]: none was
    /// taken. [`JournalError::Failed`]: nothing may be assumed until the journal is opened again.
    pub async fn append_durable<R: AsRef<[u8]>>(
        &self,
        records: &[R],
    ) -> Result<Position, JournalError> {
        let first = self.stage_all(records)?;
        if let Some(more) = (records.len() as u64).checked_sub(1) {
            self.durable(Position(first.0 + more)).await?;
        }
        Ok(first)
    }

    /// Waits until the record at this position, and all before it, are durable.
    ///
    /// # Errors
    /// [`JournalError::Failed`] or [`JournalError::Closed`] when that will not happen;
    /// [`JournalError::Full`] when it has not happened yet, on a filesystem that had promised room.
    pub async fn durable(&self, position: Position) -> Result<(), JournalError> {
        let answer = {
            let mut state = self.0.shared.state.lock();
            let end = position.next().0.min(state.next);
            if end <= state.durable {
                return Ok(());
            }
            state.check_waiting()?;
            let answer = state.waiters.add(end);
            self.0.shared.want(&mut state, end);
            answer
        };
        match answer.await {
            Ok(told) => told.map(drop),
            Err(_) => Err(JournalError::Closed),
        }
    }

    /// As [`Journal::durable`], holding up the thread.
    ///
    /// # Errors
    /// As [`Journal::durable`].
    pub fn durable_blocking(&self, position: Position) -> Result<(), JournalError> {
        let shared = &self.0.shared;
        let mut state = shared.state.lock();
        let end = position.next().0.min(state.next);
        while end > state.durable {
            state.check_waiting()?;
            shared.want(&mut state, end);
            shared.settled.wait(&mut state);
            if let Some(error) = state.full.as_ref().filter(|_| end > state.handed) {
                return Err(JournalError::Full(again(error)));
            }
        }
        Ok(())
    }

    /// Where the next record will stand.
    #[must_use]
    pub fn end(&self) -> Position {
        Position(self.0.shared.state.lock().next)
    }

    /// The first record that is not durable: everything before it is.
    #[must_use]
    pub fn durable_end(&self) -> Position {
        Position(self.0.shared.state.lock().durable)
    }

    /// Whether records are taken.
    ///
    /// # Errors
    /// [`JournalError::Failed`] or [`JournalError::Closed`]; [`JournalError::Full`] when the last
    /// write found the disk full and there is still no space.
    pub fn check(&self) -> Result<(), JournalError> {
        let shared = &self.0.shared;
        let mut state = shared.state.lock();
        state.check()?;
        if state.full.is_some() {
            shared.look_for_space(&mut state)?;
        }
        Ok(())
    }

    /// Reads every record from a position (or the first that is kept) that is durable now. What
    /// is taken but not yet durable is not shown, because a loss of power could take it back.
    #[must_use]
    pub fn scan(&self, from: Position) -> Scan {
        self.0.shared.scan(from)
    }

    /// Where each segment begins, ascending.
    #[must_use]
    pub fn segments(&self) -> Vec<Position> {
        let state = self.0.shared.state.lock();
        state.segments.iter().copied().map(Position).collect()
    }

    /// Begins a new segment now; where it begins. Waits for the disk.
    ///
    /// # Errors
    /// [`JournalError`]; the present segment then stays.
    pub fn roll(&self) -> Result<Position, JournalError> {
        let shared = &self.0.shared;
        let mut state = shared.state.lock();
        shared.roll(&mut state)?;
        Ok(Position(state.next))
    }

    /// Removes the segments that hold only records before this position. Scans that are under way
    /// there end with an error. Waits for the disk.
    ///
    /// # Errors
    /// [`JournalError`]; some segments may then be gone. Calling again goes on.
    pub fn drop_before(&self, position: Position) -> Result<(), JournalError> {
        let shared = &self.0.shared;
        loop {
            // One by one, oldest first, each durably: never a gap, whenever we die.
            let oldest = {
                let state = shared.state.lock();
                match state.segments[..] {
                    [oldest, heir, ..] if heir <= position.0 => oldest,
                    _ => return Ok(()),
                }
            };
            let path = segment::path(&shared.folder, oldest);
            match shared.disk.remove(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(JournalError::Failed(error));
                }
                _ => {}
            }
            let synced = shared.disk.sync_folder(&shared.folder);
            synced.map_err(JournalError::Failed)?;
            let mut state = shared.state.lock();
            state.segments.retain(|&first| first != oldest);
        }
    }

    /// Takes nothing more, makes everything durable, and ends. Waits for the disk.
    ///
    /// # Errors
    /// [`JournalError::Failed`] when not everything is durable.
    pub fn close(&self) -> Result<(), JournalError> {
        self.0.end(Life::Closing);
        match &self.0.shared.state.lock().failure {
            Some(error) => Err(JournalError::Failed(again(error))),
            None => Ok(()),
        }
    }
}

impl Handle {
    fn end(&self, life: Life) {
        {
            let mut state = self.shared.state.lock();
            if state.life == Life::Open {
                state.life = life;
                self.shared.work.notify_one();
            }
        }
        let committer = self.committer.lock().take();
        if committer.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the commit thread died");
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.end(Life::Abandoned);
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Journal");
        shown.field("folder", &self.0.shared.folder);
        shown.field("id", &self.0.shared.journal.to_string());
        shown.finish_non_exhaustive()
    }
}
