//! Rows of the embedded secret store. The texts are sealed elsewhere; nothing here can read them,
//! and only the crate `secrets` uses this module.

use std::collections::BTreeMap;

use diamond_domain::{SecretName, SecretVersion, TenantId};
use jiff::Timestamp;

use crate::{Db, DbError, reading::Reading, transaction::Writing};

/// Whose data key seals a secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// The platform's own credentials.
    Platform,
    /// A tenant's.
    Tenant(TenantId),
}

impl Owner {
    /// Whose the secret is.
    #[must_use]
    pub fn of(name: &SecretName) -> Self {
        name.tenant().cloned().map_or(Self::Platform, Self::Tenant)
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Platform => f.write_str("platform"),
            Self::Tenant(tenant) => write!(f, "tenant:{tenant}"),
        }
    }
}

/// One version of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedVersion {
    /// Its number, as far as it is one.
    pub version: SecretVersion,
    /// The sealed text; `None` when it was destroyed.
    pub sealed: Option<String>,
    /// When it was put.
    pub created_at: Timestamp,
}

/// Which version a request made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedRequest {
    /// The secret.
    pub name: SecretName,
    /// The version.
    pub version: SecretVersion,
    /// A keyed digest over the request and its value.
    pub digest: String,
}

/// A version to append.
#[derive(Debug, Clone, Copy)]
pub struct Append<'a> {
    /// The secret.
    pub name: &'a SecretName,
    /// The newest version that the caller knows of; the row becomes the next one.
    pub newest: Option<SecretVersion>,
    /// The number of the new version.
    pub version: SecretVersion,
    /// Its sealed text.
    pub sealed: &'a str,
    /// The request that makes it.
    pub request_id: &'a str,
    /// The request's digest.
    pub digest: &'a str,
    /// When it is put.
    pub created_at: Timestamp,
}

/// What became of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is durable.
    Stored,
    /// The secret has another newest version than the caller knew.
    Moved,
    /// Another append of this request was faster.
    RequestTaken,
}

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
