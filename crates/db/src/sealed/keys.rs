//! What the store needs before any value: its settings and the owners' wrapped data keys.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Owner, WrappedKey};
use crate::{Db, DbError, reading::Reading, transaction::Writing};

/// All settings, as they are at one instant.
///
/// # Errors
/// When the database does not answer.
pub async fn settings(db: &Db) -> Result<BTreeMap<String, String>, DbError> {
    let rows = sqlx::query("SELECT name, value FROM sealed_settings")
        .fetch_all(&db.pool)
        .await?;
    rows.iter()
        .map(|row| Ok((Reading(row).text("name")?, Reading(row).text("value")?)))
        .collect()
}

/// Stores settings that belong together, all or none: none when the first is there already.
/// `true` when they were stored.
///
/// # Errors
/// When the database does not answer.
pub async fn create_settings(db: &Db, settings: &[(&str, &str)]) -> Result<bool, DbError> {
    let mut writing = Writing::begin(db).await?;
    for (name, value) in settings {
        let created = sqlx::query(
            "INSERT INTO sealed_settings (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        )
        .bind(*name)
        .bind(*value)
        .execute(writing.connection())
        .await?
        .rows_affected()
            == 1;
        if !created {
            return Ok(false);
        }
    }
    writing.commit().await?;
    Ok(true)
}

/// The owner's wrapped data key.
///
/// # Errors
/// When the database does not answer.
pub async fn data_key(db: &Db, owner: &Owner) -> Result<Option<WrappedKey>, DbError> {
    let row = sqlx::query("SELECT wrapped, master FROM sealed_data_keys WHERE owner = $1")
        .bind(owner.to_string())
        .fetch_optional(&db.pool)
        .await?;
    row.map(|row| {
        Ok(WrappedKey {
            owner: owner.clone(),
            wrapped: Reading(&row).text("wrapped")?,
            master: Reading(&row).optional_text("master")?,
        })
    })
    .transpose()
}

/// Stores the owner's data key unless there is one; returns the one that is there afterwards, or
/// `None` when `master`, which wraps it, is no longer the key that new data keys are wrapped with.
///
/// # Errors
/// When the database does not answer.
pub async fn create_data_key(
    db: &Db,
    owner: &Owner,
    wrapped: &str,
    master: &str,
    now: Timestamp,
) -> Result<Option<WrappedKey>, DbError> {
    let mut writing = Writing::begin(db).await?;
    // Holds the row too: a change of the master key ends only after this key is there, and sees it.
    let current = sqlx::query("UPDATE sealed_custody SET singleton = 1 WHERE sealing = $1")
        .bind(master)
        .execute(writing.connection())
        .await?;
    if current.rows_affected() == 0 {
        return Ok(None);
    }
    sqlx::query(
        "INSERT INTO sealed_data_keys (owner, wrapped, master, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT DO NOTHING",
    )
    .bind(owner.to_string())
    .bind(wrapped)
    .bind(master)
    .bind(now.as_microsecond())
    .execute(writing.connection())
    .await?;
    writing.commit().await?;
    data_key(db, owner)
        .await?
        .map(Some)
        .ok_or_else(|| DbError::corrupt("a data key that was there is gone"))
}
