//! Which master key opens the store, which nodes hold it, and a change from one to the next.
//!
//! Background work over the data keys of all owners; no value passes here, only wrapped keys.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;

use super::Owner;
use crate::{
    Db, DbError,
    reading::{Reading, to_json},
    transaction::Writing,
};

/// How far a change of the master key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RekeyPhase {
    /// Nothing is wrapped with the next key yet: every node must hold it first.
    Preparing,
    /// Data keys go over to the next key, batch after batch.
    Rewrapping,
}

/// A change of the master key that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RekeyRow {
    /// The master key that opens the store until the end.
    pub from: String,
    /// The one after.
    pub to: String,
    /// How far it is.
    pub phase: RekeyPhase,
    /// When it began.
    pub started_at: Timestamp,
}

/// A change of the master key that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RekeyEnd {
    /// The master key before.
    pub from: String,
    /// The master key now.
    pub to: String,
    /// When it ended.
    pub ended_at: Timestamp,
}

/// The one row about the master key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustodyRow {
    /// The master key that opens the store.
    pub master: String,
    /// The one that new data keys are wrapped with.
    pub sealing: String,
    /// When the store was made; unknown for one that is older than this row.
    pub made_at: Option<Timestamp>,
    /// When the master key was last changed.
    pub rotated_at: Option<Timestamp>,
    /// The change that is under way.
    pub rekey: Option<RekeyRow>,
    /// A change that has ended and is not in the audit log yet.
    pub ended: Option<RekeyEnd>,
}

/// A node, and the master keys that it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedNode {
    /// The node.
    pub node: String,
    /// The ids of its master keys.
    pub masters: Vec<String>,
    /// When it said so.
    pub seen_at: Timestamp,
}

/// How many data keys a master key wraps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataKeyCount {
    /// The master key; `None` where it was not noted.
    pub master: Option<String>,
    /// Whether they were found not to open.
    pub unreadable: bool,
    /// How many.
    pub count: u64,
}

/// A wrapped data key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// Whose.
    pub owner: Owner,
    /// Its text.
    pub wrapped: String,
    /// The master key that wraps it, when that was noted.
    pub master: Option<String>,
}

/// What becomes of a wrapped data key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewrapped {
    /// Whose.
    pub owner: Owner,
    /// Its text before; if it is another by now, nothing happens.
    pub before: String,
    /// Its text under the next key; `None` when it does not open.
    pub after: Option<String>,
}

/// What a decision about the custody is made on: all of one instant, which nothing else changes
/// until the decision stands.
#[derive(Debug)]
pub struct CustodyState {
    /// The row.
    pub row: CustodyRow,
    /// The nodes.
    pub nodes: Vec<SealedNode>,
    /// The data keys.
    pub counts: Vec<DataKeyCount>,
}

/// What a decision changes.
#[derive(Debug, Default)]
pub struct CustodyChange {
    /// The row from now on.
    pub row: Option<CustodyRow>,
    /// Settings to put.
    pub put: Vec<(&'static str, String)>,
    /// Settings to remove; they are removed before others are put.
    pub remove: Vec<&'static str>,
}

/// The row, if there is one.
///
/// # Errors
/// When the database does not answer.
pub async fn custody(db: &Db) -> Result<Option<CustodyRow>, DbError> {
    let row = sqlx::query(ROW).fetch_optional(&db.pool).await?;
    row.map(|row| read_row(&Reading(&row))).transpose()
}

/// Makes the row for the master key that the store was found to open with, and notes that key at
/// every data key without a note; does nothing when there is a row.
///
/// # Errors
/// When the database does not answer.
pub async fn create_custody(
    db: &Db,
    master: &str,
    made_at: Option<Timestamp>,
) -> Result<(), DbError> {
    let mut writing = Writing::begin(db).await?;
    let made = sqlx::query(
        "INSERT INTO sealed_custody (singleton, master, sealing, made_at) VALUES (1, $1, $2, $3)
         ON CONFLICT DO NOTHING",
    )
    .bind(master)
    .bind(master)
    .bind(made_at.map(Timestamp::as_microsecond))
    .execute(writing.connection())
    .await?;
    if made.rows_affected() == 1 {
        sqlx::query("UPDATE sealed_data_keys SET master = $1 WHERE master IS NULL")
            .bind(master)
            .execute(writing.connection())
            .await?;
    }
    writing.commit().await
}

/// Notes which master keys a node holds, and gives the row of that instant: a change of the master
/// key either knows of the node, or the node sees the change here.
///
/// # Errors
/// When the database does not answer.
pub async fn register_node(db: &Db, node: &SealedNode) -> Result<CustodyRow, DbError> {
    let mut writing = Writing::begin(db).await?;
    hold(&mut writing).await?;
    sqlx::query(
        "INSERT INTO sealed_nodes (node, masters, seen_at) VALUES ($1, $2, $3)
         ON CONFLICT (node) DO UPDATE SET masters = $4, seen_at = $5",
    )
    .bind(&node.node)
    .bind(to_json(&node.masters)?)
    .bind(node.seen_at.as_microsecond())
    .bind(to_json(&node.masters)?)
    .bind(node.seen_at.as_microsecond())
    .execute(writing.connection())
    .await?;
    let row = sqlx::query(ROW).fetch_one(writing.connection()).await?;
    let row = read_row(&Reading(&row))?;
    writing.commit().await?;
    Ok(row)
}

/// Forgets a node that says goodbye.
///
/// # Errors
/// When the database does not answer.
pub async fn forget_node(db: &Db, node: &str) -> Result<(), DbError> {
    let mut writing = Writing::begin(db).await?;
    sqlx::query("DELETE FROM sealed_nodes WHERE node = $1")
        .bind(node)
        .execute(writing.connection())
        .await?;
    writing.commit().await
}

/// Everything about the custody, as it is now. Writes and waits for nothing.
///
/// # Errors
/// When the database does not answer.
pub async fn custody_state(db: &Db) -> Result<CustodyState, DbError> {
    let mut connection = db.pool.acquire().await?;
    read_state(&mut connection).await
}

/// Decides on the custody: `decide` sees everything, and what it changes is durable with it.
/// Decisions run one after the other, also across nodes.
///
/// # Errors
/// When the database does not answer.
pub async fn change_custody<T>(
    db: &Db,
    decide: impl FnOnce(CustodyState) -> (CustodyChange, T) + Send,
) -> Result<T, DbError> {
    let mut writing = Writing::begin(db).await?;
    hold(&mut writing).await?;
    let state = read_state(writing.connection()).await?;
    let (change, answer) = decide(state);
    apply(&mut writing, change).await?;
    writing.commit().await?;
    Ok(answer)
}

/// Data keys that are not under the master key `to` and open as far as we know, in the order of
/// their owners behind `after`; at most `limit`.
///
/// # Errors
/// When the database does not answer.
pub async fn keys_under_others(
    db: &Db,
    to: &str,
    after: &str,
    limit: u32,
) -> Result<Vec<WrappedKey>, DbError> {
    let rows = sqlx::query(
        "SELECT owner, wrapped, master FROM sealed_data_keys
         WHERE (master IS NULL OR master <> $1) AND unreadable = 0 AND owner > $2
         ORDER BY owner LIMIT $3",
    )
    .bind(to)
    .bind(after)
    .bind(i64::from(limit))
    .fetch_all(&db.pool)
    .await?;
    rows.iter()
        .map(|row| {
            let row = Reading(row);
            Ok(WrappedKey {
                owner: row.parsed("owner")?,
                wrapped: row.text("wrapped")?,
                master: row.optional_text("master")?,
            })
        })
        .collect()
}

/// Puts data keys under the master key `to`, all or none. Repeating it changes nothing.
///
/// # Errors
/// When the database does not answer.
pub async fn rewrap(db: &Db, to: &str, keys: &[Rewrapped]) -> Result<(), DbError> {
    let mut writing = Writing::begin(db).await?;
    for key in keys {
        let owner = key.owner.to_string();
        let query = match &key.after {
            Some(after) => sqlx::query(
                "UPDATE sealed_data_keys SET wrapped = $1, master = $2
                 WHERE owner = $3 AND wrapped = $4",
            )
            .bind(after)
            .bind(to)
            .bind(owner)
            .bind(&key.before),
            None => sqlx::query(
                "UPDATE sealed_data_keys SET unreadable = 1 WHERE owner = $1 AND wrapped = $2",
            )
            .bind(owner)
            .bind(&key.before),
        };
        query.execute(writing.connection()).await?;
    }
    writing.commit().await
}

const ROW: &str = "SELECT master, sealing, made_at, rotated_at, rekey, ended FROM sealed_custody";

async fn read_state(connection: &mut AnyConnection) -> Result<CustodyState, DbError> {
    let row = sqlx::query(ROW).fetch_one(&mut *connection).await?;
    let row = read_row(&Reading(&row))?;
    let nodes = sqlx::query("SELECT node, masters, seen_at FROM sealed_nodes ORDER BY node")
        .fetch_all(&mut *connection)
        .await?;
    let nodes = nodes
        .iter()
        .map(|row| {
            let row = Reading(row);
            Ok(SealedNode {
                node: row.text("node")?,
                masters: row.json("masters")?,
                seen_at: row.time("seen_at")?,
            })
        })
        .collect::<Result<_, DbError>>()?;
    let counts = sqlx::query(
        "SELECT master, unreadable, COUNT(*) AS keys FROM sealed_data_keys
         GROUP BY master, unreadable ORDER BY unreadable, master",
    )
    .fetch_all(&mut *connection)
    .await?;
    let counts = counts
        .iter()
        .map(|row| {
            let row = Reading(row);
            Ok(DataKeyCount {
                master: row.optional_text("master")?,
                unreadable: row.flag("unreadable")?,
                count: row.number("keys")?,
            })
        })
        .collect::<Result<_, DbError>>()?;
    Ok(CustodyState { row, nodes, counts })
}

fn read_row(row: &Reading<'_>) -> Result<CustodyRow, DbError> {
    Ok(CustodyRow {
        master: row.text("master")?,
        sealing: row.text("sealing")?,
        made_at: row.optional_time("made_at")?,
        rotated_at: row.optional_time("rotated_at")?,
        rekey: row.optional_json("rekey")?,
        ended: row.optional_json("ended")?,
    })
}

/// Holds the row until the end of the transaction, so that what is read after it is the present.
async fn hold(writing: &mut Writing) -> Result<(), DbError> {
    sqlx::query("UPDATE sealed_custody SET singleton = 1")
        .execute(writing.connection())
        .await?;
    Ok(())
}

async fn apply(writing: &mut Writing, change: CustodyChange) -> Result<(), DbError> {
    for name in change.remove {
        sqlx::query("DELETE FROM sealed_settings WHERE name = $1")
            .bind(name)
            .execute(writing.connection())
            .await?;
    }
    for (name, value) in change.put {
        sqlx::query(
            "INSERT INTO sealed_settings (name, value) VALUES ($1, $2)
             ON CONFLICT (name) DO UPDATE SET value = $3",
        )
        .bind(name)
        .bind(&value)
        .bind(&value)
        .execute(writing.connection())
        .await?;
    }
    if let Some(row) = change.row {
        let rekey = row.rekey.as_ref().map(to_json).transpose()?;
        let ended = row.ended.as_ref().map(to_json).transpose()?;
        sqlx::query(
            "UPDATE sealed_custody
             SET master = $1, sealing = $2, made_at = $3, rotated_at = $4, rekey = $5, ended = $6",
        )
        .bind(row.master)
        .bind(row.sealing)
        .bind(row.made_at.map(Timestamp::as_microsecond))
        .bind(row.rotated_at.map(Timestamp::as_microsecond))
        .bind(rekey)
        .bind(ended)
        .execute(writing.connection())
        .await?;
    }
    Ok(())
}
