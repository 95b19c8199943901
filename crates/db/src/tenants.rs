//! Tenants.

use diamond_domain::{RevocationId, ServiceId, TenantId, Tier};
use jiff::Timestamp;
use sqlx::any::AnyRow;

use crate::{
    BudgetRow, ChangeSubject, Db, DbError, RevocationTarget, budgets,
    reading::{Reading, to_json},
    revocations,
    transaction::Changing,
};

/// Whether a tenant may do anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TenantStatus {
    /// It may.
    Active,
    /// Every request of its is refused; nothing is deleted.
    Suspended,
}

impl TenantStatus {
    /// The text, as it stands in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }
}

impl std::str::FromStr for TenantStatus {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Active, Self::Suspended]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a tenant's status"))
    }
}

/// A customer organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Its id, for ever.
    pub id: TenantId,
    /// What people call it.
    pub display_name: String,
    /// What it bought.
    pub tier: Tier,
    /// Whether it may do anything.
    pub status: TenantStatus,
    /// The services it may use; `None` for all.
    pub services: Option<Vec<ServiceId>>,
    /// Whether its callers may receive a key's value.
    pub reveal: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// Creates the tenant; `false` when there is one of this id, which stays as it is.
///
/// # Errors
/// When the database does not answer.
pub async fn create(db: &Db, tenant: &Tenant) -> Result<bool, DbError> {
    create_with(db, tenant, None).await
}

/// Like [`create`], with a first budget of its own.
///
/// # Errors
/// When the database does not answer.
pub async fn create_with(
    db: &Db,
    tenant: &Tenant,
    budget: Option<&BudgetRow>,
) -> Result<bool, DbError> {
    let mut changing = Changing::begin(db).await?;
    let created = sqlx::query(
        "INSERT INTO tenants
             (id, display_name, tier, status, services, reveal, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(tenant.id.as_str())
    .bind(&tenant.display_name)
    .bind(tenant.tier.as_str())
    .bind(tenant.status.as_str())
    .bind(tenant.services.as_ref().map(to_json).transpose()?)
    .bind(i64::from(tenant.reveal))
    .bind(tenant.created_at.as_microsecond())
    .bind(tenant.updated_at.as_microsecond())
    .execute(changing.connection())
    .await?
    .rows_affected()
        == 1;
    if created {
        if let Some(budget) = budget {
            budgets::insert(changing.connection(), budget).await?;
        }
        let subject = ChangeSubject::Tenant(tenant.id.clone());
        changing.commit(&subject).await?;
    }
    Ok(created)
}

/// The tenant of this id.
///
/// # Errors
/// When the database does not answer.
pub async fn get(db: &Db, tenant: &TenantId) -> Result<Option<Tenant>, DbError> {
    let row = sqlx::query("SELECT * FROM tenants WHERE id = $1")
        .bind(tenant.as_str())
        .fetch_optional(&db.pool)
        .await?;
    row.as_ref().map(read).transpose()
}

/// Writes every field but id and `created_at`, if the tenant is still as it was `seen` (its
/// `updated_at` when it was read); `false` when it has changed since, or is not there.
///
/// # Errors
/// When the database does not answer.
pub async fn update(db: &Db, tenant: &Tenant, seen: Timestamp) -> Result<bool, DbError> {
    update_with(db, tenant, seen, None).await
}

/// Like [`update`], and ends everything of the tenant that is under way.
///
/// # Errors
/// When the database does not answer.
pub async fn suspend_now(
    db: &Db,
    tenant: &Tenant,
    seen: Timestamp,
    revocation: RevocationId,
) -> Result<bool, DbError> {
    update_with(db, tenant, seen, Some(revocation)).await
}

async fn update_with(
    db: &Db,
    tenant: &Tenant,
    seen: Timestamp,
    revocation: Option<RevocationId>,
) -> Result<bool, DbError> {
    let mut changing = Changing::begin(db).await?;
    let updated = sqlx::query(
        "UPDATE tenants SET display_name = $2, tier = $3, status = $4, services = $5, reveal = $6,
             updated_at = $7
         WHERE id = $1 AND updated_at = $8",
    )
    .bind(tenant.id.as_str())
    .bind(&tenant.display_name)
    .bind(tenant.tier.as_str())
    .bind(tenant.status.as_str())
    .bind(tenant.services.as_ref().map(to_json).transpose()?)
    .bind(i64::from(tenant.reveal))
    .bind(tenant.updated_at.as_microsecond())
    .bind(seen.as_microsecond())
    .execute(changing.connection())
    .await?
    .rows_affected()
        == 1;
    if updated {
        if let Some(id) = revocation {
            let target = RevocationTarget::Tenant(tenant.id.clone());
            let (owner, at) = (Some(&tenant.id), tenant.updated_at);
            revocations::enter(changing.connection(), id, &target, owner, at).await?;
        }
        let subject = ChangeSubject::Tenant(tenant.id.clone());
        changing.commit(&subject).await?;
    }
    Ok(updated)
}

/// Pages through all tenants, for `operator.rs` and `system.rs`.
pub(crate) async fn page_of_all(
    db: &Db,
    after: Option<&TenantId>,
    limit: u32,
) -> Result<Vec<Tenant>, DbError> {
    let rows = sqlx::query("SELECT * FROM tenants WHERE id > $1 ORDER BY id LIMIT $2")
        .bind(after.map_or("", TenantId::as_str))
        .bind(i64::from(limit))
        .fetch_all(&db.pool)
        .await?;
    rows.iter().map(read).collect()
}

fn read(row: &AnyRow) -> Result<Tenant, DbError> {
    let row = Reading(row);
    Ok(Tenant {
        id: row.parsed("id")?,
        display_name: row.text("display_name")?,
        tier: row.parsed("tier")?,
        status: row.parsed("status")?,
        services: row.optional_json("services")?,
        reveal: row.flag("reveal")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}
