//! The table `restores`: each time this installation was brought back from a backup.

use jiff::Timestamp;

use crate::{Db, DbError, reading::Reading};

/// A time that this installation was brought back from a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreRow {
    /// When.
    pub restored_at: Timestamp,
    /// Of what moment the backup is: what happened between then and `restored_at` is not here.
    pub taken_at: Timestamp,
    /// Which backup it was: a hash.
    pub archive: String,
    /// What the backup held, as JSON.
    pub counts: String,
    /// When an operator released the installation.
    pub released_at: Option<Timestamp>,
    /// Whose token it was.
    pub released_by: Option<String>,
    /// Why, in the operator's words.
    pub reason: Option<String>,
}

/// The newest, if there is one.
///
/// # Errors
/// When the database does not answer.
pub async fn newest(db: &Db) -> Result<Option<RestoreRow>, DbError> {
    let row = sqlx::query(
        "SELECT restored_at, taken_at, archive, counts, released_at, released_by, reason
         FROM restores ORDER BY restored_at DESC LIMIT 1",
    )
    .fetch_optional(&db.pool)
    .await?;
    row.map(|row| {
        let row = Reading(&row);
        Ok(RestoreRow {
            restored_at: row.time("restored_at")?,
            taken_at: row.time("taken_at")?,
            archive: row.text("archive")?,
            counts: row.text("counts")?,
            released_at: row.optional_time("released_at")?,
            released_by: row.optional_text("released_by")?,
            reason: row.optional_text("reason")?,
        })
    })
    .transpose()
}

/// Releases; `false` when it was released before, or there is no such restore.
///
/// # Errors
/// When the database does not answer.
pub async fn release(
    db: &Db,
    restored_at: Timestamp,
    at: Timestamp,
    by: &str,
    reason: &str,
) -> Result<bool, DbError> {
    let done = sqlx::query(
        "UPDATE restores SET released_at = $1, released_by = $2, reason = $3
         WHERE restored_at = $4 AND released_at IS NULL",
    )
    .bind(at.as_microsecond())
    .bind(by)
    .bind(reason)
    .bind(restored_at.as_microsecond())
    .execute(&db.pool)
    .await?;
    Ok(done.rows_affected() == 1)
}
