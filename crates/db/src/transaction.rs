//! Transactions that write.

use sqlx::{Any, AnyConnection, Transaction};
use tokio::sync::OwnedSemaphorePermit;

use crate::{ChangeSubject, Db, DbError, changes, connection::Engine};

/// A transaction that writes; what is not committed is rolled back when it is dropped.
pub(crate) struct Writing {
    // Dropped before the turn is given on.
    transaction: Transaction<'static, Any>,
    _turn: Option<OwnedSemaphorePermit>,
}

impl Writing {
    /// Begins. On SQLite the write lock is taken at once: a transaction that read first and
    /// writes later could find that it read the past.
    pub(crate) async fn begin(db: &Db) -> Result<Self, DbError> {
        let (turn, transaction) = match db.engine {
            Engine::Sqlite => {
                let turn = db.writers.clone().acquire_owned().await;
                let turn = turn.map_err(|closed| DbError::Unavailable(Box::new(closed)))?;
                (Some(turn), db.pool.begin_with("BEGIN IMMEDIATE").await?)
            }
            Engine::Postgres => (None, db.pool.begin().await?),
        };
        Ok(Self {
            transaction,
            _turn: turn,
        })
    }

    /// The connection, for statements.
    pub(crate) fn connection(&mut self) -> &mut AnyConnection {
        &mut self.transaction
    }

    /// Makes everything durable, or nothing.
    pub(crate) async fn commit(self) -> Result<(), DbError> {
        Ok(self.transaction.commit().await?)
    }
}

/// A transaction over tenants, tokens or key versions. Such transactions run one after the other,
/// also across nodes: each holds the head of the change log from its beginning to its commit, so
/// what it reads is the present and the log's order is the order of commits.
pub(crate) struct Changing(Writing);

impl Changing {
    pub(crate) async fn begin(db: &Db) -> Result<Self, DbError> {
        let mut writing = Writing::begin(db).await?;
        changes::hold_head(writing.connection()).await?;
        Ok(Self(writing))
    }

    pub(crate) fn connection(&mut self) -> &mut AnyConnection {
        self.0.connection()
    }

    /// Enters the change and commits. Without it nothing of the transaction happened.
    pub(crate) async fn commit(mut self, subject: &ChangeSubject) -> Result<(), DbError> {
        changes::append(self.0.connection(), subject).await?;
        self.0.commit().await
    }
}
