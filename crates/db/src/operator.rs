//! Reads and changes across tenants on behalf of an operator, and the platform's own secrets.
//! The caller has checked the scope `operator`.

use diamond_domain::{
    BudgetName, RevocationId, RotationId, SecretName, SecretVersion, ServiceId, TenantId, TokenId,
};
use jiff::Timestamp;

use crate::{
    AlarmChange, AlarmRow, AlarmState, BudgetRow, Db, DbError, KeyVersionRow, Revocation,
    RotationRow, Tenant, TokenRow, alarms, budgets, key_versions, revocations, rotations, tenants,
    tokens,
};

/// All tenants by id.
///
/// # Errors
/// When the database does not answer.
pub async fn list_tenants(
    db: &Db,
    after: Option<&TenantId>,
    limit: u32,
) -> Result<Vec<Tenant>, DbError> {
    tenants::page_of_all(db, after, limit).await
}

/// All budgets by tenant and name.
///
/// # Errors
/// When the database does not answer.
pub async fn list_budgets(
    db: &Db,
    after: Option<(&TenantId, &BudgetName)>,
    limit: u32,
) -> Result<Vec<BudgetRow>, DbError> {
    budgets::page_of_all(db, after, limit).await
}

/// The token of this id, whoever owns it.
///
/// # Errors
/// When the database does not answer.
pub async fn get_token(db: &Db, id: TokenId) -> Result<Option<TokenRow>, DbError> {
    tokens::get_of_any(db, id).await
}

/// All tokens by id, which is by age.
///
/// # Errors
/// When the database does not answer.
pub async fn list_tokens(
    db: &Db,
    after: Option<TokenId>,
    limit: u32,
) -> Result<Vec<TokenRow>, DbError> {
    tokens::page_of_all(db, after, limit).await
}

/// The versions of all secrets by name and version.
///
/// # Errors
/// When the database does not answer.
pub async fn list_key_versions(
    db: &Db,
    after: Option<(&SecretName, SecretVersion)>,
    limit: u32,
) -> Result<Vec<KeyVersionRow>, DbError> {
    key_versions::page_of_all(db, after, limit).await
}

/// Revokes a token, whoever owns it; `false` when there is none that is not yet revoked.
///
/// # Errors
/// When the database does not answer.
pub async fn revoke_token(db: &Db, id: TokenId, at: Timestamp) -> Result<bool, DbError> {
    let Some(token) = tokens::get_of_any(db, id).await? else {
        return Ok(false);
    };
    tokens::revoke(db, token.tenant.as_ref(), id, at).await
}

/// The versions of one of the platform's own secrets, oldest first.
///
/// # Errors
/// When the database does not answer.
pub async fn list_platform_key_versions(
    db: &Db,
    name: &SecretName,
) -> Result<Vec<KeyVersionRow>, DbError> {
    key_versions::list_of_owner(db, "", name).await
}

/// Revokes a version of one of the platform's own secrets; `false` when there is none that is not
/// yet revoked.
///
/// # Errors
/// When the database does not answer.
pub async fn revoke_platform_key_version(
    db: &Db,
    name: &SecretName,
    version: SecretVersion,
    at: Timestamp,
) -> Result<bool, DbError> {
    key_versions::revoke_of_owner(db, "", name, version, at).await
}

/// The alarms of every tenant and of the platform, newest first; `before` is the last id of the
/// page before.
///
/// # Errors
/// When the database does not answer.
pub async fn list_alarms(
    db: &Db,
    state: Option<AlarmState>,
    before: Option<&str>,
    limit: u32,
) -> Result<Vec<AlarmRow>, DbError> {
    alarms::list_of_all(db, state, before, limit).await
}

/// Sets the state of an alarm.
///
/// # Errors
/// When the database does not answer.
pub async fn set_alarm_state(db: &Db, id: &str, state: AlarmState) -> Result<AlarmChange, DbError> {
    alarms::set_state(db, id, state).await
}

/// The revocation of this id, whoever owns what it ended.
///
/// # Errors
/// When the database does not answer.
pub async fn get_revocation(db: &Db, id: RevocationId) -> Result<Option<Revocation>, DbError> {
    revocations::get_of_any(db, id).await
}

/// Rotations of all tenants, newest first.
///
/// # Errors
/// When the database does not answer.
pub async fn list_rotations(
    db: &Db,
    service: Option<&ServiceId>,
    before: Option<RotationId>,
    limit: u32,
) -> Result<Vec<RotationRow>, DbError> {
    rotations::page(db, None, service, before, limit).await
}
