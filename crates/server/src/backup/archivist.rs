//! Taking a backup while the server serves.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Seek as _, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use diamond_app::{BackupError, BackupStream, Backups};
use diamond_db::{Db, Dump};
use diamond_domain::{Clock, InstallationId, NodeId};
use diamond_journal::JournalError;
use diamond_usage::{AuditCopy, AuditSink as _, JournalAuditSink, UsageCopies, UsageJournal};
use tokio::{sync::mpsc, task::spawn_blocking};
use tokio_util::task::TaskTracker;
use zeroize::Zeroizing;

use super::archive::{self, Counts, Head, Writer};

/// How many bytes travel together, and how many such pieces wait for a slow reader.
const PIECE_BYTES: usize = 64 << 10;
const PIECES: usize = 16;

/// Takes backups of what stands here.
pub(crate) struct Archivist {
    pub db: Db,
    pub journal: Arc<UsageJournal>,
    pub audit: Arc<JournalAuditSink>,
    pub folder: PathBuf,
    pub installation: InstallationId,
    pub node: NodeId,
    pub mac_key: Zeroizing<[u8; 32]>,
    pub clock: Arc<dyn Clock>,
    pub tasks: TaskTracker,
}

/// Everything of one moment, ready to be written out at whatever pace.
struct Moment {
    head: Head,
    node: Vec<u8>,
    rows: File,
    rows_bytes: u64,
    audit: Vec<AuditCopy>,
    usage: UsageCopies,
    counts: Counts,
}

#[async_trait]
impl Backups for Archivist {
    async fn begin(&self) -> Result<BackupStream, BackupError> {
        let moment = self.moment().await?;
        let (sender, stream) = mpsc::channel(PIECES);
        let mac_key = self.mac_key.clone();
        let taken_at = moment.head.taken_at;
        self.tasks.spawn_blocking(move || {
            let mut out = Pieces::new(sender);
            match moment.write(&mut out, &mac_key) {
                Ok(()) => tracing::info!(taken_at = %taken_at, "a backup was taken"),
                Err(error) => {
                    tracing::warn!(%error, "a backup was not finished");
                    out.break_off(error);
                }
            }
        });
        Ok(stream)
    }
}

impl Archivist {
    async fn moment(&self) -> Result<Moment, BackupError> {
        let mut dump = Dump::begin(&self.db).await?;
        let taken_at = self.clock.now();
        let schema_version = dump.schema_version().await?;
        let (audit, journal) = (Arc::clone(&self.audit), Arc::clone(&self.journal));
        let counts = Counts {
            rows: BTreeMap::new(),
            ledger_sequence: journal.watermark(),
            audit_sequence: audit.head().sequence,
        };
        let copies =
            spawn_blocking(move || Ok::<_, JournalError>((audit.copies()?, journal.copies()?)));
        let copies = copies.await.map_err(BackupError::other)?;
        let (audit, usage) = copies.map_err(BackupError::other)?;
        let rows = unnamed_file(&self.folder)?;
        let (rows, rows_bytes, counts) = spool(dump, rows, counts).await?;
        Ok(Moment {
            head: Head::new(self.installation, self.node, taken_at, schema_version),
            node: fs::read(self.folder.join(archive::NODE))?,
            rows,
            rows_bytes,
            audit,
            usage,
            counts,
        })
    }
}

/// Writes the rows down at once, so that a slow reader holds no transaction.
async fn spool(
    dump: Dump,
    file: File,
    mut counts: Counts,
) -> Result<(File, u64, Counts), BackupError> {
    let mut out = BufWriter::new(file);
    dump.rows(|row| {
        serde_json::to_writer(&mut out, &row).map_err(io::Error::from)?;
        out.write_all(b"\n")?;
        *counts.rows.entry(row.table).or_default() += 1;
        Ok::<_, BackupError>(())
    })
    .await?;
    let mut file = out.into_inner().map_err(|error| error.into_error())?;
    let bytes = file.stream_position()?;
    file.rewind()?;
    Ok((file, bytes, counts))
}

/// A file that is gone when nobody has it open any more, also after a sudden death.
fn unnamed_file(folder: &Path) -> io::Result<File> {
    let path = folder.join("backup-rows.tmp");
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

impl Moment {
    fn write(self, out: impl Write, mac_key: &[u8; 32]) -> io::Result<()> {
        let mut writer = Writer::begin(out, self.head)?;
        writer.add(archive::NODE, self.node.len() as u64, self.node.as_slice())?;
        writer.add(archive::DATABASE, self.rows_bytes, self.rows)?;
        for copy in self.audit {
            let name = format!("audit/{}", copy.name());
            writer.add(&name, copy.bytes(), copy)?;
        }
        let journals = [("events", self.usage.events), ("users", self.usage.users)];
        for (folder, segments) in journals {
            for segment in segments {
                let name = format!("{folder}/{}", segment.name());
                writer.add(&name, segment.bytes(), segment)?;
            }
        }
        writer.finish(self.counts, mac_key)
    }
}

/// Hands what is written on in pieces.
struct Pieces {
    sender: mpsc::Sender<io::Result<Bytes>>,
    piece: BytesMut,
}

impl Pieces {
    fn new(sender: mpsc::Sender<io::Result<Bytes>>) -> Self {
        Self {
            sender,
            piece: BytesMut::with_capacity(PIECE_BYTES),
        }
    }

    /// The reader must not take what it has for all of it.
    fn break_off(self, error: io::Error) {
        let _ = self.sender.blocking_send(Err(error));
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = PIECE_BYTES - self.piece.len();
        let taken = bytes.len().min(room);
        self.piece.extend_from_slice(&bytes[..taken]);
        if self.piece.len() == PIECE_BYTES {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = self.piece.split().freeze();
        self.piece.reserve(PIECE_BYTES);
        self.sender
            .blocking_send(Ok(piece))
            .map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
