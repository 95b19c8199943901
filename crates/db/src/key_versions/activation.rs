//! Making a version the one that new requests use.

use diamond_domain::{SecretVersion, VersionState};
use jiff::Timestamp;
use sqlx::AnyConnection;

use super::KeyVersionRow;
use crate::{ChangeSubject, Db, DbError, reading::Reading, transaction::Changing};

/// What an activation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// The version is active now; the former one, if there was one, is retiring.
    Activated {
        /// The version whose place it took.
        former: Option<SecretVersion>,
    },
    /// The version was activated before and is in this state now; nothing changed.
    Already(VersionState),
    /// A newer version is active already: this one came late and was entered as retiring.
    Superseded {
        /// The active version.
        by: SecretVersion,
    },
}

/// Enters the version as active and turns the former active one into retiring, in one
/// transaction. The row's own `state` is not looked at. A version that waits as pending is
/// activated; repeating an activation changes nothing. Concurrent activations of one secret run
/// one after the other, and the highest version stays active whatever their order.
///
/// # Errors
/// When the database does not answer, or the secret's tenant does not exist.
pub async fn activate(db: &Db, row: &KeyVersionRow) -> Result<Activation, DbError> {
    let mut changing = Changing::begin(db).await?;
    let outcome = activate_in(changing.connection(), row).await?;
    if !matches!(outcome, Activation::Already(_)) {
        let subject = ChangeSubject::Key(row.name.clone());
        changing.commit(&subject).await?;
    }
    Ok(outcome)
}

/// The same inside a transaction that holds the head of the change log and commits the change.
pub(crate) async fn activate_in(
    connection: &mut AnyConnection,
    row: &KeyVersionRow,
) -> Result<Activation, DbError> {
    let at = row.activated_at.unwrap_or(row.created_at);
    let known = state_of(connection, row).await?;
    if let Some(state) = known.filter(|&state| state != VersionState::Pending) {
        return Ok(Activation::Already(state));
    }
    let former = active_of(connection, row).await?;
    let outcome = match former {
        Some(by) if by > row.version => Activation::Superseded { by },
        _ => Activation::Activated { former },
    };
    let state = match outcome {
        Activation::Superseded { .. } => VersionState::Retiring,
        _ => VersionState::Active,
    };
    if state == VersionState::Active
        && let Some(former) = former
    {
        retire(connection, row, former, at).await?;
    }
    if known.is_some() {
        promote(connection, row, state, at).await?;
    } else {
        insert(connection, row, state, at).await?;
    }
    Ok(outcome)
}

async fn state_of(
    connection: &mut AnyConnection,
    row: &KeyVersionRow,
) -> Result<Option<VersionState>, DbError> {
    let found = sqlx::query("SELECT state FROM key_versions WHERE name = $1 AND version = $2")
        .bind(row.name.to_string())
        .bind(i64::from(row.version.get()))
        .fetch_optional(connection)
        .await?;
    found.map(|row| Reading(&row).parsed("state")).transpose()
}

async fn active_of(
    connection: &mut AnyConnection,
    row: &KeyVersionRow,
) -> Result<Option<SecretVersion>, DbError> {
    let found =
        sqlx::query("SELECT version FROM key_versions WHERE name = $1 AND state = 'active'")
            .bind(row.name.to_string())
            .fetch_optional(connection)
            .await?;
    let Some(found) = found else { return Ok(None) };
    let version = SecretVersion::new(Reading(&found).number("version")?);
    version
        .map(Some)
        .ok_or_else(|| DbError::corrupt("column version"))
}

async fn retire(
    connection: &mut AnyConnection,
    row: &KeyVersionRow,
    former: SecretVersion,
    at: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE key_versions SET state = 'retiring', retired_at = $3
         WHERE name = $1 AND version = $2",
    )
    .bind(row.name.to_string())
    .bind(i64::from(former.get()))
    .bind(at.as_microsecond())
    .execute(connection)
    .await?;
    Ok(())
}

/// When a version that is entered as `state` became active, and when it retired.
fn times(state: VersionState, at: Timestamp) -> (Option<i64>, Option<i64>) {
    match state {
        VersionState::Active => (Some(at.as_microsecond()), None),
        VersionState::Pending => (None, None),
        _ => (None, Some(at.as_microsecond())),
    }
}

async fn promote(
    connection: &mut AnyConnection,
    row: &KeyVersionRow,
    state: VersionState,
    at: Timestamp,
) -> Result<(), DbError> {
    let (activated_at, retired_at) = times(state, at);
    sqlx::query(
        "UPDATE key_versions SET state = $3, activated_at = $4, retired_at = $5
         WHERE name = $1 AND version = $2",
    )
    .bind(row.name.to_string())
    .bind(i64::from(row.version.get()))
    .bind(state.as_str())
    .bind(activated_at)
    .bind(retired_at)
    .execute(connection)
    .await?;
    Ok(())
}

/// Enters a version that is not there yet, in this state.
pub(crate) async fn insert(
    connection: &mut AnyConnection,
    row: &KeyVersionRow,
    state: VersionState,
    at: Timestamp,
) -> Result<(), DbError> {
    let (activated_at, retired_at) = times(state, at);
    let there = row.at_provider.as_ref();
    sqlx::query(
        "INSERT INTO key_versions
             (name, version, tenant, state, payer, created_at, activated_at, retired_at,
              revoked_at, created_by, request_id, revealed, fingerprint, provider_key_id,
              provider_place, provider_admin, provider_expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
    )
    .bind(row.name.to_string())
    .bind(i64::from(row.version.get()))
    .bind(row.name.tenant().map(ToString::to_string))
    .bind(state.as_str())
    .bind(row.payer.as_str())
    .bind(row.created_at.as_microsecond())
    .bind(activated_at)
    .bind(retired_at)
    .bind(None::<i64>)
    .bind(row.created_by.map(|token| token.to_string()))
    .bind(&row.request_id)
    .bind(i64::from(row.revealed))
    .bind(&row.fingerprint)
    .bind(there.map(|there| there.key_id.as_str()))
    .bind(there.map(|there| there.place.as_str()))
    .bind(there.map(|there| there.admin.to_string()))
    .bind(
        there
            .and_then(|there| there.expires_at)
            .map(|at| at.as_microsecond()),
    )
    .execute(connection)
    .await?;
    Ok(())
}
