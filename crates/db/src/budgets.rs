//! Budgets of tenants: what may be spent in a period.

use diamond_domain::{
    BudgetMeasure, BudgetName, Money, OnUnbounded, Period, ServiceId, TenantId, TokenId, UserId,
};
use jiff::Timestamp;
use sqlx::{AnyConnection, any::AnyRow};

use crate::{ChangeSubject, Db, DbError, reading::Reading, transaction::Changing};

/// The most budgets that one tenant has: a call looks at each.
pub const BUDGETS_PER_TENANT_MAX: u32 = 100;

/// One hard limit of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetRow {
    /// Whose.
    pub tenant: TenantId,
    /// Its name within the tenant.
    pub name: BudgetName,
    /// Counts calls of this user only.
    pub user: Option<UserId>,
    /// Counts calls with this token only.
    pub token: Option<TokenId>,
    /// Counts calls to this service only.
    pub service: Option<ServiceId>,
    /// Counts calls of this model only, and of its dated editions.
    pub model: Option<String>,
    /// What is spent is forgotten when such a calendar period ends.
    pub period: Period,
    /// What is counted.
    pub measure: BudgetMeasure,
    /// The most that may be spent in a period, in US dollars of what is counted.
    pub limit: Money,
    /// What happens to a call whose most cannot be told.
    pub on_unbounded: OnUnbounded,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last put.
    pub updated_at: Timestamp,
}

/// What putting a budget did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BudgetPut {
    /// There was none of this name.
    Created,
    /// The one of this name is now this; it was made then.
    Replaced(Timestamp),
    /// The tenant has [`BUDGETS_PER_TENANT_MAX`] others; nothing was changed.
    TooMany,
}

/// Makes the tenant's budget of this name what the row says.
///
/// # Errors
/// When the database does not answer, or the tenant does not exist.
pub async fn put(db: &Db, row: &BudgetRow) -> Result<BudgetPut, DbError> {
    let mut changing = Changing::begin(db).await?;
    let rows = sqlx::query("SELECT name, created_at FROM budgets WHERE tenant = $1")
        .bind(row.tenant.as_str())
        .fetch_all(changing.connection())
        .await?;
    let mut former = None;
    for found in &rows {
        let found = Reading(found);
        if found.text("name")? == row.name.as_str() {
            former = Some(found.time("created_at")?);
        }
    }
    if former.is_none() && rows.len() >= BUDGETS_PER_TENANT_MAX as usize {
        return Ok(BudgetPut::TooMany);
    }
    if former.is_some() {
        delete_row(changing.connection(), &row.tenant, &row.name).await?;
    }
    let written = BudgetRow {
        created_at: former.unwrap_or(row.created_at),
        ..row.clone()
    };
    insert(changing.connection(), &written).await?;
    let subject = ChangeSubject::Tenant(row.tenant.clone());
    changing.commit(&subject).await?;
    Ok(former.map_or(BudgetPut::Created, BudgetPut::Replaced))
}

/// The tenant's budget of this name.
///
/// # Errors
/// When the database does not answer.
pub async fn get(
    db: &Db,
    tenant: &TenantId,
    name: &BudgetName,
) -> Result<Option<BudgetRow>, DbError> {
    let row = sqlx::query("SELECT * FROM budgets WHERE tenant = $1 AND name = $2")
        .bind(tenant.as_str())
        .bind(name.as_str())
        .fetch_optional(&db.pool)
        .await?;
    row.as_ref().map(read).transpose()
}

/// All budgets of the tenant by name: at most [`BUDGETS_PER_TENANT_MAX`].
///
/// # Errors
/// When the database does not answer.
pub async fn list(db: &Db, tenant: &TenantId) -> Result<Vec<BudgetRow>, DbError> {
    let rows = sqlx::query("SELECT * FROM budgets WHERE tenant = $1 ORDER BY name")
        .bind(tenant.as_str())
        .fetch_all(&db.pool)
        .await?;
    rows.iter().map(read).collect()
}

/// Takes the tenant's budget of this name away; `false` when there is none.
///
/// # Errors
/// When the database does not answer.
pub async fn delete(db: &Db, tenant: &TenantId, name: &BudgetName) -> Result<bool, DbError> {
    let mut changing = Changing::begin(db).await?;
    let deleted = delete_row(changing.connection(), tenant, name).await?;
    if deleted {
        let subject = ChangeSubject::Tenant(tenant.clone());
        changing.commit(&subject).await?;
    }
    Ok(deleted)
}

/// All budgets of all tenants by tenant and name, for `operator.rs` and `system.rs`.
pub(crate) async fn page_of_all(
    db: &Db,
    after: Option<(&TenantId, &BudgetName)>,
    limit: u32,
) -> Result<Vec<BudgetRow>, DbError> {
    let (tenant, name) = after.map_or(("", ""), |(tenant, name)| (tenant.as_str(), name.as_str()));
    let rows = sqlx::query(
        "SELECT * FROM budgets WHERE tenant > $1 OR (tenant = $1 AND name > $2)
         ORDER BY tenant, name LIMIT $3",
    )
    .bind(tenant)
    .bind(name)
    .bind(i64::from(limit))
    .fetch_all(&db.pool)
    .await?;
    rows.iter().map(read).collect()
}

/// Within a transaction that enters a change of the tenant.
pub(crate) async fn insert(connection: &mut AnyConnection, row: &BudgetRow) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO budgets (tenant, name, user_id, token, service, model, period, measure,
                              limit_usd, on_unbounded, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(row.tenant.as_str())
    .bind(row.name.as_str())
    .bind(row.user.as_ref().map(ToString::to_string))
    .bind(row.token.map(|token| token.to_string()))
    .bind(row.service.as_ref().map(ToString::to_string))
    .bind(row.model.clone())
    .bind(row.period.as_str())
    .bind(row.measure.as_str())
    .bind(row.limit.to_string())
    .bind(row.on_unbounded.to_string())
    .bind(row.created_at.as_microsecond())
    .bind(row.updated_at.as_microsecond())
    .execute(connection)
    .await?;
    Ok(())
}

async fn delete_row(
    connection: &mut AnyConnection,
    tenant: &TenantId,
    name: &BudgetName,
) -> Result<bool, DbError> {
    let deleted = sqlx::query("DELETE FROM budgets WHERE tenant = $1 AND name = $2")
        .bind(tenant.as_str())
        .bind(name.as_str())
        .execute(connection)
        .await?;
    Ok(deleted.rows_affected() == 1)
}

fn read(row: &AnyRow) -> Result<BudgetRow, DbError> {
    let row = Reading(row);
    Ok(BudgetRow {
        tenant: row.parsed("tenant")?,
        name: row.parsed("name")?,
        user: row.optional_parsed("user_id")?,
        token: row.optional_parsed("token")?,
        service: row.optional_parsed("service")?,
        model: row.optional_text("model")?,
        period: row.parsed("period")?,
        measure: row.parsed("measure")?,
        limit: row.parsed("limit_usd")?,
        on_unbounded: row.parsed("on_unbounded")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}
