//! The pool of connections, and what each connection is told when it opens.

use std::{path::Path, str::FromStr as _, sync::Arc, time::Duration};

use sqlx::{
    AnyConnection, AnyPool, ConnectOptions as _, Connection as _, Executor as _,
    any::{AnyConnectOptions, AnyPoolOptions},
    sqlite::SqliteConnectOptions,
};
use tokio::sync::Semaphore;

use crate::{DbError, migration, place::Place, transaction::outside_a_transaction};

/// Which engine stands behind the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// How the pool behaves.
#[derive(Debug, Clone, Copy)]
pub struct DbOptions {
    /// The most connections that are open at once.
    pub max_connections: u32,
    /// How long a call waits for a free connection before it is [`DbError::Unavailable`].
    pub acquire_timeout: Duration,
    /// Up to which migration the schema is brought: all of them, but for rows of an older
    /// release's backup.
    pub schema_version: i64,
}

impl Default for DbOptions {
    fn default() -> Self {
        Self {
            max_connections: 8,
            acquire_timeout: Duration::from_secs(5),
            schema_version: i64::MAX,
        }
    }
}

/// The control database. Cloning is cheap and shares the pool.
#[derive(Clone)]
pub struct Db {
    pub(crate) pool: AnyPool,
    pub(crate) engine: Engine,
    /// SQLite has one writer at a time and lets the others poll; in one process they queue here
    /// instead, first come first served.
    pub(crate) writers: Arc<Semaphore>,
    /// SQLite's file.
    place: Option<Arc<Place>>,
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The address may hold a password.
        f.debug_struct("Db")
            .field("engine", &self.engine)
            .finish_non_exhaustive()
    }
}

impl Db {
    /// Opens `sqlite://PATH?mode=rwc` (absolute: `sqlite:///var/lib/…`) or `postgres://…` with the
    /// default options and brings the schema up to date. Several nodes may do so at once.
    ///
    /// # Errors
    /// [`DbError::Settings`] for an address of another kind, [`DbError::Schema`] when a newer
    /// release wrote the schema, [`DbError::Damaged`] when the file is.
    pub async fn connect(url: &str) -> Result<Self, DbError> {
        Self::connect_with(url, DbOptions::default()).await
    }

    /// Like [`Db::connect`], with options.
    ///
    /// # Errors
    /// As [`Db::connect`].
    pub async fn connect_with(url: &str, options: DbOptions) -> Result<Self, DbError> {
        sqlx::any::install_default_drivers();
        let engine = match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => Engine::Sqlite,
            Some("postgres" | "postgresql") => Engine::Postgres,
            _ => {
                return Err(DbError::Settings {
                    reason: "the address begins with `sqlite:` or `postgres:`".to_owned(),
                });
            }
        };
        let mut place = None;
        if engine == Engine::Sqlite {
            if url.contains(":memory:") || url.contains("mode=memory") {
                return Err(DbError::Settings {
                    reason: "a database in memory would be gone with its connection".to_owned(),
                });
            }
            let file = SqliteConnectOptions::from_str(url)?;
            place = Some(Arc::new(keep_private(file.get_filename()).await?));
        }
        // The file is there now. Were it moved away later, a new connection must not make another.
        let url = url.replace("mode=rwc", "mode=rw");
        let target = AnyConnectOptions::from_str(&url)?.disable_statement_logging();
        if engine == Engine::Sqlite {
            // The pool tries a file that is damaged until its time is up, and then says only that.
            let mut first = AnyConnection::connect_with(&target).await?;
            set_up_sqlite(&mut first).await?;
            first.close().await?;
        }
        let pool = AnyPoolOptions::new()
            .max_connections(options.max_connections)
            .acquire_timeout(options.acquire_timeout)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    match engine {
                        Engine::Sqlite => set_up_sqlite(connection).await,
                        Engine::Postgres => connection.execute(POSTGRES_SESSION).await.map(drop),
                    }
                })
            })
            .after_release(move |connection, _| {
                Box::pin(async move {
                    Ok(engine == Engine::Postgres || outside_a_transaction(connection).await)
                })
            })
            .connect_with(target)
            .await?;
        let db = Self {
            pool,
            engine,
            writers: Arc::new(Semaphore::new(1)),
            place,
        };
        migration::apply(&db, options.schema_version).await?;
        Ok(db)
    }

    /// Asks the database for an answer.
    ///
    /// # Errors
    /// When it gives none, or SQLite's file is not in its place.
    pub async fn ping(&self) -> Result<(), DbError> {
        self.in_place().await?;
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }

    /// Whether what is written now will be found by the next start.
    pub(crate) async fn in_place(&self) -> Result<(), DbError> {
        match &self.place {
            Some(place) => place.check().await,
            None => Ok(()),
        }
    }

    /// Waits for the calls under way and closes every connection; later calls are
    /// [`DbError::Unavailable`].
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// A lost commit would be a lost key, whatever the server's defaults are; and a node that hangs
/// inside a transaction must not stop the writers of all others.
const POSTGRES_SESSION: &str = "SET synchronous_commit = on;
    SET default_transaction_isolation = 'read committed';
    SET statement_timeout = '30s';
    SET lock_timeout = '15s';
    SET idle_in_transaction_session_timeout = '30s'";

/// `busy_timeout` comes first: turning on the write-ahead log needs the file for itself for a
/// moment. `secure_delete` overwrites what is deleted, so that a destroyed value is gone. Each
/// connection's cache is small: the hot path reads memory of our own, the rest the system's cache.
async fn set_up_sqlite(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    const SESSION: &str = "PRAGMA busy_timeout = 10000;
        PRAGMA journal_mode = WAL;
        PRAGMA synchronous = FULL;
        PRAGMA foreign_keys = ON;
        PRAGMA secure_delete = ON;
        PRAGMA cache_size = -512";
    const ATTEMPTS: u32 = 50;
    for _ in 1..ATTEMPTS {
        match connection.execute(SESSION).await {
            // SQLite does not wait by itself while another process turns on the log.
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("5") => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            other => return other.map(drop),
        }
    }
    connection.execute(SESSION).await.map(drop)
}

/// Makes the file, or finds it, readable for its owner only. SQLite gives the log files beside it
/// the same mode.
async fn keep_private(file: &Path) -> Result<Place, DbError> {
    use std::os::unix::fs::PermissionsExt as _;

    let opened = tokio::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(file)
        .await;
    let unusable = |error: std::io::Error| DbError::Settings {
        reason: format!("{}: {error}", file.display()),
    };
    let opened = opened.map_err(unusable)?;
    let mode = opened
        .metadata()
        .await
        .map_err(unusable)?
        .permissions()
        .mode();
    if mode & 0o077 != 0 {
        let private = std::fs::Permissions::from_mode(0o600);
        opened.set_permissions(private).await.map_err(unusable)?;
    }
    Place::of(file).await.map_err(unusable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::Row as _;

    #[tokio::test]
    async fn every_sqlite_connection_is_set_up() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("c.db").display());
        let db = Db::connect(&url).await.unwrap();
        // The second connection is opened while the first is held.
        let mut connections = Vec::new();
        for _ in 0..2 {
            connections.push(db.pool.acquire().await.unwrap());
        }
        for connection in &mut connections {
            for (pragma, expected) in [
                ("PRAGMA synchronous", 2),
                ("PRAGMA foreign_keys", 1),
                ("PRAGMA busy_timeout", 10_000),
                ("PRAGMA secure_delete", 1),
            ] {
                let row = sqlx::query(pragma).fetch_one(&mut **connection).await;
                let value: i64 = row.unwrap().try_get(0).unwrap();
                assert_eq!(value, expected, "{pragma}");
            }
            let row = sqlx::query("PRAGMA journal_mode")
                .fetch_one(&mut **connection)
                .await;
            assert_eq!(row.unwrap().try_get::<String, _>(0).unwrap(), "wal");
        }
    }
}
