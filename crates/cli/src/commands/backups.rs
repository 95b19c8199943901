//! `admin backup`, `admin restore:status`, `admin restore:release`.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use clap::Args;
use diamond_api_types::{ReleaseRestoreRequest, RestoreComparison, RestoreStatusResponse};

use super::Session;
use crate::{
    Terminal,
    client::Download,
    failure::Failure,
    table::{or_dash, printable, render},
};

/// A backup to take.
#[derive(Debug, Args)]
pub struct BackupArguments {
    /// Where to write the archive; it must not be there yet
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

/// A quarantine to end.
#[derive(Debug, Args)]
pub struct ReleaseArguments {
    /// Digest of the comparison that you looked at (`restore:status` prints it)
    #[arg(long)]
    digest: String,
    /// Why; kept in the audit
    #[arg(long)]
    reason: String,
}

/// Takes a backup. The file is there whole or not at all.
pub async fn backup(
    arguments: BackupArguments,
    session: &Session<'_>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let to = arguments.to;
    if to.exists() {
        return Err(Failure::input(format!(
            "{} is there already: a backup takes nobody's place",
            to.display()
        )));
    }
    let draft = PathBuf::from(format!("{}.part", to.display()));
    let download = session
        .client(terminal)?
        .download(&["api", "backup"])
        .await?;
    let written = write(download, &draft, terminal).await.and_then(|bytes| {
        fs::rename(&draft, &to)?;
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(bytes)
    });
    let bytes = written.inspect_err(|_| {
        let _ = fs::remove_file(&draft);
    })?;
    if session.is_json() {
        let told = serde_json::json!({ "file": to.display().to_string(), "bytes": bytes });
        return terminal.data(&told.to_string());
    }
    terminal.data(&format!("{} has {bytes} bytes", to.display()))?;
    terminal.message(
        "It does not hold the master key: without the key of its time nobody can bring it back.",
    );
    Ok(())
}

async fn write(mut download: Download, draft: &Path, terminal: &Terminal) -> Result<u64, Failure> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(draft)?;
    // How large it becomes nobody knows before its end.
    let bar = terminal.bar("{spinner} {bytes} at {bytes_per_sec}, {elapsed}");
    while let Some(piece) = download.next().await? {
        file.write_all(&piece)?;
        bar.inc(piece.len() as u64);
    }
    file.sync_all()?;
    let bytes = bar.position();
    bar.finish_and_clear();
    Ok(bytes)
}

/// Shows what was in the backup and what there is.
pub async fn status(session: &Session<'_>, terminal: &mut Terminal) -> Result<(), Failure> {
    let answer = session
        .client(terminal)?
        .get(&["api", "restore"], &())
        .await?;
    session.present(&answer, terminal, show)
}

/// Ends the quarantine.
pub async fn release(
    arguments: ReleaseArguments,
    session: &Session<'_>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let ReleaseArguments { digest, reason } = arguments;
    let answer = session
        .client(terminal)?
        .post(
            &["api", "restore", "release"],
            &ReleaseRestoreRequest { digest, reason },
        )
        .await?;
    session.present(&answer, terminal, |_: RestoreStatusResponse, terminal| {
        terminal.data("released")
    })
}

fn show(status: RestoreStatusResponse, terminal: &mut Terminal) -> Result<(), Failure> {
    let (Some(found), Some(digest)) = (&status.comparison, &status.digest) else {
        return terminal.data("this installation was never brought back from a backup");
    };
    terminal.data(&compared(found))?;
    if !found.recent.is_empty() {
        terminal.message(
            "Works, and was made or changed in the week before the backup: if any of it was revoked \
             after the backup, revoke it again.",
        );
        terminal.data(&render(
            ["KIND", "TENANT", "WHICH", "SINCE"],
            found.recent.iter().map(|change| {
                [
                    change.kind.clone(),
                    or_dash(change.tenant_id.as_ref()),
                    printable(&change.subject),
                    change.at.to_string(),
                ]
            }),
        ))?;
    }
    if found.more_recent {
        terminal.message("there is more of it than is listed");
    }
    match &status.released {
        Some(released) => terminal.message(&format!(
            "released at {} with {}: {}",
            released.at,
            released.by,
            printable(&released.reason)
        )),
        None => terminal.message(&format!(
            "in quarantine: nothing is changed outside. To end it: diamond admin restore:release \
             --digest {digest} --reason WHY"
        )),
    }
    Ok(())
}

fn compared(found: &RestoreComparison) -> String {
    let counted = |pointer: &str| {
        let number = found.counted.pointer(pointer);
        or_dash(number.and_then(serde_json::Value::as_u64))
    };
    let rows = [
        (
            "moment of the backup",
            found.taken_at.to_string(),
            String::new(),
        ),
        ("brought back", String::new(), found.restored_at.to_string()),
        (
            "tenants",
            counted("/rows/tenants"),
            found.tenants.to_string(),
        ),
        (
            "of them suspended",
            String::new(),
            found.suspended.to_string(),
        ),
        (
            "tokens (now: live ones)",
            counted("/rows/tokens"),
            found.live_tokens.to_string(),
        ),
        (
            "versions of keys (now: live ones)",
            counted("/rows/key_versions"),
            found.live_versions.to_string(),
        ),
        (
            "that do not open",
            String::new(),
            found.unreadable_versions.to_string(),
        ),
        (
            "newest event",
            counted("/ledgerSequence"),
            found.ledger_sequence.to_string(),
        ),
        (
            "direct cost, USD",
            String::new(),
            found.direct_cost_usd.to_string(),
        ),
        (
            "audit entries",
            counted("/auditSequence"),
            found.audit_entries.map_or_else(
                || "the chain does not hold".to_owned(),
                |entries| entries.to_string(),
            ),
        ),
    ];
    render(
        ["", "BACKUP", "NOW"],
        rows.into_iter()
            .map(|(what, before, now)| [what.to_owned(), before, now]),
    )
}
