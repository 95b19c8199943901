//! Access tokens: their hashes and what they may do. The tokens themselves are nowhere.

use diamond_domain::{RevocationId, ScopeSet, ServiceId, TenantId, TokenId, UserId};
use jiff::Timestamp;
use sqlx::any::AnyRow;

use crate::{
    ChangeSubject, Db, DbError, RevocationTarget, digest,
    reading::{Reading, to_json},
    revocations,
    transaction::{Changing, Writing},
};

/// What is known of an access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// Its public name.
    pub id: TokenId,
    /// The hash by which it is recognised.
    pub hash: [u8; 32],
    /// Whose it is; `None` for the platform's own.
    pub tenant: Option<TenantId>,
    /// What people call it.
    pub name: String,
    /// Who answers for it.
    pub owner: String,
    /// What it is for.
    pub purpose: String,
    /// What it may do.
    pub scopes: ScopeSet,
    /// The user it is bound to.
    pub user: Option<UserId>,
    /// The services it may use; `None` for all of its tenant's.
    pub services: Option<Vec<ServiceId>>,
    /// The address ranges (CIDR) it may be used from; empty for all.
    pub addresses: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, as far as the nodes have reported.
    pub last_used_at: Option<Timestamp>,
}

/// Stores a new token. An id or a hash that is there already is [`DbError::Refused`]: both are
/// random, so it is no case that a caller could handle.
///
/// # Errors
/// When the database does not answer, or the token's tenant does not exist.
pub async fn insert(db: &Db, token: &TokenRow) -> Result<(), DbError> {
    let mut changing = Changing::begin(db).await?;
    sqlx::query(
        "INSERT INTO tokens
             (id, hash, tenant, name, owner, purpose, scopes, user_id, services, addresses,
              created_at, expires_at, revoked_at, last_used_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(token.id.to_string())
    .bind(digest::to_text(&token.hash))
    .bind(token.tenant.as_ref().map(ToString::to_string))
    .bind(&token.name)
    .bind(&token.owner)
    .bind(&token.purpose)
    .bind(to_json(&token.scopes)?)
    .bind(token.user.as_ref().map(ToString::to_string))
    .bind(token.services.as_ref().map(to_json).transpose()?)
    .bind(to_json(&token.addresses)?)
    .bind(token.created_at.as_microsecond())
    .bind(token.expires_at.as_microsecond())
    .bind(token.revoked_at.map(Timestamp::as_microsecond))
    .bind(token.last_used_at.map(Timestamp::as_microsecond))
    .execute(changing.connection())
    .await?;
    changing.commit(&ChangeSubject::Token(token.id)).await
}

/// The tenant's token of this id (`None`: the platform's).
///
/// # Errors
/// When the database does not answer.
pub async fn get(
    db: &Db,
    tenant: Option<&TenantId>,
    id: TokenId,
) -> Result<Option<TokenRow>, DbError> {
    let row = sqlx::query("SELECT * FROM tokens WHERE COALESCE(tenant, '') = $1 AND id = $2")
        .bind(tenant_key(tenant))
        .bind(id.to_string())
        .fetch_optional(&db.pool)
        .await?;
    row.as_ref().map(read).transpose()
}

/// The tenant's tokens (`None`: the platform's) by id, which is by age.
///
/// # Errors
/// When the database does not answer.
pub async fn list(
    db: &Db,
    tenant: Option<&TenantId>,
    after: Option<TokenId>,
    limit: u32,
) -> Result<Vec<TokenRow>, DbError> {
    let rows = sqlx::query(
        "SELECT * FROM tokens WHERE COALESCE(tenant, '') = $1 AND id > $2 ORDER BY id LIMIT $3",
    )
    .bind(tenant_key(tenant))
    .bind(after.map_or_else(String::new, |id| id.to_string()))
    .bind(i64::from(limit))
    .fetch_all(&db.pool)
    .await?;
    rows.iter().map(read).collect()
}

/// Revokes the tenant's token (`None`: the platform's); `false` when there is none that is not yet
/// revoked.
///
/// # Errors
/// When the database does not answer.
pub async fn revoke(
    db: &Db,
    tenant: Option<&TenantId>,
    id: TokenId,
    at: Timestamp,
) -> Result<bool, DbError> {
    let mut changing = Changing::begin(db).await?;
    let revoked = sqlx::query(
        "UPDATE tokens SET revoked_at = $3
         WHERE COALESCE(tenant, '') = $1 AND id = $2 AND revoked_at IS NULL",
    )
    .bind(tenant_key(tenant))
    .bind(id.to_string())
    .bind(at.as_microsecond())
    .execute(changing.connection())
    .await?
    .rows_affected()
        == 1;
    if revoked {
        changing.commit(&ChangeSubject::Token(id)).await?;
    }
    Ok(revoked)
}

/// Revokes the tenant's token (`None`: the platform's) with everything that is done with it, also
/// when it is revoked already; `false` when there is no such token.
///
/// # Errors
/// When the database does not answer.
pub async fn revoke_now(
    db: &Db,
    tenant: Option<&TenantId>,
    id: TokenId,
    at: Timestamp,
    revocation: RevocationId,
) -> Result<bool, DbError> {
    let mut changing = Changing::begin(db).await?;
    let found = sqlx::query(
        "UPDATE tokens SET revoked_at = COALESCE(revoked_at, $3)
         WHERE COALESCE(tenant, '') = $1 AND id = $2",
    )
    .bind(tenant_key(tenant))
    .bind(id.to_string())
    .bind(at.as_microsecond())
    .execute(changing.connection())
    .await?
    .rows_affected()
        == 1;
    if found {
        let target = RevocationTarget::Token(id);
        revocations::enter(changing.connection(), revocation, &target, tenant, at).await?;
        changing.commit(&ChangeSubject::Token(id)).await?;
    }
    Ok(found)
}

pub(crate) fn tenant_key(tenant: Option<&TenantId>) -> &str {
    tenant.map_or("", TenantId::as_str)
}

/// The token of this id, whoever owns it, for `operator.rs` and `system.rs`.
pub(crate) async fn get_of_any(db: &Db, id: TokenId) -> Result<Option<TokenRow>, DbError> {
    let row = sqlx::query("SELECT * FROM tokens WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(&db.pool)
        .await?;
    row.as_ref().map(read).transpose()
}

/// Pages through all tokens, for `operator.rs` and `system.rs`.
pub(crate) async fn page_of_all(
    db: &Db,
    after: Option<TokenId>,
    limit: u32,
) -> Result<Vec<TokenRow>, DbError> {
    let rows = sqlx::query("SELECT * FROM tokens WHERE id > $1 ORDER BY id LIMIT $2")
        .bind(after.map_or_else(String::new, |id| id.to_string()))
        .bind(i64::from(limit))
        .fetch_all(&db.pool)
        .await?;
    rows.iter().map(read).collect()
}

/// Moves last uses forward, never back; not a change that the snapshots follow.
pub(crate) async fn record_last_uses(
    db: &Db,
    uses: &[(TokenId, Timestamp)],
) -> Result<(), DbError> {
    if uses.is_empty() {
        return Ok(());
    }
    // One order for all nodes, or two of them could wait for each other's rows.
    let mut uses = uses.to_vec();
    uses.sort_unstable();
    let mut writing = Writing::begin(db).await?;
    for (id, at) in uses {
        sqlx::query(
            "UPDATE tokens SET last_used_at = $2
             WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)",
        )
        .bind(id.to_string())
        .bind(at.as_microsecond())
        .execute(writing.connection())
        .await?;
    }
    writing.commit().await
}

fn read(row: &AnyRow) -> Result<TokenRow, DbError> {
    let row = Reading(row);
    Ok(TokenRow {
        id: row.parsed("id")?,
        hash: digest::from_text(&row.text("hash")?, "hash")?,
        tenant: row.optional_parsed("tenant")?,
        name: row.text("name")?,
        owner: row.text("owner")?,
        purpose: row.text("purpose")?,
        scopes: row.json("scopes")?,
        user: row.optional_parsed("user_id")?,
        services: row.optional_json("services")?,
        addresses: row.json("addresses")?,
        created_at: row.time("created_at")?,
        expires_at: row.time("expires_at")?,
        revoked_at: row.optional_time("revoked_at")?,
        last_used_at: row.optional_time("last_used_at")?,
    })
}
