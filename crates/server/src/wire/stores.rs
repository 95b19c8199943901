//! Opening the stores that the settings choose.

use std::{fs, path::Path, sync::Arc};

use anyhow::Context as _;
use diamond_db::Db;
use diamond_domain::Clock;
use diamond_journal::{Disk, JournalOptions};
use diamond_pricing::Catalog;
use diamond_secrets::{MasterKeySource, SealedStore};
use diamond_usage::{RecoveredCalls, UsageJournal, UsageJournalOptions};
use jiff::SignedDuration;

use crate::{
    config::{Config, SecretsSection},
    folder::DATABASE,
};

pub(super) async fn open_journal(
    config: &Config,
    folder: &Path,
    disk: Arc<dyn Disk>,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<(Arc<UsageJournal>, RecoveredCalls)> {
    let defaults = UsageJournalOptions::default();
    let options = UsageJournalOptions {
        dedup_window: SignedDuration::from_hours(i64::from(config.journal.dedup_days) * 24),
        journal: JournalOptions {
            segment_bytes: config.journal.segment_bytes,
            ..defaults.journal
        },
    };
    let (folder, clock) = (folder.to_owned(), Arc::clone(clock));
    tokio::task::spawn_blocking(move || UsageJournal::open(&folder, disk, clock, options))
        .await
        .context("opening the usage journal was interrupted")?
        .context("the usage journal cannot be opened")
}

pub(super) async fn open_database(config: &Config, folder: &Path) -> anyhow::Result<Db> {
    let url = if config.database.url.is_empty() {
        format!("sqlite://{}?mode=rwc", folder.join(DATABASE).display())
    } else {
        config.database.url.clone()
    };
    Db::connect(&url)
        .await
        .context("the control database cannot be opened")
}

pub(super) async fn open_secrets(
    section: &SecretsSection,
    folder: &Path,
    db: &Db,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<SealedStore> {
    let source = if section.passphrase_file.as_os_str().is_empty() {
        let path = if section.master_key_file.as_os_str().is_empty() {
            folder.join("master-key")
        } else {
            section.master_key_file.clone()
        };
        // Only a store that was never sealed gets a new key: for another, a missing file is a
        // loss that must be seen.
        if !path.exists() && !SealedStore::is_made(db).await? {
            MasterKeySource::create_file(&path)?;
            tracing::warn!(
                path = %path.display(),
                "a master key was made: whoever loses this file loses every stored key; keep a \
                 copy apart from the backups of the data folder"
            );
        }
        MasterKeySource::File(path)
    } else {
        let path = &section.passphrase_file;
        let text = fs::read_to_string(path)
            .with_context(|| format!("the passphrase file {} cannot be read", path.display()))?;
        MasterKeySource::Passphrase(zeroize::Zeroizing::new(text.trim_end().to_owned()))
    };
    let wrapper = source
        .load(db)
        .await
        .context("the master key cannot be had")?;
    SealedStore::open(db.clone(), wrapper, Arc::clone(clock))
        .await
        .context("the secret store cannot be opened")
}

pub(super) fn open_catalog(config: &Config) -> anyhow::Result<Catalog> {
    let catalog = Catalog::embedded().context("the embedded price catalog is broken")?;
    let path = &config.costs.price_file;
    if path.as_os_str().is_empty() {
        return Ok(catalog);
    }
    let text = fs::read_to_string(path)
        .with_context(|| format!("the price file {} cannot be read", path.display()))?;
    catalog
        .with_overrides(&text)
        .with_context(|| format!("the price file {} cannot be used", path.display()))
}
