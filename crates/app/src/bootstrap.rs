//! The first start: an operator's token, so that somebody can begin.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use diamond_admission::AccessToken;
use diamond_db::{Db, DbError, TokenRow};
use diamond_domain::{Clock, ScopeSet, TokenId};

use crate::tokens::lifetime_end;

/// What the first start did.
#[derive(Debug, PartialEq, Eq)]
pub enum FirstStart {
    /// An operator's token was made and written to this file.
    TokenWritten(PathBuf),
    /// There are tokens already; nothing was done.
    NotTheFirst,
}

/// Why the operator's token was not made.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// The control database failed.
    #[error("the control database cannot be used")]
    Database(#[from] DbError),
    /// The file cannot be written.
    #[error("the operator's token cannot be written to {path}")]
    File {
        /// Where it should stand.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

/// Makes the operator's token if there is no token at all, and writes it to `path` with mode 0600.
///
/// The file is written before the token is valid: a crash between the two leaves a file with a
/// token that opens nothing, and the next start writes another.
///
/// # Errors
/// [`BootstrapError`]; nothing is valid then that was not before.
pub async fn bootstrap(
    db: &Db,
    clock: &dyn Clock,
    lifetime: Duration,
    path: &Path,
) -> Result<FirstStart, BootstrapError> {
    if !diamond_db::operator::list_tokens(db, None, 1)
        .await?
        .is_empty()
    {
        return Ok(FirstStart::NotTheFirst);
    }
    let token = AccessToken::generate();
    write_private(path, token.expose()).map_err(|source| BootstrapError::File {
        path: path.to_owned(),
        source,
    })?;
    let now = clock.now();
    let row = TokenRow {
        id: TokenId::generate(now),
        hash: *token.hash().as_bytes(),
        tenant: None,
        name: "operator".into(),
        owner: "whoever set up this installation".into(),
        purpose: "first administration; make named tokens with it, then revoke it".into(),
        scopes: ScopeSet::all(),
        user: None,
        services: None,
        addresses: Vec::new(),
        created_at: now,
        expires_at: lifetime_end(now, lifetime),
        revoked_at: None,
        last_used_at: None,
    };
    diamond_db::tokens::insert(db, &row).await?;
    Ok(FirstStart::TokenWritten(path.to_owned()))
}

/// Writes the file as a whole, readable by its owner alone from the first byte on.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;

    let draft = path.with_extension("new");
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    match path.parent() {
        Some(folder) => fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
