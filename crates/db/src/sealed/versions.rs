//! Secrets, their versions, and the requests that made them.

use diamond_domain::{SecretName, SecretVersion};
use jiff::Timestamp;

use super::{Append, Appended, Owner, SealedRequest, SealedVersion};
use crate::{Db, DbError, reading::Reading, transaction::Writing};

/// What the owner's request made, if it was seen before.
///
/// # Errors
/// When the database does not answer.
pub async fn request(
    db: &Db,
    owner: &Owner,
    request_id: &str,
) -> Result<Option<SealedRequest>, DbError> {
    let row = sqlx::query(
        "SELECT name, version, digest FROM sealed_requests WHERE owner = $1 AND request_id = $2",
    )
    .bind(owner.to_string())
    .bind(request_id)
    .fetch_optional(&db.pool)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let row = Reading(&row);
    Ok(Some(SealedRequest {
        name: row.parsed("name")?,
        version: version(&row, "version")?,
        digest: row.text("digest")?,
    }))
}

/// The newest version of the owner's secret.
///
/// # Errors
/// When the database does not answer.
pub async fn newest(
    db: &Db,
    owner: &Owner,
    name: &SecretName,
) -> Result<Option<SecretVersion>, DbError> {
    let row = sqlx::query("SELECT newest FROM sealed_secrets WHERE owner = $1 AND name = $2")
        .bind(owner.to_string())
        .bind(name.to_string())
        .fetch_optional(&db.pool)
        .await?;
    row.map(|row| version(&Reading(&row), "newest")).transpose()
}

/// Appends a version if the secret still is where the caller believes it to be.
///
/// # Errors
/// When the database does not answer; whether it is stored is then unknown, and the same append
/// tells.
pub async fn append(db: &Db, owner: &Owner, append: &Append<'_>) -> Result<Appended, DbError> {
    let (owner, name) = (owner.to_string(), append.name.to_string());
    let version = i64::from(append.version.get());
    let mut writing = Writing::begin(db).await?;
    // The request first: of two that bear one id the second waits here and then sees the first.
    let request = sqlx::query(
        "INSERT INTO sealed_requests (owner, request_id, name, version, digest)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
    )
    .bind(&owner)
    .bind(append.request_id)
    .bind(&name)
    .bind(version)
    .bind(append.digest);
    if request.execute(writing.connection()).await?.rows_affected() == 0 {
        return Ok(Appended::RequestTaken);
    }
    let moved = match append.newest {
        None => sqlx::query(
            "INSERT INTO sealed_secrets (owner, name, newest) VALUES ($1, $2, $3)
             ON CONFLICT DO NOTHING",
        )
        .bind(&owner)
        .bind(&name)
        .bind(version),
        Some(newest) => sqlx::query(
            "UPDATE sealed_secrets SET newest = $3
             WHERE owner = $1 AND name = $2 AND newest = $4",
        )
        .bind(&owner)
        .bind(&name)
        .bind(version)
        .bind(i64::from(newest.get())),
    };
    if moved.execute(writing.connection()).await?.rows_affected() == 0 {
        return Ok(Appended::Moved);
    }
    sqlx::query(
        "INSERT INTO sealed_versions (owner, name, version, sealed, created_at)
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(&owner)
    .bind(&name)
    .bind(version)
    .bind(append.sealed)
    .bind(append.created_at.as_microsecond())
    .execute(writing.connection())
    .await?;
    writing.commit().await?;
    Ok(Appended::Stored)
}

/// One version of the owner's secret.
///
/// # Errors
/// When the database does not answer.
pub async fn version_of(
    db: &Db,
    owner: &Owner,
    name: &SecretName,
    version: SecretVersion,
) -> Result<Option<SealedVersion>, DbError> {
    let row = sqlx::query(
        "SELECT version, sealed, created_at FROM sealed_versions
         WHERE owner = $1 AND name = $2 AND version = $3",
    )
    .bind(owner.to_string())
    .bind(name.to_string())
    .bind(i64::from(version.get()))
    .fetch_optional(&db.pool)
    .await?;
    row.map(|row| read(&Reading(&row))).transpose()
}

/// The versions of the owner's secret, oldest first.
///
/// # Errors
/// When the database does not answer.
pub async fn versions(
    db: &Db,
    owner: &Owner,
    name: &SecretName,
) -> Result<Vec<SealedVersion>, DbError> {
    let rows = sqlx::query(
        "SELECT version, sealed, created_at FROM sealed_versions
         WHERE owner = $1 AND name = $2 ORDER BY version",
    )
    .bind(owner.to_string())
    .bind(name.to_string())
    .fetch_all(&db.pool)
    .await?;
    rows.iter().map(|row| read(&Reading(row))).collect()
}

/// Removes the text of a version; `false` when there is no such version. Repeating it changes
/// nothing.
///
/// # Errors
/// When the database does not answer.
pub async fn destroy(
    db: &Db,
    owner: &Owner,
    name: &SecretName,
    version: SecretVersion,
    at: Timestamp,
) -> Result<bool, DbError> {
    let mut writing = Writing::begin(db).await?;
    let found = sqlx::query(
        "UPDATE sealed_versions
         SET sealed = NULL, destroyed_at = COALESCE(destroyed_at, $4)
         WHERE owner = $1 AND name = $2 AND version = $3",
    )
    .bind(owner.to_string())
    .bind(name.to_string())
    .bind(i64::from(version.get()))
    .bind(at.as_microsecond())
    .execute(writing.connection())
    .await?
    .rows_affected()
        == 1;
    writing.commit().await?;
    Ok(found)
}

fn read(row: &Reading<'_>) -> Result<SealedVersion, DbError> {
    Ok(SealedVersion {
        version: version(row, "version")?,
        sealed: row.optional_text("sealed")?,
        created_at: row.time("created_at")?,
    })
}

fn version(row: &Reading<'_>, column: &'static str) -> Result<SecretVersion, DbError> {
    SecretVersion::new(row.number(column)?)
        .ok_or_else(|| DbError::corrupt(format!("column {column}")))
}
