//! Rotations: how one version of a key takes another's place, written down before each step.

mod row;
mod work;

use diamond_domain::{RotationId, SecretName, SecretVersion, ServiceId, TenantId, TokenId};
use jiff::Timestamp;
use sqlx::AnyConnection;

pub use row::{RotationCause, RotationRow, RotationState};
pub use work::{RotationChange, VersionChange, commit};
pub(crate) use work::{next_at, release, save, take_due};

use crate::{Db, DbError, reading::Reading, transaction::Writing};

/// A rotation to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRotation {
    /// Its name, if it is begun.
    pub id: RotationId,
    /// Of which secret; it belongs to a tenant.
    pub secret: SecretName,
    /// Why.
    pub cause: RotationCause,
    /// The version that shall go.
    pub former: Option<SecretVersion>,
    /// Who asks for it.
    pub requested_by: Option<TokenId>,
}

/// What became of a wish to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// It began.
    New(RotationRow),
    /// Another is under way for this secret; it goes on at once.
    Open(RotationRow),
}

impl Begun {
    /// The rotation that is under way.
    #[must_use]
    pub fn into_row(self) -> RotationRow {
        match self {
            Self::New(row) | Self::Open(row) => row,
        }
    }
}

/// Begins a tenant's rotation, unless one of the same secret is under way; that one then goes on at
/// once. Concurrent calls begin one.
///
/// # Errors
/// When the database does not answer; [`DbError::Refused`] for a secret of another than the tenant.
pub async fn begin(
    db: &Db,
    tenant: &TenantId,
    new: &NewRotation,
    at: Timestamp,
) -> Result<Begun, DbError> {
    if new.secret.tenant() != Some(tenant) {
        return Err(DbError::Refused("a secret of somebody else".into()));
    }
    let mut writing = Writing::begin(db).await?;
    let connection = writing.connection();
    let entered = sqlx::query(
        "INSERT INTO rotations
             (id, secret, tenant, service, cause, state, former, attempt, asked, waits, failures,
              next_at, requested_by, created_at, fence)
         VALUES ($1, $2, $3, $4, $5, 'planned', $6, 0, 0, 0, 0, $7, $8, $7, 0)
         ON CONFLICT DO NOTHING",
    )
    .bind(new.id.to_string())
    .bind(new.secret.to_string())
    .bind(tenant.as_str())
    .bind(new.secret.service().as_str())
    .bind(new.cause.as_str())
    .bind(new.former.map(|version| i64::from(version.get())))
    .bind(at.as_microsecond())
    .bind(new.requested_by.map(|token| token.to_string()))
    .execute(&mut *connection)
    .await?
    .rows_affected()
        == 1;
    if !entered {
        sqlx::query(
            "UPDATE rotations SET next_at = $2, waits = 0
             WHERE secret = $1 AND state IN ('planned', 'created', 'tested')
               AND (next_at IS NULL OR next_at > $2)",
        )
        .bind(new.secret.to_string())
        .bind(at.as_microsecond())
        .execute(&mut *connection)
        .await?;
    }
    let row = open_of(connection, &new.secret).await?;
    writing.commit().await?;
    match row {
        Some(row) if row.id == new.id => Ok(Begun::New(row)),
        Some(row) => Ok(Begun::Open(row)),
        None => Err(DbError::Unavailable(
            "a rotation ended while another was begun: try again".into(),
        )),
    }
}

/// A person brought a key: a rotation of the secret that is under way has its version, which new
/// requests use already. `true` when there was one.
///
/// # Errors
/// When the database does not answer.
pub async fn supplied(
    db: &Db,
    tenant: &TenantId,
    secret: &SecretName,
    version: SecretVersion,
    at: Timestamp,
) -> Result<bool, DbError> {
    let mut writing = Writing::begin(db).await?;
    let changed = sqlx::query(
        "UPDATE rotations
         SET state = CASE WHEN former IS NULL THEN 'promoted' ELSE 'draining' END,
             ended_at = CASE WHEN former IS NULL THEN $4 ELSE NULL END,
             version = $3, promoted_at = $4, waits = 0, next_at = NULL, reason = NULL,
             fence = fence + 1
         WHERE tenant = $1 AND secret = $2 AND state = 'planned' AND asked = 0",
    )
    .bind(tenant.as_str())
    .bind(secret.to_string())
    .bind(i64::from(version.get()))
    .bind(at.as_microsecond())
    .execute(writing.connection())
    .await?
    .rows_affected()
        > 0;
    // The former version may be gone by now, or never have been in use.
    sqlx::query(
        "UPDATE rotations SET state = 'revoked', ended_at = $3
         WHERE tenant = $1 AND secret = $2 AND state = 'draining'
           AND NOT EXISTS (SELECT 1 FROM key_versions k
                           WHERE k.name = rotations.secret AND k.version = rotations.former
                             AND k.state = 'retiring')",
    )
    .bind(tenant.as_str())
    .bind(secret.to_string())
    .bind(at.as_microsecond())
    .execute(writing.connection())
    .await?;
    writing.commit().await?;
    Ok(changed)
}

/// The tenant's rotation of this id.
///
/// # Errors
/// When the database does not answer.
pub async fn get(
    db: &Db,
    tenant: &TenantId,
    id: RotationId,
) -> Result<Option<RotationRow>, DbError> {
    let row = get_of_any(db, id).await?;
    Ok(row.filter(|row| row.tenant == *tenant))
}

/// The rotation of this id, whoever owns it.
pub(crate) async fn get_of_any(db: &Db, id: RotationId) -> Result<Option<RotationRow>, DbError> {
    let row = sqlx::query("SELECT * FROM rotations WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(&db.pool)
        .await?;
    row.as_ref().map(row::read).transpose()
}

/// Rotations, newest first: of a tenant or, for `operator.rs`, of all.
///
/// # Errors
/// When the database does not answer.
pub async fn list(
    db: &Db,
    tenant: &TenantId,
    service: Option<&ServiceId>,
    before: Option<RotationId>,
    limit: u32,
) -> Result<Vec<RotationRow>, DbError> {
    page(db, Some(tenant), service, before, limit).await
}

pub(crate) async fn page(
    db: &Db,
    tenant: Option<&TenantId>,
    service: Option<&ServiceId>,
    before: Option<RotationId>,
    limit: u32,
) -> Result<Vec<RotationRow>, DbError> {
    let rows = sqlx::query(
        "SELECT * FROM rotations
         WHERE ($1 = '' OR tenant = $1) AND ($2 = '' OR service = $2) AND ($3 = '' OR id < $3)
         ORDER BY id DESC LIMIT $4",
    )
    .bind(tenant.map_or("", TenantId::as_str))
    .bind(service.map_or("", ServiceId::as_str))
    .bind(before.map_or_else(String::new, |id| id.to_string()))
    .bind(i64::from(limit))
    .fetch_all(&db.pool)
    .await?;
    rows.iter().map(row::read).collect()
}

/// How many repairs of a service began since then, and before this one.
pub(crate) async fn count_repairs(
    db: &Db,
    service: &ServiceId,
    since: Timestamp,
    before: RotationId,
) -> Result<u64, DbError> {
    let row = sqlx::query(
        "SELECT COUNT(*) AS found FROM rotations
         WHERE cause = 'repair' AND service = $1 AND created_at > $2 AND id < $3",
    )
    .bind(service.as_str())
    .bind(since.as_microsecond())
    .bind(before.to_string())
    .fetch_one(&db.pool)
    .await?;
    Reading(&row).number("found")
}

async fn open_of(
    connection: &mut AnyConnection,
    secret: &SecretName,
) -> Result<Option<RotationRow>, DbError> {
    let row = sqlx::query(
        "SELECT * FROM rotations
         WHERE secret = $1 AND state IN ('planned', 'created', 'tested')",
    )
    .bind(secret.to_string())
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(row::read).transpose()
}
