//! Taking a backup.

use async_trait::async_trait;
use bytes::Bytes;
use diamond_db::DbError;
use diamond_domain::Scope;
use diamond_usage::{AuditAction, AuditOutcome};
use tokio::sync::mpsc;

use crate::{App, AppError, RequestContext, audit::AuditSubject};

/// An archive, piece by piece. It ends after its last piece, or with an error when it could not be
/// finished.
pub type BackupStream = mpsc::Receiver<std::io::Result<Bytes>>;

/// Why no backup was begun.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The control database does not answer.
    #[error("the control database cannot be read")]
    Database(#[from] DbError),
    /// Something else cannot be read, or the folder has no room for the rows of the database.
    #[error("what is to be kept cannot be read, or there is no room to put it together")]
    Other(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl BackupError {
    /// For whatever else went wrong.
    pub fn other(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Other(error.into())
    }
}

impl From<std::io::Error> for BackupError {
    fn from(error: std::io::Error) -> Self {
        Self::other(error)
    }
}

/// Makes archives of everything that this node keeps; never the master key.
#[async_trait]
pub trait Backups: Send + Sync {
    /// Takes the moment, and hands everything of it out while the server goes on.
    async fn begin(&self) -> Result<BackupStream, BackupError>;
}

impl App {
    /// Begins a backup.
    ///
    /// # Errors
    /// Refused for anybody but operators with `tenants:admin`; `backup_unavailable`.
    pub async fn take_backup(&self, ctx: &RequestContext) -> Result<BackupStream, AppError> {
        let parts = self.parts();
        parts
            .admission
            .operator_access(&ctx.caller, Scope::TenantsAdmin)?;
        self.record(
            ctx,
            AuditAction::BackupTake,
            AuditOutcome::Granted,
            AuditSubject::default(),
        )
        .await?;
        parts.backups.begin().await.map_err(|error| match error {
            BackupError::Database(error) => error.into(),
            BackupError::Other(_) => AppError::unavailable(
                "backup_unavailable",
                "no backup can be made at the moment: try again, and look at the log",
                error,
            ),
        })
    }
}
