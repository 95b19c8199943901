//! Alarms: what somebody should look at.

use diamond_domain::{Alarm, RequestId, TenantId};
use jiff::Timestamp;
use sqlx::any::AnyRow;

use crate::{
    Db, DbError,
    reading::{Reading, to_number},
    tokens::tenant_key,
    transaction::Writing,
};

/// What people have done about an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmState {
    /// Nothing yet.
    Open,
    /// Somebody is at it; repeats are counted.
    Acknowledged,
    /// Done. The next raise is a new alarm.
    Closed,
}

impl AlarmState {
    /// The text, as it stands in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Closed => "closed",
        }
    }
}

impl std::str::FromStr for AlarmState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Open, Self::Acknowledged, Self::Closed]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not one of open, acknowledged, closed"))
    }
}

/// One alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmRow {
    /// `alm_…`, ordered by the time of the first raise.
    pub id: String,
    /// The kind; a text, because a newer release may know more kinds.
    pub code: String,
    /// Whom it concerns; `None` for the platform.
    pub tenant: Option<TenantId>,
    /// What it is about.
    pub subject: String,
    /// What happened, as it was told last.
    pub detail: String,
    /// The first raise.
    pub first_seen_at: Timestamp,
    /// The latest raise.
    pub last_seen_at: Timestamp,
    /// How often it was raised.
    pub count: u64,
    /// What people have done about it.
    pub state: AlarmState,
}

/// What became of a wish to set an alarm's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlarmChange {
    /// It has the state now (or had it before).
    Changed(AlarmRow),
    /// It is closed, and closed is the end: a repeat is a new alarm.
    Closed(AlarmRow),
    /// There is no such alarm.
    Missing,
}

/// The tenant's alarms, newest first; `before` is the last id of the page before.
///
/// # Errors
/// When the database does not answer.
pub async fn list(
    db: &Db,
    tenant: &TenantId,
    state: Option<AlarmState>,
    before: Option<&str>,
    limit: u32,
) -> Result<Vec<AlarmRow>, DbError> {
    let rows = sqlx::query(
        "SELECT * FROM alarms
         WHERE COALESCE(tenant, '') = $1 AND ($2 = '' OR state = $2) AND ($3 = '' OR id < $3)
         ORDER BY id DESC LIMIT $4",
    )
    .bind(tenant.as_str())
    .bind(state.map_or("", AlarmState::as_str))
    .bind(before.unwrap_or(""))
    .bind(i64::from(limit))
    .fetch_all(&db.pool)
    .await?;
    rows.iter().map(read).collect()
}

/// As [`list`], of every tenant and the platform, for `operator.rs`.
pub(crate) async fn list_of_all(
    db: &Db,
    state: Option<AlarmState>,
    before: Option<&str>,
    limit: u32,
) -> Result<Vec<AlarmRow>, DbError> {
    let rows = sqlx::query(
        "SELECT * FROM alarms WHERE ($1 = '' OR state = $1) AND ($2 = '' OR id < $2)
         ORDER BY id DESC LIMIT $3",
    )
    .bind(state.map_or("", AlarmState::as_str))
    .bind(before.unwrap_or(""))
    .bind(i64::from(limit))
    .fetch_all(&db.pool)
    .await?;
    rows.iter().map(read).collect()
}

/// Raises an alarm, for `system.rs`: adds `count` raises to the one that is not closed, or begins a
/// new one. `true` when it is new.
pub(crate) async fn raise(
    db: &Db,
    alarm: &Alarm,
    count: u64,
    now: Timestamp,
) -> Result<bool, DbError> {
    // The same letters and order as every generated id, under the prefix of alarms.
    let request = RequestId::generate(now).to_string();
    let id = request.replacen(RequestId::PREFIX, "alm_", 1);
    let mut writing = Writing::begin(db).await?;
    let row = sqlx::query(
        "INSERT INTO alarms
             (id, code, tenant, subject, detail, first_seen_at, last_seen_at, count, state)
         VALUES ($1, $2, $3, $4, $5, $6, $6, $7, 'open')
         ON CONFLICT (code, COALESCE(tenant, ''), subject) WHERE state <> 'closed'
         DO UPDATE SET
             count = alarms.count + excluded.count,
             detail = excluded.detail,
             last_seen_at = CASE WHEN excluded.last_seen_at > alarms.last_seen_at
                 THEN excluded.last_seen_at ELSE alarms.last_seen_at END
         RETURNING id",
    )
    .bind(&id)
    .bind(alarm.code.as_str())
    .bind(alarm.tenant.as_ref().map(ToString::to_string))
    .bind(&alarm.subject)
    .bind(&alarm.detail)
    .bind(now.as_microsecond())
    .bind(to_number(count)?)
    .fetch_one(writing.connection())
    .await?;
    let raised = Reading(&row).text("id")?;
    writing.commit().await?;
    Ok(raised == id)
}

/// Sets the state of an alarm, for `operator.rs`.
pub(crate) async fn set_state(
    db: &Db,
    id: &str,
    state: AlarmState,
) -> Result<AlarmChange, DbError> {
    let mut writing = Writing::begin(db).await?;
    let changed = sqlx::query(
        "UPDATE alarms SET state = $2 WHERE id = $1 AND (state <> 'closed' OR state = $2)",
    )
    .bind(id)
    .bind(state.as_str())
    .execute(writing.connection())
    .await?
    .rows_affected()
        == 1;
    let row = sqlx::query("SELECT * FROM alarms WHERE id = $1")
        .bind(id)
        .fetch_optional(writing.connection())
        .await?;
    writing.commit().await?;
    Ok(match row.as_ref().map(read).transpose()? {
        Some(row) if changed => AlarmChange::Changed(row),
        Some(row) => AlarmChange::Closed(row),
        None => AlarmChange::Missing,
    })
}

/// How many alarms of a tenant (`None`: the platform) wait for somebody.
///
/// # Errors
/// When the database does not answer.
pub async fn count_open(db: &Db, tenant: Option<&TenantId>) -> Result<u64, DbError> {
    let row = sqlx::query(
        "SELECT COUNT(*) AS waiting FROM alarms
         WHERE COALESCE(tenant, '') = $1 AND state = 'open'",
    )
    .bind(tenant_key(tenant))
    .fetch_one(&db.pool)
    .await?;
    Reading(&row).number("waiting")
}

fn read(row: &AnyRow) -> Result<AlarmRow, DbError> {
    let row = Reading(row);
    Ok(AlarmRow {
        id: row.text("id")?,
        code: row.text("code")?,
        tenant: row.optional_parsed("tenant")?,
        subject: row.text("subject")?,
        detail: row.text("detail")?,
        first_seen_at: row.time("first_seen_at")?,
        last_seen_at: row.time("last_seen_at")?,
        count: row.number("count")?,
        state: row.parsed("state")?,
    })
}
