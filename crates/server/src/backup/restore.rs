//! Bringing a backup back, into an empty data folder and an empty database.
//!
//! Everything is unpacked and proven in `restoring/` inside the data folder first; only then do the
//! parts move to their places, and the rows into a PostgreSQL database. A folder in which
//! `restoring/` stands was not finished: no server serves it, and restoring again begins anew.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, BufRead as _, BufReader, Read},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, ensure};
use diamond_db::{Db, DbOptions, DumpedRow, Load, NewRestore};
use diamond_domain::{Clock, SystemClock};

use super::archive::{self, DATABASE, Manifest, NODE, Whole};
use crate::{
    config::Config,
    folder::{DATABASE as DATABASE_FILE, RESTORING},
    hardening::Hardening,
    wire,
};

/// The folders of journals.
const JOURNALS: &[&str] = &["audit", "events", "users"];

/// What was brought back, for a person.
#[derive(Debug)]
pub struct Restored {
    /// Sentences.
    pub lines: Vec<String>,
}

/// Reads an archive to its end and proves that it is whole. Without the master key nobody can tell
/// who made it.
///
/// # Errors
/// What is wrong with it.
pub fn check(archive: &Path) -> anyhow::Result<Restored> {
    let whole = archive::read(open(archive)?, |_, _| Ok(()))?;
    Ok(Restored {
        lines: vec![
            format!("{} is whole.", archive.display()),
            described(&whole.manifest),
        ],
    })
}

/// Brings an archive back. Nothing is at its place before everything was proven, the master key
/// included.
///
/// # Errors
/// What is wrong; the folder and the database are then as empty as before.
pub async fn restore(
    archive: &Path,
    config: &Config,
    hardening: &Hardening,
) -> anyhow::Result<Restored> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let folder = std::path::absolute(&config.server.data_dir)
        .context("the data folder has no absolute path")?;
    make_folder(&folder)?;
    only_keys_in(config, &folder)?;
    let draft = folder.join(RESTORING);
    if draft.exists() {
        fs::remove_dir_all(&draft).context("an unfinished restore cannot be cleared away")?;
    }
    let begun = begin(archive, config, hardening, &folder, &draft, &clock).await;
    let (whole, restored) = match begun {
        Ok(begun) => begun,
        Err(error) => {
            // Nothing has left the draft yet.
            let _ = fs::remove_dir_all(&draft);
            return Err(error);
        }
    };
    if !config.database.url.is_empty() {
        let db = Db::connect_with(&config.database.url, options(&whole.manifest))
            .await
            .context("the control database cannot be opened")?;
        load(&db, &draft, &restored).await.inspect_err(|_| {
            let _ = fs::remove_dir_all(&draft);
        })?;
        db.close().await;
        fs::remove_file(draft.join(DATABASE_FILE)).context("the draft cannot be cleared")?;
        for beside in ["-wal", "-shm"] {
            let _ = fs::remove_file(draft.join(format!("{DATABASE_FILE}{beside}")));
        }
    }
    fs::remove_file(draft.join(DATABASE)).context("the draft cannot be cleared")?;
    put_in_place(&draft, &folder)?;
    Ok(Restored {
        lines: vec![
            described(&whole.manifest),
            format!(
                "It was brought back to {}. What happened after {} is not in it, and what was \
                 revoked after it works again.",
                folder.display(),
                whole.manifest.head.taken_at
            ),
            "The next start is in quarantine: keys are handed out and calls are carried, but \
             nothing is changed outside. Compare with `diamond admin restore:status`, then \
             `diamond admin restore:release`."
                .to_owned(),
        ],
    })
}

async fn begin(
    archive: &Path,
    config: &Config,
    hardening: &Hardening,
    folder: &Path,
    draft: &Path,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<(Whole, NewRestore)> {
    make_folder(draft)?;
    for journal in JOURNALS {
        make_folder(&draft.join(journal))?;
    }
    let whole = archive::read(open(archive)?, |name, content| {
        let path = draft.join(name);
        if let Some(folder) = path.parent() {
            make_folder(folder)?;
        }
        write_durably(&path, content).with_context(|| format!("{name} cannot be written"))
    })?;
    ensure!(
        whole.manifest.head.schema_version <= diamond_db::dump::newest_schema_version(),
        "the backup is of a newer release ({}): take that one",
        whole.manifest.head.release
    );
    let restore = NewRestore {
        restored_at: clock.now(),
        taken_at: whole.manifest.head.taken_at,
        archive: whole.digest.clone(),
        counts: serde_json::to_string(&whole.manifest.counts)?,
    };
    // Always by way of SQLite: the key that proves the archive is in the rows, under the master key.
    let url = format!("sqlite://{}?mode=rwc", draft.join(DATABASE_FILE).display());
    let db = Db::connect_with(&url, options(&whole.manifest)).await?;
    load(&db, draft, &restore).await?;
    let (secrets, _) = wire::open_secrets(config, folder, &db, clock, hardening)
        .await
        .context(
            "the backup is whole, but the master key does not open it: a backup needs the master \
             key of its time",
        )?;
    let key = secrets.derive(wire::BACKUP_KEY);
    ensure!(
        whole.is_by(&key),
        "the archive was not made by this installation: its manifest does not bear its mark"
    );
    db.close().await;
    Ok((whole, restore))
}

/// As the rows of the archive are to be read, and then as this release has them.
fn options(manifest: &Manifest) -> DbOptions {
    DbOptions {
        schema_version: manifest.head.schema_version,
        ..DbOptions::default()
    }
}

async fn load(db: &Db, draft: &Path, restore: &NewRestore) -> anyhow::Result<()> {
    let mut load = Load::begin(db).await?;
    let rows = BufReader::new(File::open(draft.join(DATABASE))?);
    for line in rows.lines() {
        let row: DumpedRow = serde_json::from_str(&line?).context("a row cannot be read")?;
        load.add(&row).await?;
    }
    load.commit(restore).await?;
    Ok(())
}

fn open(archive: &Path) -> anyhow::Result<impl Read> {
    let file = File::open(archive)
        .with_context(|| format!("the archive {} cannot be read", archive.display()))?;
    Ok(BufReader::with_capacity(1 << 20, file))
}

fn make_folder(path: &Path) -> anyhow::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("the folder {} cannot be made", path.display()))
}

/// The master key may stand in the data folder already; anything else is somebody's.
fn only_keys_in(config: &Config, folder: &Path) -> anyhow::Result<()> {
    let keys: Vec<PathBuf> = [
        &config.secrets.master_key_file,
        &config.secrets.next_master_key_file,
        &config.secrets.passphrase_file,
        &folder.join("master-key"),
    ]
    .into_iter()
    .filter_map(|path| std::path::absolute(path).ok())
    .collect();
    for entry in fs::read_dir(folder).context("the data folder cannot be read")? {
        let path = entry?.path();
        ensure!(
            keys.contains(&path) || path.ends_with(RESTORING),
            "the data folder {} is not empty (there is `{}`): a backup is brought back into an \
             empty one only",
            folder.display(),
            path.file_name().unwrap_or_default().to_string_lossy()
        );
    }
    Ok(())
}

fn write_durably(path: &Path, content: &mut dyn Read) -> anyhow::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    io::copy(content, &mut file)?;
    file.sync_all()?;
    Ok(())
}

/// Moves every part to its place, and the draft away last of all.
fn put_in_place(draft: &Path, folder: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(draft).context("the draft cannot be read")? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_folders(&entry.path())?;
        }
        fs::rename(entry.path(), folder.join(entry.file_name()))
            .with_context(|| format!("{} cannot be moved", entry.path().display()))?;
    }
    File::open(folder)?.sync_all()?;
    fs::remove_dir(draft).context("the draft cannot be removed")?;
    File::open(folder)?.sync_all()?;
    debug_assert!(folder.join(NODE).exists(), "every archive has a node");
    Ok(())
}

fn sync_folders(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_folders(&entry.path())?;
        }
    }
    File::open(path)?.sync_all()
}

fn described(manifest: &Manifest) -> String {
    let rows = |table: &str| manifest.counts.rows.get(table).copied().unwrap_or(0);
    format!(
        "It is of {}, by release {}, node {}: {} tenants, {} tokens, {} versions of keys, events up \
         to {}, audit entries up to {}.",
        manifest.head.taken_at,
        manifest.head.release,
        manifest.head.node,
        rows("tenants"),
        rows("tokens"),
        rows("key_versions"),
        manifest.counts.ledger_sequence,
        manifest.counts.audit_sequence,
    )
}
