//! Versions of provider credentials: state and history. The values are in the secret store.

mod activation;

use diamond_domain::{
    Payer, RevocationId, SecretName, SecretVersion, TenantId, TokenId, VersionState,
};
use jiff::Timestamp;
use sqlx::any::AnyRow;

pub use activation::{Activation, activate};

use crate::{
    ChangeSubject, Db, DbError, RevocationTarget, reading::Reading, revocations,
    transaction::Changing,
};

/// What is known of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyVersionRow {
    /// The secret; it says whose it is.
    pub name: SecretName,
    /// The version of its value in the secret store.
    pub version: SecretVersion,
    /// Where it is in its life.
    pub state: VersionState,
    /// Who pays the provider for what it is used for.
    pub payer: Payer,
    /// When its value was put.
    pub created_at: Timestamp,
    /// When it became the one that new requests use.
    pub activated_at: Option<Timestamp>,
    /// When a newer one took its place.
    pub retired_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// The token that put it; `None` for the system itself.
    pub created_by: Option<TokenId>,
    /// The request that put it.
    pub request_id: String,
    /// What the provider calls it.
    pub provider_key_id: Option<String>,
    /// Whether its value was ever handed out.
    pub revealed: bool,
    /// A short keyed hash by which people tell values apart; never a part of the value.
    pub fingerprint: String,
}

/// The versions of a tenant's secret, oldest first.
///
/// # Errors
/// When the database does not answer.
pub async fn list(
    db: &Db,
    tenant: &TenantId,
    name: &SecretName,
) -> Result<Vec<KeyVersionRow>, DbError> {
    list_of_owner(db, tenant.as_str(), name).await
}

/// The versions of all of a tenant's secrets, by name and version.
///
/// # Errors
/// When the database does not answer.
pub async fn list_for_tenant(
    db: &Db,
    tenant: &TenantId,
    after: Option<(&SecretName, SecretVersion)>,
    limit: u32,
) -> Result<Vec<KeyVersionRow>, DbError> {
    let rows = sqlx::query(
        "SELECT * FROM key_versions
         WHERE COALESCE(tenant, '') = $1 AND (name, version) > ($2, $3)
         ORDER BY name, version LIMIT $4",
    )
    .bind(tenant.as_str())
    .bind(after.map_or_else(String::new, |(name, _)| name.to_string()))
    .bind(after.map_or(0, |(_, version)| i64::from(version.get())))
    .bind(i64::from(limit))
    .fetch_all(&db.pool)
    .await?;
    rows.iter().map(read).collect()
}

/// Revokes a version of a tenant's secret; `false` when there is none that is not yet revoked.
///
/// # Errors
/// When the database does not answer.
pub async fn revoke(
    db: &Db,
    tenant: &TenantId,
    name: &SecretName,
    version: SecretVersion,
    at: Timestamp,
) -> Result<bool, DbError> {
    revoke_of_owner(db, tenant.as_str(), name, version, at).await
}

/// Revokes a version of a tenant's secret with everything that is done with it, also when it is
/// revoked already; `false` when there is no such version.
///
/// # Errors
/// When the database does not answer.
pub async fn revoke_now(
    db: &Db,
    tenant: &TenantId,
    name: &SecretName,
    version: SecretVersion,
    at: Timestamp,
    revocation: RevocationId,
) -> Result<bool, DbError> {
    let mut changing = Changing::begin(db).await?;
    let found = sqlx::query(
        "UPDATE key_versions SET state = 'revoked', revoked_at = COALESCE(revoked_at, $4)
         WHERE COALESCE(tenant, '') = $1 AND name = $2 AND version = $3",
    )
    .bind(tenant.as_str())
    .bind(name.to_string())
    .bind(i64::from(version.get()))
    .bind(at.as_microsecond())
    .execute(changing.connection())
    .await?
    .rows_affected()
        == 1;
    if found {
        let target = RevocationTarget::Key(name.clone(), version);
        revocations::enter(changing.connection(), revocation, &target, Some(tenant), at).await?;
        changing.commit(&ChangeSubject::Key(name.clone())).await?;
    }
    Ok(found)
}

/// Notes that the value of a tenant's version was handed out; `false` when that was known or
/// there is no such version.
///
/// # Errors
/// When the database does not answer.
pub async fn mark_revealed(
    db: &Db,
    tenant: &TenantId,
    name: &SecretName,
    version: SecretVersion,
) -> Result<bool, DbError> {
    let mut changing = Changing::begin(db).await?;
    let marked = sqlx::query(
        "UPDATE key_versions SET revealed = 1
         WHERE COALESCE(tenant, '') = $1 AND name = $2 AND version = $3 AND revealed = 0",
    )
    .bind(tenant.as_str())
    .bind(name.to_string())
    .bind(i64::from(version.get()))
    .execute(changing.connection())
    .await?
    .rows_affected()
        == 1;
    if marked {
        changing.commit(&ChangeSubject::Key(name.clone())).await?;
    }
    Ok(marked)
}

/// As [`list`], for an owner: a tenant's id, or empty for the platform.
pub(crate) async fn page_of_all(
    db: &Db,
    after: Option<(&SecretName, SecretVersion)>,
    limit: u32,
) -> Result<Vec<KeyVersionRow>, DbError> {
    let rows = sqlx::query(
        "SELECT * FROM key_versions WHERE (name, version) > ($1, $2)
         ORDER BY name, version LIMIT $3",
    )
    .bind(after.map_or_else(String::new, |(name, _)| name.to_string()))
    .bind(after.map_or(0, |(_, version)| i64::from(version.get())))
    .bind(i64::from(limit))
    .fetch_all(&db.pool)
    .await?;
    rows.iter().map(read).collect()
}

pub(crate) async fn list_of_owner(
    db: &Db,
    owner: &str,
    name: &SecretName,
) -> Result<Vec<KeyVersionRow>, DbError> {
    let rows = sqlx::query(
        "SELECT * FROM key_versions WHERE COALESCE(tenant, '') = $1 AND name = $2 ORDER BY version",
    )
    .bind(owner)
    .bind(name.to_string())
    .fetch_all(&db.pool)
    .await?;
    rows.iter().map(read).collect()
}

/// As [`revoke`], for an owner: a tenant's id, or empty for the platform.
pub(crate) async fn revoke_of_owner(
    db: &Db,
    owner: &str,
    name: &SecretName,
    version: SecretVersion,
    at: Timestamp,
) -> Result<bool, DbError> {
    let mut changing = Changing::begin(db).await?;
    let revoked = sqlx::query(
        "UPDATE key_versions SET state = 'revoked', revoked_at = $4
         WHERE COALESCE(tenant, '') = $1 AND name = $2 AND version = $3 AND state <> 'revoked'",
    )
    .bind(owner)
    .bind(name.to_string())
    .bind(i64::from(version.get()))
    .bind(at.as_microsecond())
    .execute(changing.connection())
    .await?
    .rows_affected()
        == 1;
    if revoked {
        changing.commit(&ChangeSubject::Key(name.clone())).await?;
    }
    Ok(revoked)
}

fn read(row: &AnyRow) -> Result<KeyVersionRow, DbError> {
    let row = Reading(row);
    let version = SecretVersion::new(row.number("version")?);
    let name: SecretName = row.parsed("name")?;
    // The name decides whose it is; a row filed under another tenant must not be believed.
    if row.optional_parsed::<TenantId>("tenant")?.as_ref() != name.tenant() {
        return Err(DbError::corrupt("column tenant of a key version"));
    }
    Ok(KeyVersionRow {
        name,
        version: version.ok_or_else(|| DbError::corrupt("column version"))?,
        state: row.parsed("state")?,
        payer: row.parsed("payer")?,
        created_at: row.time("created_at")?,
        activated_at: row.optional_time("activated_at")?,
        retired_at: row.optional_time("retired_at")?,
        revoked_at: row.optional_time("revoked_at")?,
        created_by: row.optional_parsed("created_by")?,
        request_id: row.text("request_id")?,
        provider_key_id: row.optional_text("provider_key_id")?,
        revealed: row.flag("revealed")?,
        fingerprint: row.text("fingerprint")?,
    })
}
