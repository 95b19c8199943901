//! Versions of provider credentials: state and history. The values are in the secret store.

mod activation;

use diamond_domain::{
    Payer, RevocationId, SecretKind, SecretName, SecretVersion, ServiceId, TenantId, TokenId,
    VersionState,
};
use jiff::Timestamp;
use sqlx::{AnyConnection, any::AnyRow};

pub use activation::{Activation, activate};
pub(crate) use activation::{activate_in, insert};

use crate::{
    ChangeSubject, Db, DbError, RevocationTarget, reading::Reading, revocations,
    transaction::Changing,
};

/// A key that its provider made for us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtProvider {
    /// What the provider calls it.
    pub key_id: String,
    /// Where it stands there, in the words of the service's adapter.
    pub place: String,
    /// The management credential that it was made with: by it it can be ended.
    pub admin: SecretName,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}

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
    /// What it is at its provider; `None` for one that a person pasted.
    pub at_provider: Option<AtProvider>,
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
        ended(changing.connection(), name, version, at).await?;
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

/// The version whose key a provider knows under this id.
pub(crate) async fn at_provider(
    db: &Db,
    service: &ServiceId,
    key_id: &str,
) -> Result<Option<KeyVersionRow>, DbError> {
    let rows = sqlx::query("SELECT * FROM key_versions WHERE provider_key_id = $1")
        .bind(key_id)
        .fetch_all(&db.pool)
        .await?;
    let rows = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    Ok(rows.into_iter().find(|row| row.name.service() == service))
}

/// The management credentials of a service that are in use.
pub(crate) async fn management_credentials(
    db: &Db,
    service: &ServiceId,
) -> Result<Vec<SecretName>, DbError> {
    let rows = sqlx::query(
        "SELECT name FROM key_versions
         WHERE state = 'active' AND name >= $1 AND name < $2 AND name LIKE '%-admin'
         ORDER BY name",
    )
    .bind(format!("ai-{service}-"))
    // The letter behind the hyphen.
    .bind(format!("ai-{service}."))
    .fetch_all(&db.pool)
    .await?;
    let names = rows.iter().map(|row| Reading(row).parsed("name"));
    let names = names.collect::<Result<Vec<SecretName>, _>>()?;
    let managing = |name: &SecretName| {
        matches!(
            name.kind(),
            SecretKind::PlatformAdmin | SecretKind::TenantAdmin
        )
    };
    Ok(names.into_iter().filter(managing).collect())
}

/// The dedicated keys of a service that are in use, by name.
pub(crate) async fn active_of_service(
    db: &Db,
    service: &ServiceId,
    after: Option<(&SecretName, SecretVersion)>,
    limit: u32,
) -> Result<Vec<KeyVersionRow>, DbError> {
    let rows = sqlx::query(
        "SELECT * FROM key_versions
         WHERE state = 'active' AND name >= $1 AND name < $2 AND (name, version) > ($3, $4)
           AND name NOT LIKE '%-admin' AND name NOT LIKE '%-customer'
         ORDER BY name, version LIMIT $5",
    )
    .bind(format!("ai-{service}-"))
    // The letter behind the hyphen.
    .bind(format!("ai-{service}."))
    .bind(after.map_or_else(String::new, |(name, _)| name.to_string()))
    .bind(after.map_or(0, |(_, version)| i64::from(version.get())))
    .bind(i64::from(limit))
    .fetch_all(&db.pool)
    .await?;
    rows.iter().map(read).collect()
}

/// The versions in use whose keys were made with this management credential.
pub(crate) async fn made_with(
    db: &Db,
    service: &ServiceId,
    admin: &SecretName,
) -> Result<Vec<KeyVersionRow>, DbError> {
    let rows = sqlx::query(
        "SELECT * FROM key_versions
         WHERE provider_key_id IS NOT NULL AND provider_admin = $1
           AND state IN ('active', 'retiring')
         ORDER BY name, version",
    )
    .bind(admin.to_string())
    .fetch_all(&db.pool)
    .await?;
    let rows = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let of_service = |row: &KeyVersionRow| row.name.service() == service;
    Ok(rows.into_iter().filter(of_service).collect())
}

/// As [`crate::system::keys_to_rotate`].
pub(crate) async fn to_rotate(
    db: &Db,
    before: Timestamp,
    ending: Timestamp,
    limit: u32,
) -> Result<Vec<KeyVersionRow>, DbError> {
    let rows = sqlx::query(
        "SELECT * FROM key_versions k
         WHERE state = 'active' AND tenant IS NOT NULL
           AND (activated_at < $1 OR provider_expires_at < $2)
           AND NOT EXISTS (SELECT 1 FROM rotations r
                           WHERE r.secret = k.name
                             AND r.state IN ('planned', 'created', 'tested'))
           AND NOT EXISTS (SELECT 1 FROM rotations r
                           WHERE r.secret = k.name AND r.former = k.version
                             AND r.state = 'failed' AND r.ended_at > $1)
         ORDER BY activated_at LIMIT $3",
    )
    .bind(before.as_microsecond())
    .bind(ending.as_microsecond())
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
        ended(changing.connection(), name, version, at).await?;
        changing.commit(&ChangeSubject::Key(name.clone())).await?;
    }
    Ok(revoked)
}

/// What follows when a version was revoked, in the same transaction: it is to be ended at its
/// provider too, and the rotation that waited for this is over.
pub(crate) async fn ended(
    connection: &mut AnyConnection,
    name: &SecretName,
    version: SecretVersion,
    at: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO provider_revocations
             (id, service, tenant, admin, key_id, place, looks, failures, next_at, created_at)
         SELECT name || '/' || CAST(version AS TEXT), $3, tenant, provider_admin, provider_key_id,
                provider_place, 0, 0, $4, $4
         FROM key_versions
         WHERE name = $1 AND version = $2 AND provider_key_id IS NOT NULL
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(name.to_string())
    .bind(i64::from(version.get()))
    .bind(name.service().as_str())
    .bind(at.as_microsecond())
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "UPDATE rotations SET state = 'revoked', ended_at = $3, next_at = NULL
         WHERE secret = $1 AND former = $2 AND state = 'draining'",
    )
    .bind(name.to_string())
    .bind(i64::from(version.get()))
    .bind(at.as_microsecond())
    .execute(connection)
    .await?;
    Ok(())
}

fn read_at_provider(row: &Reading<'_>) -> Result<Option<AtProvider>, DbError> {
    // Rows of the first schema could name a key without its place; none was ever written so.
    let (Some(key_id), Some(place), Some(admin)) = (
        row.optional_text("provider_key_id")?,
        row.optional_text("provider_place")?,
        row.optional_parsed("provider_admin")?,
    ) else {
        return Ok(None);
    };
    Ok(Some(AtProvider {
        key_id,
        place,
        admin,
        expires_at: row.optional_time("provider_expires_at")?,
    }))
}

pub(crate) fn read(row: &AnyRow) -> Result<KeyVersionRow, DbError> {
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
        at_provider: read_at_provider(&row)?,
        revealed: row.flag("revealed")?,
        fingerprint: row.text("fingerprint")?,
    })
}
