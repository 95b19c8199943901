//! All of the control state as rows, out of one database and into another: the two may be of
//! different engines.

use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::{
    Any, AnyConnection, AssertSqlSafe, Column as _, Executor as _, Row as _, TypeInfo as _,
    ValueRef as _,
    any::{AnyRow, AnyTypeInfoKind},
    pool::PoolConnection,
};

use crate::{Db, DbError, connection::Engine, migration, transaction::Writing};

/// Every table but the schema's own, those that are referred to before those that refer.
const TABLES: &[&str] = &[
    "installation",
    "change_head",
    "changes",
    "tenants",
    "budgets",
    "tokens",
    "key_versions",
    "key_tags",
    "alarms",
    "audit_anchors",
    "sealed_settings",
    "sealed_custody",
    "sealed_data_keys",
    "sealed_secrets",
    "sealed_versions",
    "sealed_requests",
    "restores",
    "nodes",
    "revocations",
    "revocation_acknowledgements",
    "rotations",
    "key_drains",
    "provider_revocations",
];

/// What is of this moment and not of the state: the nodes say it again when they start.
#[cfg(test)]
const LEFT_OUT: &[&str] = &["sealed_nodes"];

/// A row: its table, and the columns that are not null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DumpedRow {
    /// The table's name.
    pub table: String,
    /// Columns and values.
    pub columns: Vec<(String, DumpedValue)>,
}

/// A value: the schema knows no other kinds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum DumpedValue {
    /// A number, a flag, a time.
    Number(i64),
    /// A text.
    Text(String),
}

/// The control state at one moment: what is committed later is not in it.
pub struct Dump {
    connection: PoolConnection<Any>,
}

impl Dump {
    /// Takes the moment.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begin(db: &Db) -> Result<Self, DbError> {
        let mut connection = db.pool.acquire().await?;
        // On PostgreSQL what is unfinished ends with the connection; SQLite's connections are
        // rolled back on their way into the pool.
        let begin = match db.engine {
            Engine::Sqlite => "BEGIN",
            Engine::Postgres => {
                connection.close_on_drop();
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
            }
        };
        connection.execute(begin).await?;
        // The first statement is what takes the snapshot.
        connection
            .execute("SELECT sequence FROM change_head")
            .await?;
        Ok(Self { connection })
    }

    /// The number of the newest migration, by which the rows are to be read.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn schema_version(&mut self) -> Result<i64, DbError> {
        let newest = sqlx::query_scalar("SELECT MAX(version) FROM schema_versions");
        Ok(newest.fetch_one(&mut *self.connection).await?)
    }

    /// Hands every row over, table by table.
    ///
    /// # Errors
    /// When the database does not answer, or `each` fails.
    pub async fn rows<E: From<DbError>>(
        mut self,
        mut each: impl FnMut(DumpedRow) -> Result<(), E>,
    ) -> Result<(), E> {
        for table in TABLES {
            let statement = AssertSqlSafe(format!("SELECT * FROM {table}"));
            let mut rows = sqlx::query(statement).fetch(&mut *self.connection);
            while let Some(row) = rows.try_next().await.map_err(DbError::from)? {
                each(dumped(table, &row)?)?;
            }
        }
        Ok(())
    }
}

fn dumped(table: &str, row: &AnyRow) -> Result<DumpedRow, DbError> {
    let mut columns = Vec::with_capacity(row.len());
    for column in row.columns() {
        let place = column.ordinal();
        let value = row.try_get_raw(place)?;
        if value.is_null() {
            continue;
        }
        let value = match value.type_info().kind() {
            AnyTypeInfoKind::SmallInt | AnyTypeInfoKind::Integer | AnyTypeInfoKind::BigInt => {
                DumpedValue::Number(row.try_get(place)?)
            }
            AnyTypeInfoKind::Text => DumpedValue::Text(row.try_get(place)?),
            _ => {
                let (column, kind) = (column.name(), value.type_info().name().to_owned());
                return Err(DbError::corrupt(format!("{table}.{column} is a {kind}")));
            }
        };
        columns.push((column.name().to_owned(), value));
    }
    Ok(DumpedRow {
        table: table.to_owned(),
        columns,
    })
}

/// The restoration that is noted with the rows.
#[derive(Debug, Clone)]
pub struct NewRestore {
    /// When.
    pub restored_at: Timestamp,
    /// Of what moment the backup is.
    pub taken_at: Timestamp,
    /// Which backup it was: a hash.
    pub archive: String,
    /// What the backup held, as JSON.
    pub counts: String,
}

/// Rows on their way into an empty database; nothing of them is there before
/// [`Load::commit`].
pub struct Load(Writing);

impl Load {
    /// Begins to fill a database in which nobody has been.
    ///
    /// # Errors
    /// [`DbError::Settings`] when it holds anything.
    pub async fn begin(db: &Db) -> Result<Self, DbError> {
        let mut writing = Writing::begin(db).await?;
        let connection = writing.connection();
        // What the migrations themselves put there.
        connection.execute("DELETE FROM change_head").await?;
        for table in TABLES {
            let statement = AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
            let rows: i64 = sqlx::query_scalar(statement)
                .fetch_one(&mut *connection)
                .await?;
            if rows > 0 {
                return Err(DbError::Settings {
                    reason: format!(
                        "the table `{table}` is not empty: a backup is brought back into an empty database only"
                    ),
                });
            }
        }
        Ok(Self(writing))
    }

    /// Adds a row.
    ///
    /// # Errors
    /// [`DbError::Corrupt`] for what no table has.
    pub async fn add(&mut self, row: &DumpedRow) -> Result<(), DbError> {
        let plain = |name: &str| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|letter| matches!(letter, b'a'..=b'z' | b'_'))
        };
        let known =
            TABLES.contains(&row.table.as_str()) && row.columns.iter().all(|(name, _)| plain(name));
        if !known || row.columns.is_empty() {
            return Err(DbError::corrupt("a row of a table that nobody has"));
        }
        let names: Vec<&str> = row.columns.iter().map(|(name, _)| name.as_str()).collect();
        let places: Vec<String> = (1..=names.len()).map(|place| format!("${place}")).collect();
        let statement = AssertSqlSafe(format!(
            "INSERT INTO {} ({}) VALUES ({})",
            row.table,
            names.join(", "),
            places.join(", ")
        ));
        let mut query = sqlx::query(statement);
        for (_, value) in &row.columns {
            query = match value {
                DumpedValue::Number(number) => query.bind(*number),
                DumpedValue::Text(text) => query.bind(text.as_str()),
            };
        }
        query.execute(self.0.connection()).await?;
        Ok(())
    }

    /// Notes where the rows come from, lets go of nodes that are no more, and makes everything
    /// durable.
    ///
    /// # Errors
    /// When the database does not answer; it is then as empty as before.
    pub async fn commit(mut self, restore: &NewRestore) -> Result<(), DbError> {
        let connection = self.0.connection();
        // Nobody waits for a node of the installation that was lost.
        sqlx::query("UPDATE nodes SET stopped_at = last_seen_at WHERE stopped_at IS NULL")
            .execute(&mut *connection)
            .await?;
        note(connection, restore).await?;
        self.0.commit().await
    }
}

async fn note(connection: &mut AnyConnection, restore: &NewRestore) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO restores (restored_at, taken_at, archive, counts) VALUES ($1, $2, $3, $4)",
    )
    .bind(restore.restored_at.as_microsecond())
    .bind(restore.taken_at.as_microsecond())
    .bind(restore.archive.as_str())
    .bind(restore.counts.as_str())
    .execute(connection)
    .await?;
    Ok(())
}

/// The number of the newest migration that this release knows.
#[must_use]
pub fn newest_schema_version() -> i64 {
    migration::newest_known()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[tokio::test]
    async fn no_table_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("c.db").display());
        let db = Db::connect(&url).await.unwrap();
        let found: Vec<String> = sqlx::query_scalar(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
        )
        .fetch_all(&db.pool)
        .await
        .unwrap();
        let mut known: BTreeSet<&str> = TABLES.iter().copied().collect();
        known.extend(["schema_versions"]);
        known.extend(LEFT_OUT);
        let found: BTreeSet<&str> = found.iter().map(String::as_str).collect();
        assert_eq!(found, known);
    }
}
