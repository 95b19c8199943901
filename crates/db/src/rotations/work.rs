//! Working on rotations: taken until a time, changed only by who holds them.

use diamond_domain::{NodeId, SecretName, SecretVersion, VersionState};
use jiff::Timestamp;
use sqlx::AnyConnection;

use super::{RotationRow, row};
use crate::{
    Activation, ChangeSubject, Db, DbError, KeyVersionRow, NewProviderRevocation, key_versions,
    provider_revocations,
    reading::{Reading, to_number},
    transaction::{Changing, Writing},
};

/// A step of a rotation: what changes with its row, in one transaction.
#[derive(Debug, Clone)]
pub struct RotationChange<'a> {
    /// The row as it shall be.
    pub row: &'a RotationRow,
    /// What becomes of a version.
    pub version: VersionChange<'a>,
    /// A key to end at its provider, besides.
    pub ending: Option<NewProviderRevocation>,
}

/// What becomes of a version in a step.
#[derive(Debug, Clone, Copy)]
pub enum VersionChange<'a> {
    /// None is touched.
    None,
    /// It is entered as pending.
    Enter(&'a KeyVersionRow),
    /// It becomes the active one, as [`key_versions::activate`] does.
    Activate(&'a KeyVersionRow),
    /// One that was never in use is given up, here and at its provider.
    GiveUp(&'a SecretName, SecretVersion),
}

/// Does a step, if whoever brings it still holds the rotation; what an activation did, when the
/// step was one. `None` when another holds the rotation: then nothing changed.
///
/// # Errors
/// When the database does not answer.
pub async fn commit(
    db: &Db,
    change: RotationChange<'_>,
    at: Timestamp,
) -> Result<Option<Option<Activation>>, DbError> {
    let mut changing = Changing::begin(db).await?;
    if !update(changing.connection(), change.row).await? {
        return Ok(None);
    }
    let mut activation = None;
    match change.version {
        VersionChange::None => {}
        VersionChange::Enter(key) => {
            let pending = VersionState::Pending;
            key_versions::insert(changing.connection(), key, pending, at).await?;
        }
        VersionChange::Activate(key) => {
            activation = Some(key_versions::activate_in(changing.connection(), key).await?);
            end_without_former(changing.connection(), change.row, at).await?;
        }
        VersionChange::GiveUp(name, version) => {
            give_up(changing.connection(), name, version, at).await?;
        }
    }
    if let Some(work) = &change.ending {
        provider_revocations::enter(changing.connection(), work, at).await?;
    }
    let subject = ChangeSubject::Key(change.row.secret.clone());
    changing.commit(&subject).await?;
    Ok(Some(activation))
}

/// The version that the rotation would wait for may be gone, or be the newer one: then nobody
/// would ever end the rotation.
async fn end_without_former(
    connection: &mut AnyConnection,
    row: &RotationRow,
    at: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE rotations SET state = 'revoked', ended_at = $2
         WHERE id = $1 AND state = 'draining'
           AND NOT EXISTS (SELECT 1 FROM key_versions k
                           WHERE k.name = rotations.secret AND k.version = rotations.former
                             AND k.state = 'retiring')",
    )
    .bind(row.id.to_string())
    .bind(at.as_microsecond())
    .execute(connection)
    .await?;
    Ok(())
}

async fn give_up(
    connection: &mut AnyConnection,
    name: &SecretName,
    version: SecretVersion,
    at: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE key_versions SET state = 'revoked', revoked_at = $3
         WHERE name = $1 AND version = $2 AND state <> 'revoked'",
    )
    .bind(name.to_string())
    .bind(i64::from(version.get()))
    .bind(at.as_microsecond())
    .execute(&mut *connection)
    .await?;
    key_versions::ended(connection, name, version, at).await
}

/// Writes the row down, if whoever brings it still holds it.
pub(crate) async fn save(db: &Db, row: &RotationRow) -> Result<bool, DbError> {
    let mut writing = Writing::begin(db).await?;
    let held = update(writing.connection(), row).await?;
    writing.commit().await?;
    Ok(held)
}

async fn update(connection: &mut AnyConnection, row: &RotationRow) -> Result<bool, DbError> {
    let changed = sqlx::query(
        "UPDATE rotations
         SET state = $3, former = $4, version = $5, attempt = $6, asked = $7, admin = $8,
             waits = $9, failures = $10, reason = $11, next_at = $12, created_key_at = $13,
             promoted_at = $14, ended_at = $15,
             held_by = CASE WHEN $16 = '' THEN NULL ELSE held_by END,
             held_until = CASE WHEN $16 = '' THEN NULL ELSE held_until END
         WHERE id = $1 AND fence = $2",
    )
    .bind(row.id.to_string())
    .bind(to_number(row.fence)?)
    .bind(row.state.as_str())
    .bind(row.former.map(|version| i64::from(version.get())))
    .bind(row.version.map(|version| i64::from(version.get())))
    .bind(i64::from(row.attempt))
    .bind(i64::from(row.asked))
    .bind(row.admin.as_ref().map(ToString::to_string))
    .bind(i64::from(row.waits))
    .bind(i64::from(row.failures))
    .bind(row.reason.as_deref())
    .bind(row.next_at.map(|at| at.as_microsecond()))
    .bind(row.created_key_at.map(|at| at.as_microsecond()))
    .bind(row.promoted_at.map(|at| at.as_microsecond()))
    .bind(row.ended_at.map(|at| at.as_microsecond()))
    .bind(
        row.held_by
            .map_or_else(String::new, |node| node.to_string()),
    )
    .execute(connection)
    .await?
    .rows_affected();
    Ok(changed == 1)
}

/// Takes rotations that are due and that nobody holds.
pub(crate) async fn take_due(
    db: &Db,
    node: NodeId,
    now: Timestamp,
    until: Timestamp,
    limit: u32,
) -> Result<Vec<RotationRow>, DbError> {
    let mut writing = Writing::begin(db).await?;
    let rows = sqlx::query(
        "UPDATE rotations SET held_by = $1, held_until = $2, fence = fence + 1
         WHERE id IN (SELECT id FROM rotations
                      WHERE next_at <= $3 AND COALESCE(held_until, 0) <= $3
                      ORDER BY next_at LIMIT $4)
           AND next_at <= $3 AND COALESCE(held_until, 0) <= $3
         RETURNING *",
    )
    .bind(node.to_string())
    .bind(until.as_microsecond())
    .bind(now.as_microsecond())
    .bind(i64::from(limit))
    .fetch_all(writing.connection())
    .await?;
    let rows = rows.iter().map(row::read).collect();
    writing.commit().await?;
    rows
}

/// Lets go of what a node held: its process has begun anew.
pub(crate) async fn release(db: &Db, node: NodeId) -> Result<(), DbError> {
    let mut writing = Writing::begin(db).await?;
    sqlx::query(
        "UPDATE rotations SET held_by = NULL, held_until = NULL, fence = fence + 1
         WHERE held_by = $1",
    )
    .bind(node.to_string())
    .execute(writing.connection())
    .await?;
    writing.commit().await
}

/// When the next rotation is due that nobody holds then.
pub(crate) async fn next_at(db: &Db) -> Result<Option<Timestamp>, DbError> {
    let row = sqlx::query(
        "SELECT MIN(CASE WHEN COALESCE(held_until, 0) > next_at THEN held_until ELSE next_at END)
             AS next_at
         FROM rotations WHERE next_at IS NOT NULL",
    )
    .fetch_one(&db.pool)
    .await?;
    Reading(&row).optional_time("next_at")
}
