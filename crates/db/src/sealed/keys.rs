//! What the store needs before any value: its settings and the owners' wrapped data keys.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Owner;
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
pub async fn data_key(db: &Db, owner: &Owner) -> Result<Option<String>, DbError> {
    let row = sqlx::query("SELECT wrapped FROM sealed_data_keys WHERE owner = $1")
        .bind(owner.to_string())
        .fetch_optional(&db.pool)
        .await?;
    row.map(|row| Reading(&row).text("wrapped")).transpose()
}

/// Stores the owner's data key unless there is one; returns the one that is there afterwards.
///
/// # Errors
/// When the database does not answer.
pub async fn create_data_key(
    db: &Db,
    owner: &Owner,
    wrapped: &str,
    now: Timestamp,
) -> Result<String, DbError> {
    let mut writing = Writing::begin(db).await?;
    sqlx::query(
        "INSERT INTO sealed_data_keys (owner, wrapped, created_at) VALUES ($1, $2, $3)
         ON CONFLICT DO NOTHING",
    )
    .bind(owner.to_string())
    .bind(wrapped)
    .bind(now.as_microsecond())
    .execute(writing.connection())
    .await?;
    writing.commit().await?;
    data_key(db, owner)
        .await?
        .ok_or_else(|| DbError::corrupt("a data key that was there is gone"))
}
