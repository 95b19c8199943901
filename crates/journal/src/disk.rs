//! What the journal needs of a filesystem.

use std::{
    fmt,
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt},
    path::Path,
};

use rustix::{fs::FallocateFlags, io::Errno};

/// A filesystem.
///
/// Bytes are durable only after [`DiskFile::sync_data`], the creation, renaming and removal of a
/// file only after [`Disk::sync_folder`] of its folder: until then a loss of power may undo any of
/// them, in any order.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Makes the folder, and those above it, durably; a folder that exists is left alone.
    ///
    /// # Errors
    /// As the filesystem says.
    fn create_folder(&self, folder: &Path) -> io::Result<()>;

    /// The names of the files in a folder, in any order.
    ///
    /// # Errors
    /// As the filesystem says.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;

    /// Makes a new empty file.
    ///
    /// # Errors
    /// `AlreadyExists`, or as the filesystem says.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file for reading and writing.
    ///
    /// # Errors
    /// `NotFound`, or as the filesystem says.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Removes a file.
    ///
    /// # Errors
    /// As the filesystem says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the folder's entries durable.
    ///
    /// # Errors
    /// As the filesystem says.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;

    /// Takes the lock that this file stands for, until the guard is dropped or the process ends.
    ///
    /// # Errors
    /// `WouldBlock` when somebody has it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>>;
}

/// An open file.
pub trait DiskFile: Send + Sync {
    /// Writes all the bytes at this place; on an error, any part of them may have been written.
    ///
    /// # Errors
    /// `StorageFull` when they do not fit.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Reads at most as many bytes as there is room for; 0 at the end.
    ///
    /// # Errors
    /// As the filesystem says.
    fn read_at(&self, room: &mut [u8], offset: u64) -> io::Result<usize>;

    /// How many bytes the file has.
    ///
    /// # Errors
    /// As the filesystem says.
    fn size(&self) -> io::Result<u64>;

    /// Cuts the file off behind this many bytes.
    ///
    /// # Errors
    /// As the filesystem says.
    fn truncate(&self, size: u64) -> io::Result<()>;

    /// Takes hold of the space for the bytes between these places, so that writing them later does
    /// not find the disk full. Neither size nor content changes; [`DiskFile::truncate`] gives back
    /// what lies behind its place.
    ///
    /// # Errors
    /// `StorageFull` when there is not so much; `Unsupported` where the filesystem cannot promise.
    fn allocate(&self, from: u64, to: u64) -> io::Result<()>;

    /// Makes the bytes and the size durable.
    ///
    /// # Errors
    /// After one, nothing is known about the bytes written since the last success.
    fn sync_data(&self) -> io::Result<()>;
}

/// A lock that is held while this value lives.
pub trait DiskLock: Send + Sync {}

/// The machine's own filesystem.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        if folder.is_dir() {
            return Ok(());
        }
        let parent = match folder.parent() {
            Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
            Some(parent) => parent,
            None => Path::new("/"),
        };
        self.create_folder(parent)?;
        // Names and numbers of customers: for the owner's eyes alone.
        match DirBuilder::new().mode(0o700).create(folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
            made => made?,
        }
        self.sync_folder(parent)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        std::fs::read_dir(folder)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        Ok(Box::new(
            options
                .read(true)
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path)?,
        ))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(
            OpenOptions::new().read(true).write(true).open(path)?,
        ))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(file)),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl DiskLock for File {}

impl DiskFile for File {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        FileExt::write_all_at(self, bytes, offset)
    }

    fn read_at(&self, room: &mut [u8], offset: u64) -> io::Result<usize> {
        loop {
            match FileExt::read_at(self, room, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        self.set_len(size)
    }

    fn allocate(&self, from: u64, to: u64) -> io::Result<()> {
        loop {
            let length = to.saturating_sub(from).max(1);
            match rustix::fs::fallocate(self, FallocateFlags::KEEP_SIZE, from, length) {
                Err(Errno::INTR) => {}
                done => return Ok(done?),
            }
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        Self::sync_data(self)
    }
}
