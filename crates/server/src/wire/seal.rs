//! Unsealing: where the master key comes from, and whether that is a safe place.

use std::{
    fs::{self, Metadata},
    io::Read as _,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
    sync::Arc,
};

use anyhow::{Context as _, bail, ensure};
use diamond_app::SealFacts;
use diamond_db::Db;
use diamond_domain::Clock;
use diamond_secrets::{MasterKeySource, MasterKeys, OpenError, SealedStore};
use zeroize::Zeroizing;

use super::volume::shares_volume;
use crate::{
    config::{Config, PassphraseFrom, Profile, SecretsSection},
    hardening::Hardening,
};

/// The longest passphrase on standard input, in bytes.
const PASSPHRASE_BYTES_MAX: usize = 4096;

/// Opens the secret store with the master key that the settings name.
pub(crate) async fn open_secrets(
    config: &Config,
    folder: &Path,
    db: &Db,
    clock: &Arc<dyn Clock>,
    hardening: &Hardening,
) -> anyhow::Result<(SealedStore, SealFacts)> {
    let section = &config.secrets;
    let mut facts = SealFacts {
        profile: config.server.profile.as_str().to_owned(),
        on_data_volume: None,
        memory_locked: hardening.memory_locked,
        warnings: hardening.warnings.clone(),
    };
    let is_made = SealedStore::is_made(db).await?;
    let present = present_source(section, folder, is_made).await?;
    let next = next_source(section);
    let places = [Some(&present), next.as_ref()].into_iter().flatten();
    for place in places.filter_map(MasterKeySource::path) {
        judge_place(config, folder, place, &mut facts)?;
    }
    // Only a store that was never sealed gets a new key: for another, a missing file is a loss that
    // must be seen.
    if let MasterKeySource::File(path) = &present
        && !is_made
        && !path.exists()
    {
        MasterKeySource::create_file(path).context("the master key cannot be made")?;
        tracing::warn!(path = %path.display(), "{FIRST_FILE}");
    } else if !is_made {
        tracing::warn!("{FIRST_OTHER}");
    }
    if let Some(path) = present.path().filter(|path| path.exists()) {
        judge_file(config.server.profile, path, &mut facts)?;
    }
    for warning in &facts.warnings {
        tracing::warn!("{warning}");
    }
    let store = SealedStore::open(
        db.clone(),
        MasterKeys::new(present, next),
        Arc::clone(clock),
    )
    .await
    .map_err(|error| match error {
        OpenError::Key(error) => anyhow::Error::new(error).context("the master key cannot be had"),
        OpenError::Store(error) => {
            anyhow::Error::new(error).context("the secret store cannot be opened")
        }
    })?;
    Ok((store, facts))
}

/// Said once, when it can still be heeded.
const FIRST_FILE: &str = "first start: a master key was made. Every stored key is sealed with it: \
    whoever loses this file loses every stored key, and nobody can bring them back; whoever has it \
    and the database has them all. Copy it now to a place that outlives this machine (a password \
    manager, a sealed envelope) and keep that copy apart from the backups of the data folder";
const FIRST_OTHER: &str = "first start: the store is sealed with the master key or passphrase that \
    was given. Every stored key is sealed with it: whoever loses it loses every stored key, and \
    nobody can bring them back; whoever has it and the database has them all. Keep it in a place \
    that outlives this machine, apart from the backups of the data folder";

fn is_set(path: &Path) -> bool {
    !path.as_os_str().is_empty()
}

async fn present_source(
    section: &SecretsSection,
    folder: &Path,
    is_made: bool,
) -> anyhow::Result<MasterKeySource> {
    let source = match section.passphrase {
        PassphraseFrom::Prompt => MasterKeySource::Passphrase(
            tokio::task::spawn_blocking(move || prompt(is_made))
                .await
                .context("asking for the passphrase was interrupted")??,
        ),
        PassphraseFrom::Stdin => MasterKeySource::Passphrase(
            tokio::task::spawn_blocking(read_standard_input)
                .await
                .context("reading the passphrase was interrupted")??,
        ),
        PassphraseFrom::Nobody if is_set(&section.passphrase_file) => {
            MasterKeySource::PassphraseFile(section.passphrase_file.clone())
        }
        PassphraseFrom::Nobody if is_set(&section.master_key_file) => {
            MasterKeySource::File(section.master_key_file.clone())
        }
        PassphraseFrom::Nobody => MasterKeySource::File(folder.join("master-key")),
    };
    Ok(source)
}

fn next_source(section: &SecretsSection) -> Option<MasterKeySource> {
    if is_set(&section.next_passphrase_file) {
        let path = section.next_passphrase_file.clone();
        return Some(MasterKeySource::PassphraseFile(path));
    }
    is_set(&section.next_master_key_file)
        .then(|| MasterKeySource::File(section.next_master_key_file.clone()))
}

/// At the first start twice: a slip of the finger would seal everything with a passphrase that
/// nobody knows.
fn prompt(is_made: bool) -> anyhow::Result<Zeroizing<String>> {
    let ask = |words: &str| {
        rpassword::prompt_password(words)
            .map(Zeroizing::new)
            .context("there is no terminal to ask for the passphrase on: `secrets.passphrase = \"stdin\"` reads it from a pipe")
    };
    let passphrase = ask("Passphrase of the master key (not shown): ")?;
    if !is_made {
        let again = ask("The same once more, because this is the first start: ")?;
        ensure!(*passphrase == *again, "the two passphrases differ");
    }
    Ok(passphrase)
}

/// Up to the end or the first line end, whichever comes first, so that the pipe may stay open.
fn read_standard_input() -> anyhow::Result<Zeroizing<String>> {
    let mut input = std::io::stdin().lock();
    let mut bytes = Zeroizing::new(Vec::with_capacity(PASSPHRASE_BYTES_MAX));
    let mut one = [0_u8; 1];
    loop {
        let read = input.read(&mut one);
        let read = read.context("the passphrase cannot be read from standard input")?;
        if read == 0 || one[0] == b'\n' {
            break;
        }
        ensure!(
            bytes.len() < PASSPHRASE_BYTES_MAX,
            "the passphrase on standard input is longer than {PASSPHRASE_BYTES_MAX} bytes"
        );
        bytes.push(one[0]);
    }
    let text = std::str::from_utf8(&bytes).ok();
    let text = text.context("the passphrase on standard input is no text")?;
    Ok(Zeroizing::new(text.trim_end().to_owned()))
}

/// A key on the volume that it protects is a key that is copied with it.
fn judge_place(
    config: &Config,
    folder: &Path,
    place: &Path,
    facts: &mut SealFacts,
) -> anyhow::Result<()> {
    let shared = shares_volume(folder, place);
    facts.on_data_volume = Some(facts.on_data_volume.unwrap_or(false) || shared);
    if !shared {
        return Ok(());
    }
    let what = format!(
        "{} is on the same volume as the data folder {}, so whoever copies or finds that volume has \
         every stored key",
        place.display(),
        folder.display()
    );
    let allowed = config.secrets.allow_master_key_on_data_volume;
    if config.server.profile == Profile::Production && !allowed {
        bail!(
            "{what}: put it on another volume (a mounted secret, a tmpfs, a systemd credential) and \
             name it in `secrets.master_key_file` or `secrets.passphrase_file`; or, knowing this, \
             set `secrets.allow_master_key_on_data_volume`"
        );
    }
    facts.warnings.push(what);
    Ok(())
}

/// Who else could read or replace the file.
fn judge_file(profile: Profile, path: &Path, facts: &mut SealFacts) -> anyhow::Result<()> {
    let metadata = fs::metadata(path)
        .with_context(|| format!("the file {} cannot be looked at", path.display()))?;
    for what in faults_of(path, &metadata) {
        if profile == Profile::Production {
            bail!("{what}");
        }
        facts.warnings.push(what);
    }
    Ok(())
}

fn faults_of(path: &Path, metadata: &Metadata) -> Vec<String> {
    let mut faults = Vec::new();
    let own = rustix::process::geteuid().as_raw();
    let owner = metadata.uid();
    if owner != own && owner != 0 {
        faults.push(format!(
            "{} belongs to the user {owner}, who can read and replace it; `chown {own} {}`",
            path.display(),
            path.display()
        ));
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        faults.push(format!(
            "{} can be read or changed by others (mode {mode:04o}): `chmod 0600 {}`",
            path.display(),
            path.display()
        ));
    }
    faults
}
