//! The nodes: when each was last seen and how far it has followed the change log. Written and read
//! through [`crate::system`].

use diamond_domain::NodeId;
use jiff::Timestamp;

use crate::{
    Db, DbError,
    reading::{Reading, to_number},
    transaction::Writing,
};

/// A node as it last reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRow {
    /// Which.
    pub id: NodeId,
    /// When its process began to serve.
    pub started_at: Timestamp,
    /// When it last reported.
    pub last_seen_at: Timestamp,
    /// The last change that its tables contain.
    pub acknowledged: u64,
}

/// A node that has served at some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownNode {
    /// Which.
    pub id: NodeId,
    /// When it last reported.
    pub last_seen_at: Timestamp,
    /// When it said that it stops, if it has not begun again.
    pub stopped_at: Option<Timestamp>,
}

/// Every node but this one that has served at some time, by id.
pub(crate) async fn others(db: &Db, node: NodeId) -> Result<Vec<KnownNode>, DbError> {
    let rows =
        sqlx::query("SELECT id, last_seen_at, stopped_at FROM nodes WHERE id <> $1 ORDER BY id")
            .bind(node.to_string())
            .fetch_all(&db.pool)
            .await?;
    let read = |row| {
        let row = Reading(row);
        Ok(KnownNode {
            id: row.parsed("id")?,
            last_seen_at: row.time("last_seen_at")?,
            stopped_at: row.optional_time("stopped_at")?,
        })
    };
    rows.iter().map(read).collect()
}

pub(crate) async fn start(
    db: &Db,
    node: NodeId,
    acknowledged: u64,
    at: Timestamp,
) -> Result<(), DbError> {
    let mut writing = Writing::begin(db).await?;
    sqlx::query(
        "INSERT INTO nodes (id, started_at, stopped_at, last_seen_at, acknowledged)
         VALUES ($1, $2, NULL, $2, $3)
         ON CONFLICT (id) DO UPDATE
             SET started_at = excluded.started_at, stopped_at = NULL,
                 last_seen_at = excluded.last_seen_at, acknowledged = excluded.acknowledged",
    )
    .bind(node.to_string())
    .bind(at.as_microsecond())
    .bind(to_number(acknowledged)?)
    .execute(writing.connection())
    .await?;
    writing.commit().await
}

pub(crate) async fn report(
    db: &Db,
    node: NodeId,
    started_at: Timestamp,
    acknowledged: u64,
    at: Timestamp,
) -> Result<bool, DbError> {
    let mut writing = Writing::begin(db).await?;
    let reported = sqlx::query(
        "UPDATE nodes SET last_seen_at = $3, acknowledged = $4 WHERE id = $1 AND started_at = $2",
    )
    .bind(node.to_string())
    .bind(started_at.as_microsecond())
    .bind(at.as_microsecond())
    .bind(to_number(acknowledged)?)
    .execute(writing.connection())
    .await?
    .rows_affected()
        == 1;
    writing.commit().await?;
    Ok(reported)
}

pub(crate) async fn stop(
    db: &Db,
    node: NodeId,
    started_at: Timestamp,
    at: Timestamp,
) -> Result<(), DbError> {
    let mut writing = Writing::begin(db).await?;
    sqlx::query(
        "UPDATE nodes SET stopped_at = $3, last_seen_at = $3 WHERE id = $1 AND started_at = $2",
    )
    .bind(node.to_string())
    .bind(started_at.as_microsecond())
    .bind(at.as_microsecond())
    .execute(writing.connection())
    .await?;
    writing.commit().await
}

/// The nodes that have not said that they stop.
pub(crate) async fn serving(db: &Db) -> Result<Vec<NodeRow>, DbError> {
    let rows = sqlx::query(
        "SELECT id, started_at, last_seen_at, acknowledged FROM nodes
         WHERE stopped_at IS NULL ORDER BY id",
    )
    .fetch_all(&db.pool)
    .await?;
    let read = |row| {
        let row = Reading(row);
        Ok(NodeRow {
            id: row.parsed("id")?,
            started_at: row.time("started_at")?,
            last_seen_at: row.time("last_seen_at")?,
            acknowledged: row.number("acknowledged")?,
        })
    };
    rows.iter().map(read).collect()
}
