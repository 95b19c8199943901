//! Many writers share one flush.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use diamond_journal::{
    Disk, DiskFile, DiskLock, Journal, JournalOptions, Position, simulated::SimulatedDisk,
};
use futures_util::future::join_all;

/// Counts flushes, and holds them while the gate is shut.
#[derive(Debug)]
struct GatedDisk {
    disk: SimulatedDisk,
    gate: Arc<Gate>,
}

#[derive(Debug, Default)]
struct Gate {
    shut: Mutex<bool>,
    opened: Condvar,
    flushes: AtomicUsize,
}

impl Gate {
    fn set(&self, shut: bool) {
        *self.shut.lock().unwrap() = shut;
        self.opened.notify_all();
    }
}

struct GatedFile(Box<dyn DiskFile>, Arc<Gate>);

impl Disk for GatedDisk {
    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        self.disk.create_folder(folder)
    }
    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.disk.list(folder)
    }
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = self.disk.create(path)?;
        Ok(Box::new(GatedFile(file, self.gate.clone())))
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.disk.open(path)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.disk.sync_folder(folder)
    }
    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        self.disk.lock(path)
    }
}

impl DiskFile for GatedFile {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }
    fn read_at(&self, room: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(room, offset)
    }
    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }
    fn truncate(&self, size: u64) -> io::Result<()> {
        self.0.truncate(size)
    }
    fn sync_data(&self) -> io::Result<()> {
        let mut shut = self.1.shut.lock().unwrap();
        while *shut {
            shut = self.1.opened.wait(shut).unwrap();
        }
        drop(shut);
        self.1.flushes.fetch_add(1, Ordering::SeqCst);
        self.0.sync_data()
    }
}

#[tokio::test]
async fn writers_that_wait_together_share_a_flush() {
    const WRITERS: usize = 200;
    let gate = Arc::new(Gate::default());
    let disk = Arc::new(GatedDisk {
        disk: SimulatedDisk::new(1),
        gate: gate.clone(),
    });
    let folder = PathBuf::from("/journal");
    let (journal, _) = Journal::open(&folder, disk, JournalOptions::default()).unwrap();
    let before = gate.flushes.load(Ordering::SeqCst);

    gate.set(true);
    let payloads: Vec<_> = (0..WRITERS).map(|number| [number.to_string()]).collect();
    let mut writers = Box::pin(join_all(
        payloads
            .iter()
            .map(|payload| journal.append_durable(payload)),
    ));
    // Every writer has handed its record in and waits; nobody has been answered.
    tokio::select! {
        biased;
        _ = &mut writers => panic!("acknowledged before the flush"),
        () = std::future::ready(()) => {}
    }
    assert_eq!(journal.end(), Position(WRITERS as u64));
    assert_eq!(journal.durable_end(), Position::START);
    gate.set(false);

    let mut positions: Vec<u64> = writers.await.into_iter().map(|at| at.unwrap().0).collect();
    positions.sort_unstable();
    assert_eq!(positions, (0..WRITERS as u64).collect::<Vec<_>>());
    // One that was already waiting at the gate for the first writer, one for all the others.
    let flushes = gate.flushes.load(Ordering::SeqCst) - before;
    assert!(flushes <= 2, "{flushes} flushes for {WRITERS} records");
}
