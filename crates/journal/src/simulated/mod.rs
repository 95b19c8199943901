//! A disk in memory that behaves as badly as a real one may.
//!
//! Until synced, a write, a cut, a new or removed name can each be undone by [`SimulatedDisk::crash`],
//! in any combination, and a write can be torn anywhere. It fills up ([`SimulatedDisk::set_quota`])
//! and its flushes fail ([`SimulatedDisk::fail_syncs`]), after which, as on Linux, a later flush
//! that succeeds does not bring back what the failed one lost. Everything follows from the seed.

mod world;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::{Condvar, Mutex};

use self::world::{Change, Content, World};
use crate::{Disk, DiskFile, DiskLock};

/// What a loss of power does to what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// All of it is gone.
    Everything,
    /// Each write and each name is kept, lost or torn, as the seed has it.
    Anything,
}

/// A disk in memory. Clones are the same disk.
#[derive(Debug, Clone)]
pub struct SimulatedDisk(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    world: Mutex<World>,
    syncs_are_held: Mutex<bool>,
    released: Condvar,
}

impl SimulatedDisk {
    /// An empty disk without a quota.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Parts {
            world: Mutex::new(World::new(seed)),
            syncs_are_held: Mutex::new(false),
            released: Condvar::new(),
        }))
    }

    /// Takes the power away and gives it back: files that are open are dead, locks are free.
    pub fn crash(&self, loss: Loss) {
        self.0.world.lock().crash(loss);
    }

    /// At most so many bytes fit from now on.
    pub fn set_quota(&self, bytes: Option<usize>) {
        self.0.world.lock().quota = bytes;
    }

    /// How many bytes all files hold.
    #[must_use]
    pub fn used(&self) -> usize {
        self.0.world.lock().used()
    }

    /// The next so many flushes of files fail.
    pub fn fail_syncs(&self, count: u32) {
        self.0.world.lock().failing_syncs = count;
    }

    /// Flushes of files wait until they are released, as on a disk that is busy.
    pub fn hold_syncs(&self) {
        *self.0.syncs_are_held.lock() = true;
    }

    /// Lets the flushes go on.
    pub fn release_syncs(&self) {
        *self.0.syncs_are_held.lock() = false;
        self.0.released.notify_all();
    }

    /// How many flushes of files there were.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.0.world.lock().syncs
    }

    /// Every file with what a reader sees in it, by path.
    #[must_use]
    pub fn contents(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let world = self.0.world.lock();
        let seen = |id: &usize| world.files[*id].seen.clone();
        let names = world.names.iter();
        names.map(|(path, id)| (path.clone(), seen(id))).collect()
    }

    /// Changes a byte where it lies, durably, as bad media or a bad person would.
    pub fn damage(&self, path: &Path, offset: usize) {
        let mut world = self.0.world.lock();
        if let Some(&id) = world.names.get(path) {
            let content = &mut world.files[id];
            for bytes in [&mut content.seen, &mut content.durable] {
                if let Some(byte) = bytes.get_mut(offset) {
                    *byte ^= 0x5a;
                }
            }
        }
    }
}

impl Disk for SimulatedDisk {
    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        self.0.world.lock().folders.insert(folder.to_owned());
        Ok(())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let world = self.0.world.lock();
        if !world.folders.contains(folder) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inside = world
            .names
            .keys()
            .filter(|path| path.parent() == Some(folder));
        let name = |path: &PathBuf| Some(path.file_name()?.to_string_lossy().into_owned());
        Ok(inside.filter_map(name).collect())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut world = self.0.world.lock();
        if world.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let id = world.files.len();
        world.files.push(Content::default());
        world.names.insert(path.to_owned(), id);
        Ok(self.file(&world, id))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let world = self.0.world.lock();
        let id = *world.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(self.file(&world, id))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let removed = self.0.world.lock().names.remove(path);
        removed
            .map(|_| ())
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let mut world = self.0.world.lock();
        let inside = |path: &Path| path.parent() == Some(folder);
        world.durable_names.retain(|path, _| !inside(path));
        let now: Vec<_> = world
            .names
            .iter()
            .filter(|(path, _)| inside(path))
            .map(|(path, &id)| (path.clone(), id))
            .collect();
        world.durable_names.extend(now);
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        let mut world = self.0.world.lock();
        if !world.locks.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(SimulatedLock {
            disk: self.clone(),
            path: path.to_owned(),
            life: world.lives,
        }))
    }
}

impl SimulatedDisk {
    fn file(&self, world: &World, id: usize) -> Box<dyn DiskFile> {
        Box::new(SimulatedFile {
            disk: self.clone(),
            id,
            life: world.lives,
        })
    }
}

struct SimulatedLock {
    disk: SimulatedDisk,
    path: PathBuf,
    life: u64,
}

impl DiskLock for SimulatedLock {}

impl Drop for SimulatedLock {
    fn drop(&mut self) {
        let mut world = self.disk.0.world.lock();
        if world.lives == self.life {
            world.locks.remove(&self.path);
        }
    }
}

struct SimulatedFile {
    disk: SimulatedDisk,
    id: usize,
    life: u64,
}

impl SimulatedFile {
    fn with<T>(&self, act: impl FnOnce(&mut World) -> io::Result<T>) -> io::Result<T> {
        let mut world = self.disk.0.world.lock();
        if world.lives != self.life {
            return Err(io::Error::other("the power was lost"));
        }
        act(&mut world)
    }
}

impl DiskFile for SimulatedFile {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        self.with(|world| {
            let used = world.used();
            let size = world.files[self.id].space();
            let growth = (offset + bytes.len()).saturating_sub(size);
            let room = world
                .quota
                .map_or(growth, |quota| quota.saturating_sub(used));
            let missing = growth.saturating_sub(room);
            let fits = bytes.len().saturating_sub(missing);
            let change = Change::Write(offset, bytes[..fits].to_vec());
            let content = &mut world.files[self.id];
            change.apply(&mut content.seen);
            content.pending.push(change);
            match missing {
                0 => Ok(()),
                _ => Err(io::ErrorKind::StorageFull.into()),
            }
        })
    }

    fn read_at(&self, room: &mut [u8], offset: u64) -> io::Result<usize> {
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        self.with(|world| {
            let rest = world.files[self.id].seen.get(offset..).unwrap_or(&[]);
            let count = rest.len().min(room.len());
            room[..count].copy_from_slice(&rest[..count]);
            Ok(count)
        })
    }

    fn size(&self) -> io::Result<u64> {
        self.with(|world| Ok(world.files[self.id].seen.len() as u64))
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        let size = usize::try_from(size).map_err(io::Error::other)?;
        self.with(|world| {
            let content = &mut world.files[self.id];
            let change = Change::Truncate(size);
            change.apply(&mut content.seen);
            content.pending.push(change);
            content.allocated = 0;
            Ok(())
        })
    }

    fn allocate(&self, _: u64, to: u64) -> io::Result<()> {
        let to = usize::try_from(to).map_err(io::Error::other)?;
        self.with(|world| {
            let used = world.used();
            let content = &mut world.files[self.id];
            let growth = to.saturating_sub(content.space());
            if world.quota.is_some_and(|quota| used + growth > quota) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            content.allocated = content.allocated.max(to);
            Ok(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut held = self.disk.0.syncs_are_held.lock();
        while *held {
            self.disk.0.released.wait(&mut held);
        }
        drop(held);
        self.with(|world| {
            world.syncs += 1;
            let failing = world.failing_syncs > 0;
            let content = &mut world.files[self.id];
            if failing {
                // The pages are marked clean: no later flush will write them.
                content.pending.clear();
                world.failing_syncs -= 1;
                return Err(io::Error::other("the flush failed"));
            }
            for change in content.pending.drain(..) {
                change.apply(&mut content.durable);
            }
            Ok(())
        })
    }
}
