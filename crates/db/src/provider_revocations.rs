//! Keys to end at their provider, each a piece of work that is repeated until it is done. Written
//! and read through [`crate::system`].

use diamond_domain::{SecretName, ServiceId, TenantId};
use jiff::Timestamp;
use sqlx::{AnyConnection, any::AnyRow};

use crate::{Db, DbError, reading::Reading, transaction::Writing};

/// A key to end, as it is entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewProviderRevocation {
    /// Its name: entering it twice changes nothing.
    pub id: String,
    /// At which service.
    pub service: ServiceId,
    /// Whose key it was.
    pub tenant: Option<TenantId>,
    /// With which management credential.
    pub admin: SecretName,
    /// The provider's id; `None` when only its name is known.
    pub key_id: Option<String>,
    /// Where it stands there.
    pub place: Option<String>,
    /// Its name there, when its id is not known.
    pub key_name: Option<String>,
}

/// A key to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderRevocationRow {
    /// What it was entered with.
    pub work: NewProviderRevocation,
    /// How often it was looked for.
    pub looks: u32,
    /// How often it failed.
    pub failures: u32,
    /// Why it failed last.
    pub reason: Option<String>,
    /// When it is tried next; `None` when it is over.
    pub next_at: Option<Timestamp>,
    /// When it was entered.
    pub created_at: Timestamp,
    /// When it was done; `None` also when it was given up.
    pub done_at: Option<Timestamp>,
}

/// Enters a key to end, in the transaction of what it follows from; one that was over begins again.
pub(crate) async fn enter(
    connection: &mut AnyConnection,
    work: &NewProviderRevocation,
    at: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO provider_revocations
             (id, service, tenant, admin, key_id, place, key_name, looks, failures, next_at,
              created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0, $8, $8)
         ON CONFLICT (id) DO UPDATE
             SET next_at = excluded.next_at, done_at = NULL, looks = 0, failures = 0
             WHERE provider_revocations.next_at IS NULL",
    )
    .bind(work.id.as_str())
    .bind(work.service.as_str())
    .bind(work.tenant.as_ref().map(ToString::to_string))
    .bind(work.admin.to_string())
    .bind(work.key_id.as_deref())
    .bind(work.place.as_deref())
    .bind(work.key_name.as_deref())
    .bind(at.as_microsecond())
    .execute(connection)
    .await?;
    Ok(())
}

pub(crate) async fn enter_alone(
    db: &Db,
    work: &NewProviderRevocation,
    at: Timestamp,
) -> Result<(), DbError> {
    let mut writing = Writing::begin(db).await?;
    enter(writing.connection(), work, at).await?;
    writing.commit().await
}

/// Takes what is due and nobody has taken until `until`.
pub(crate) async fn take_due(
    db: &Db,
    now: Timestamp,
    until: Timestamp,
    limit: u32,
) -> Result<Vec<ProviderRevocationRow>, DbError> {
    let mut writing = Writing::begin(db).await?;
    let rows = sqlx::query(
        "UPDATE provider_revocations SET held_until = $2
         WHERE id IN (SELECT id FROM provider_revocations
                      WHERE next_at <= $1 AND COALESCE(held_until, 0) <= $1
                      ORDER BY next_at LIMIT $3)
           AND next_at <= $1 AND COALESCE(held_until, 0) <= $1
         RETURNING *",
    )
    .bind(now.as_microsecond())
    .bind(until.as_microsecond())
    .bind(i64::from(limit))
    .fetch_all(writing.connection())
    .await?;
    let rows = rows.iter().map(read).collect();
    writing.commit().await?;
    rows
}

/// Writes down how a piece of work stands, and lets go of it.
pub(crate) async fn save(db: &Db, row: &ProviderRevocationRow) -> Result<(), DbError> {
    let mut writing = Writing::begin(db).await?;
    sqlx::query(
        "UPDATE provider_revocations
         SET key_id = $2, place = $3, looks = $4, failures = $5, reason = $6, next_at = $7,
             done_at = $8, held_until = NULL
         WHERE id = $1",
    )
    .bind(row.work.id.as_str())
    .bind(row.work.key_id.as_deref())
    .bind(row.work.place.as_deref())
    .bind(i64::from(row.looks))
    .bind(i64::from(row.failures))
    .bind(row.reason.as_deref())
    .bind(row.next_at.map(|at| at.as_microsecond()))
    .bind(row.done_at.map(|at| at.as_microsecond()))
    .execute(writing.connection())
    .await?;
    writing.commit().await
}

/// When the next piece of work is due.
pub(crate) async fn next_at(db: &Db) -> Result<Option<Timestamp>, DbError> {
    let row = sqlx::query("SELECT MIN(next_at) AS next_at FROM provider_revocations")
        .fetch_one(&db.pool)
        .await?;
    Reading(&row).optional_time("next_at")
}

/// Whether a key is entered to be ended, over or not.
pub(crate) async fn is_entered(
    db: &Db,
    service: &ServiceId,
    key_id: &str,
) -> Result<bool, DbError> {
    let row = sqlx::query(
        "SELECT COUNT(*) AS found FROM provider_revocations
         WHERE service = $1 AND key_id = $2 AND next_at IS NOT NULL",
    )
    .bind(service.as_str())
    .bind(key_id)
    .fetch_one(&db.pool)
    .await?;
    Ok(Reading(&row).number::<u64>("found")? > 0)
}

fn read(row: &AnyRow) -> Result<ProviderRevocationRow, DbError> {
    let row = Reading(row);
    Ok(ProviderRevocationRow {
        work: NewProviderRevocation {
            id: row.text("id")?,
            service: row.parsed("service")?,
            tenant: row.optional_parsed("tenant")?,
            admin: row.parsed("admin")?,
            key_id: row.optional_text("key_id")?,
            place: row.optional_text("place")?,
            key_name: row.optional_text("key_name")?,
        },
        looks: row.number("looks")?,
        failures: row.number("failures")?,
        reason: row.optional_text("reason")?,
        next_at: row.optional_time("next_at")?,
        created_at: row.time("created_at")?,
        done_at: row.optional_time("done_at")?,
    })
}
