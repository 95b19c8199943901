//! Transactions that write.

use sqlx::{Any, AnyConnection, Executor as _, pool::PoolConnection};
use tokio::sync::OwnedSemaphorePermit;

use crate::{ChangeSubject, Db, DbError, changes, connection::Engine};

/// A transaction that writes; what is not committed is rolled back when it is dropped.
///
/// The statements are ours rather than sqlx's: its count of open transactions is wrong after
/// SQLite, out of room, has rolled one back by itself, and the connection is then of no use for
/// writes.
pub(crate) struct Writing {
    // Dropped before the turn is given on.
    connection: Held,
    _turn: Option<OwnedSemaphorePermit>,
}

impl Writing {
    /// Begins. On SQLite the write lock is taken at once: a transaction that read first and
    /// writes later could find that it read the past.
    pub(crate) async fn begin(db: &Db) -> Result<Self, DbError> {
        let (turn, begin) = match db.engine {
            Engine::Sqlite => {
                let turn = db.writers.clone().acquire_owned().await;
                let turn = turn.map_err(|closed| DbError::Unavailable(Box::new(closed)))?;
                (Some(turn), "BEGIN IMMEDIATE")
            }
            Engine::Postgres => (None, "BEGIN"),
        };
        db.in_place().await?;
        let mut writing = Self {
            connection: Held {
                connection: db.pool.acquire().await?,
                engine: db.engine,
                ended: false,
            },
            _turn: turn,
        };
        writing.connection().execute(begin).await?;
        Ok(writing)
    }

    /// The connection, for statements.
    pub(crate) fn connection(&mut self) -> &mut AnyConnection {
        &mut self.connection.connection
    }

    /// Makes everything durable, or nothing.
    pub(crate) async fn commit(mut self) -> Result<(), DbError> {
        self.connection().execute("COMMIT").await?;
        self.connection.ended = true;
        Ok(())
    }
}

/// A connection that is inside a transaction, or may be, until its commit was answered.
struct Held {
    connection: PoolConnection<Any>,
    engine: Engine,
    ended: bool,
}

impl Drop for Held {
    fn drop(&mut self) {
        // Hanging up rolls back at the server, in whatever state the connection is. SQLite's
        // connections are rolled back on their way into the pool (`outside_a_transaction`):
        // on a full disk the file may not open a second time, and reads must go on.
        if !self.ended && self.engine == Engine::Postgres {
            self.connection.close_on_drop();
        }
    }
}

/// Ends what transaction a SQLite connection is still in; whether it surely is in none now.
pub(crate) async fn outside_a_transaction(connection: &mut AnyConnection) -> bool {
    match connection.execute("ROLLBACK").await {
        Ok(_) => true,
        // SQLITE_ERROR: there is nothing to roll back.
        Err(sqlx::Error::Database(error)) => error.code().as_deref() == Some("1"),
        Err(_) => false,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DbOptions, installation};
    use jiff::Timestamp;

    /// With one connection, so that whatever a test leaves behind meets the next call.
    async fn single(url: &str) -> Db {
        let options = DbOptions {
            max_connections: 1,
            ..DbOptions::default()
        };
        Db::connect_with(url, options).await.unwrap()
    }

    async fn sqlite() -> (tempfile::TempDir, Db) {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("c.db").display());
        let db = single(&url).await;
        (folder, db)
    }

    async fn append(db: &Db, bytes: usize) -> Result<(), DbError> {
        let mut changing = Changing::begin(db).await?;
        sqlx::query("INSERT INTO filling (text) VALUES ($1)")
            .bind("x".repeat(bytes))
            .execute(changing.connection())
            .await?;
        changing.0.commit().await
    }

    async fn count(db: &Db, query: &'static str) -> i64 {
        let rows = sqlx::query_scalar(query).fetch_one(&db.pool).await;
        rows.unwrap()
    }

    #[tokio::test]
    async fn sqlite_writes_again_when_there_is_room_again() {
        let (_folder, db) = sqlite().await;
        let execute = async |statement| sqlx::query(statement).execute(&db.pool).await.unwrap();
        execute("CREATE TABLE filling (text TEXT NOT NULL)").await;
        // Smaller than the file already is: SQLite takes the file's size.
        execute("PRAGMA max_page_count = 1").await;
        let mut failures = 0;
        let mut stored = 0;
        while failures < 3 {
            match append(&db, 9_000).await {
                Ok(()) => stored += 1,
                Err(error) => {
                    assert!(error.is_unavailable(), "{error:?}");
                    failures += 1;
                }
            }
            assert!(stored < 100, "the limit does not hold");
            // Reads go on, on this very connection.
            assert_eq!(count(&db, "SELECT COUNT(*) FROM filling").await, stored);
        }
        execute("PRAGMA max_page_count = 100000").await;
        append(&db, 9_000).await.unwrap();
        assert_eq!(count(&db, "SELECT COUNT(*) FROM filling").await, stored + 1);
    }

    async fn after_a_commit_that_failed_writes_go_on(db: &Db) {
        for statement in [
            "CREATE TABLE parent (id BIGINT PRIMARY KEY)",
            "CREATE TABLE child (id BIGINT NOT NULL REFERENCES parent (id)
                 DEFERRABLE INITIALLY DEFERRED)",
        ] {
            sqlx::query(statement).execute(&db.pool).await.unwrap();
        }
        for _ in 0..3 {
            let mut writing = Writing::begin(db).await.unwrap();
            sqlx::query("INSERT INTO child (id) VALUES (1)")
                .execute(writing.connection())
                .await
                .unwrap();
            let refused = writing.commit().await;
            assert!(matches!(refused, Err(DbError::Refused(_))), "{refused:?}");
            assert_eq!(count(db, "SELECT COUNT(*) FROM child").await, 0);
        }
        installation::get_or_create(db, Timestamp::UNIX_EPOCH)
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn after_a_commit_that_failed_sqlite_writes_go_on() {
        let (_folder, db) = sqlite().await;
        after_a_commit_that_failed_writes_go_on(&db).await;
    }

    #[tokio::test]
    async fn after_a_commit_that_failed_postgres_writes_go_on() {
        let place = diamond_test_support::postgres().await;
        after_a_commit_that_failed_writes_go_on(&single(place.url()).await).await;
    }
}
