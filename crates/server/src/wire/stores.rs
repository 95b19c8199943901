//! Opening the stores that the settings choose.

use std::{path::Path, sync::Arc};

use anyhow::{Context as _, bail};
use diamond_app::WebhookWitness;
use diamond_db::Db;
use diamond_domain::Clock;
use diamond_journal::{Disk, JournalOptions};
use diamond_secrets::SigningKey;
use diamond_usage::{RecoveredCalls, UsageJournal, UsageJournalOptions, Witness, WitnessFile};
use jiff::SignedDuration;

use super::volume::shares_volume;
use crate::{
    config::{AuditSection, Config, Profile},
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
            reserve_bytes: config.journal.reserve_bytes,
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

/// Who keeps checkpoints of the audit chain besides us.
pub(super) fn open_witnesses(
    config: &Config,
    folder: &Path,
    signer: impl Fn() -> anyhow::Result<SigningKey>,
    authorities: &[impl AsRef<[u8]>],
) -> anyhow::Result<Vec<Arc<dyn Witness>>> {
    let section = &config.audit;
    let mut witnesses: Vec<Arc<dyn Witness>> = Vec::new();
    if !section.witness_file.as_os_str().is_empty() {
        let path = std::path::absolute(&section.witness_file)
            .context("`audit.witness_file` has no absolute path")?;
        judge_witness(section, config.server.profile, folder, &path)?;
        witnesses.push(Arc::new(WitnessFile::new(path)));
    }
    if !section.witness_url.is_empty() {
        let webhook = WebhookWitness::new(section.witness_url.clone(), signer()?, authorities);
        witnesses.push(Arc::new(webhook.context("no client for the witness")?));
    }
    Ok(witnesses)
}

/// A witness on the volume that it watches is lost, filled up and rewritten together with it.
fn judge_witness(
    section: &AuditSection,
    profile: Profile,
    folder: &Path,
    place: &Path,
) -> anyhow::Result<()> {
    if !shares_volume(folder, place) {
        return Ok(());
    }
    let what = format!(
        "the witness file {} is on the same volume as the data folder {}, so whoever can change the \
         audit log can change its witness too",
        place.display(),
        folder.display()
    );
    if profile == Profile::Production && !section.allow_witness_on_data_volume {
        bail!(
            "{what}: name a file on another volume in `audit.witness_file`, or an address in \
             `audit.witness_url`; or, knowing this, set `audit.allow_witness_on_data_volume`"
        );
    }
    tracing::warn!("{what}");
    Ok(())
}
