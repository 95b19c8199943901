//! Brings the schema up to date from the numbered files in `migrations/`.
//!
//! The files are embedded at compile time; the work is ours rather than sqlx's because its SQLite
//! migrator takes no lock, so two nodes that start at once would apply the same file twice.

use std::collections::BTreeMap;

use sqlx::{AnyConnection, Row as _, migrate::Migrator};

use crate::{Db, DbError, connection::Engine, transaction::Writing};

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations");

/// An arbitrary number that nobody else in the database locks on.
const POSTGRES_LOCK: &str = "SELECT pg_advisory_xact_lock(7310271861190531)";

/// The number of the newest file.
pub(crate) fn newest_known() -> i64 {
    MIGRATIONS.iter().map(|m| m.version).max().unwrap_or(0)
}

/// Applies, in one transaction, every file up to this number that is not yet in the database.
pub(crate) async fn apply(db: &Db, up_to: i64) -> Result<(), DbError> {
    let mut writing = Writing::begin(db).await?;
    if db.engine == Engine::Postgres {
        sqlx::query(POSTGRES_LOCK)
            .execute(writing.connection())
            .await?;
    }
    let applied = applied(writing.connection()).await?;
    let newest_known = newest_known();
    if let Some((newest, _)) = applied.last_key_value()
        && *newest > newest_known
    {
        return Err(DbError::Schema {
            reason: format!(
                "it is at version {newest}, and this release knows versions up to {newest_known}; \
                 start the newer release"
            ),
        });
    }
    for migration in MIGRATIONS.iter().filter(|m| m.version <= up_to) {
        let checksum = hexadecimal(&migration.checksum);
        match applied.get(&migration.version) {
            Some(found) if *found == checksum => continue,
            Some(_) => {
                return Err(DbError::Schema {
                    reason: format!(
                        "version {} was applied from a file with another content",
                        migration.version
                    ),
                });
            }
            None => {}
        }
        sqlx::raw_sql(migration.sql.clone())
            .execute(writing.connection())
            .await?;
        sqlx::query(
            "INSERT INTO schema_versions (version, description, checksum) VALUES ($1, $2, $3)",
        )
        .bind(migration.version)
        .bind(migration.description.to_string())
        .bind(checksum)
        .execute(writing.connection())
        .await?;
        tracing::info!(
            version = migration.version,
            "applied the migration `{}`",
            migration.description
        );
    }
    writing.commit().await
}

async fn applied(connection: &mut AnyConnection) -> Result<BTreeMap<i64, String>, DbError> {
    sqlx::query(
        "CREATE TABLE IF NOT EXISTS schema_versions (
             version BIGINT PRIMARY KEY, description TEXT NOT NULL, checksum TEXT NOT NULL)",
    )
    .execute(&mut *connection)
    .await?;
    let rows = sqlx::query("SELECT version, checksum FROM schema_versions")
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| Ok((row.try_get("version")?, row.try_get("checksum")?)))
        .collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
