//! The installation's own name.

use diamond_domain::InstallationId;
use jiff::Timestamp;

use crate::{Db, DbError, reading::Reading, transaction::Writing};

/// The installation's id, made at the first call; every later call, from any node, gets the same.
///
/// # Errors
/// When the database does not answer.
pub async fn get_or_create(db: &Db, now: Timestamp) -> Result<InstallationId, DbError> {
    if let Some(id) = get(db).await? {
        return Ok(id);
    }
    let mut writing = Writing::begin(db).await?;
    sqlx::query(
        "INSERT INTO installation (singleton, id, created_at) VALUES (1, $1, $2)
         ON CONFLICT (singleton) DO NOTHING",
    )
    .bind(InstallationId::generate(now).to_string())
    .bind(now.as_microsecond())
    .execute(writing.connection())
    .await?;
    writing.commit().await?;
    get(db)
        .await?
        .ok_or_else(|| DbError::corrupt("the installation's row is gone"))
}

async fn get(db: &Db) -> Result<Option<InstallationId>, DbError> {
    let row = sqlx::query("SELECT id FROM installation WHERE singleton = 1")
        .fetch_optional(&db.pool)
        .await?;
    row.map(|row| Reading(&row).parsed("id")).transpose()
}
