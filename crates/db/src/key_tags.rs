//! Tags of key values: a keyed hash, by which the same value under two names is found without any
//! value being opened. Without the installation's root a tag tells nothing.

use diamond_domain::{SecretName, SecretVersion};

use crate::{Db, DbError, digest, reading::Reading, transaction::Writing};

/// The tag of one version; `None` for one whose value cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyTag {
    /// The secret.
    pub name: SecretName,
    /// The version of its value.
    pub version: SecretVersion,
    /// The keyed hash of the value.
    pub tag: Option<[u8; 32]>,
}

/// Notes tags; one that is noted already stays.
///
/// # Errors
/// When the database does not answer; then none is noted.
pub async fn note(db: &Db, tags: &[KeyTag]) -> Result<(), DbError> {
    let mut writing = Writing::begin(db).await?;
    for tag in tags {
        sqlx::query(
            "INSERT INTO key_tags (name, version, tag) VALUES ($1, $2, $3)
             ON CONFLICT (name, version) DO NOTHING",
        )
        .bind(tag.name.to_string())
        .bind(i64::from(tag.version.get()))
        .bind(tag.tag.as_ref().map(digest::to_text))
        .execute(writing.connection())
        .await?;
    }
    writing.commit().await
}

/// The tag of a version; `None` when it was not noted, or could not be made.
///
/// # Errors
/// When the database does not answer.
pub async fn get(
    db: &Db,
    name: &SecretName,
    version: SecretVersion,
) -> Result<Option<[u8; 32]>, DbError> {
    let row = sqlx::query("SELECT tag FROM key_tags WHERE name = $1 AND version = $2")
        .bind(name.to_string())
        .bind(i64::from(version.get()))
        .fetch_optional(&db.pool)
        .await?;
    let text = row
        .map(|row| Reading(&row).optional_text("tag"))
        .transpose()?;
    text.flatten()
        .map(|text| digest::from_text(&text, "tag"))
        .transpose()
}

/// The secrets that have a live version with this tag, for `system.rs`.
pub(crate) async fn secrets_with(db: &Db, tag: &[u8; 32]) -> Result<Vec<SecretName>, DbError> {
    let rows = sqlx::query(
        "SELECT DISTINCT key_tags.name FROM key_tags
         JOIN key_versions ON key_versions.name = key_tags.name
             AND key_versions.version = key_tags.version
         WHERE key_tags.tag = $1 AND key_versions.state IN ('pending', 'active', 'retiring')
         ORDER BY key_tags.name",
    )
    .bind(digest::to_text(tag))
    .fetch_all(&db.pool)
    .await?;
    rows.iter().map(|row| Reading(row).parsed("name")).collect()
}

/// Live versions without a tag, for `system.rs`.
pub(crate) async fn missing(
    db: &Db,
    limit: u32,
) -> Result<Vec<(SecretName, SecretVersion)>, DbError> {
    let rows = sqlx::query(
        "SELECT key_versions.name, key_versions.version FROM key_versions
         LEFT JOIN key_tags ON key_tags.name = key_versions.name
             AND key_tags.version = key_versions.version
         WHERE key_tags.name IS NULL AND key_versions.state IN ('active', 'retiring')
         ORDER BY key_versions.name, key_versions.version LIMIT $1",
    )
    .bind(i64::from(limit))
    .fetch_all(&db.pool)
    .await?;
    let missing = rows.iter().map(|row| {
        let row = Reading(row);
        let version = SecretVersion::new(row.number("version")?);
        let version = version.ok_or_else(|| DbError::corrupt("column version"))?;
        Ok((row.parsed("name")?, version))
    });
    missing.collect()
}
