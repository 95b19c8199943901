//! Revocations that take effect at once: what was ended, and which node has cut what.
//!
//! A revocation is entered in the transaction of the change that it comes with.

use diamond_domain::{NodeId, RevocationId, SecretName, SecretVersion, TenantId, TokenId};
use jiff::Timestamp;
use sqlx::{AnyConnection, any::AnyRow};

use crate::{
    Db, DbError,
    reading::{Reading, to_number},
    transaction::Writing,
};

/// What is ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevocationTarget {
    /// Everything of a tenant, until it is resumed.
    Tenant(TenantId),
    /// Everything done with an access token.
    Token(TokenId),
    /// Everything done with a version of a key.
    Key(SecretName, SecretVersion),
}

/// A revocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// Its name.
    pub id: RevocationId,
    /// The change that it came with.
    pub sequence: u64,
    /// What was ended.
    pub target: RevocationTarget,
    /// Whose it is; `None` for the platform's.
    pub tenant: Option<TenantId>,
    /// When.
    pub at: Timestamp,
}

/// What a node has made of a revocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationAcknowledgement {
    /// Which node.
    pub node: NodeId,
    /// Since when it refuses.
    pub at: Timestamp,
    /// How many calls it cut.
    pub calls_cut: u64,
}

/// The tenant's revocation of this id.
///
/// # Errors
/// When the database does not answer.
pub async fn get(
    db: &Db,
    tenant: &TenantId,
    id: RevocationId,
) -> Result<Option<Revocation>, DbError> {
    let row = sqlx::query("SELECT * FROM revocations WHERE id = $1 AND tenant = $2")
        .bind(id.to_string())
        .bind(tenant.as_str())
        .fetch_optional(&db.pool)
        .await?;
    row.as_ref().map(read).transpose()
}

/// The revocation of this id, whoever owns it, for `operator.rs`.
pub(crate) async fn get_of_any(db: &Db, id: RevocationId) -> Result<Option<Revocation>, DbError> {
    let row = sqlx::query("SELECT * FROM revocations WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(&db.pool)
        .await?;
    row.as_ref().map(read).transpose()
}

/// Enters a revocation that comes with the change that is about to be committed: the transaction
/// holds the head of the change log.
pub(crate) async fn enter(
    connection: &mut AnyConnection,
    id: RevocationId,
    target: &RevocationTarget,
    tenant: Option<&TenantId>,
    at: Timestamp,
) -> Result<(), DbError> {
    let (kind, subject, version) = match target {
        RevocationTarget::Tenant(tenant) => ("tenant", tenant.to_string(), None),
        RevocationTarget::Token(token) => ("token", token.to_string(), None),
        RevocationTarget::Key(name, version) => ("key", name.to_string(), Some(version.get())),
    };
    sqlx::query(
        "INSERT INTO revocations (id, sequence, kind, subject, version, tenant, at)
         SELECT $1, sequence + 1, $2, $3, $4, $5, $6 FROM change_head WHERE singleton = 1",
    )
    .bind(id.to_string())
    .bind(kind)
    .bind(subject)
    .bind(version.map(i64::from))
    .bind(tenant.map(ToString::to_string))
    .bind(at.as_microsecond())
    .execute(connection)
    .await?;
    Ok(())
}

/// The revocations behind a sequence and up to another, in order.
pub(crate) async fn between(db: &Db, after: u64, through: u64) -> Result<Vec<Revocation>, DbError> {
    let rows = sqlx::query(
        "SELECT * FROM revocations WHERE sequence > $1 AND sequence <= $2 ORDER BY sequence",
    )
    .bind(to_number(after)?)
    .bind(to_number(through)?)
    .fetch_all(&db.pool)
    .await?;
    rows.iter().map(read).collect()
}

/// The revocations of a span of time, oldest first.
pub(crate) async fn of_time(
    db: &Db,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Revocation>, DbError> {
    let rows = sqlx::query(
        "SELECT * FROM revocations WHERE at >= $1 AND at < $2 ORDER BY sequence LIMIT 1000",
    )
    .bind(from.as_microsecond())
    .bind(to.as_microsecond())
    .fetch_all(&db.pool)
    .await?;
    rows.iter().map(read).collect()
}

/// Notes what a node has made of a revocation; the first word stands.
pub(crate) async fn acknowledge(
    db: &Db,
    id: RevocationId,
    acknowledgement: &RevocationAcknowledgement,
) -> Result<(), DbError> {
    let mut writing = Writing::begin(db).await?;
    sqlx::query(
        "INSERT INTO revocation_acknowledgements (revocation, node, at, calls_cut)
         VALUES ($1, $2, $3, $4) ON CONFLICT (revocation, node) DO NOTHING",
    )
    .bind(id.to_string())
    .bind(acknowledgement.node.to_string())
    .bind(acknowledgement.at.as_microsecond())
    .bind(to_number(acknowledgement.calls_cut)?)
    .execute(writing.connection())
    .await?;
    writing.commit().await
}

/// What the nodes have made of a revocation.
pub(crate) async fn acknowledgements(
    db: &Db,
    id: RevocationId,
) -> Result<Vec<RevocationAcknowledgement>, DbError> {
    let rows = sqlx::query(
        "SELECT node, at, calls_cut FROM revocation_acknowledgements
         WHERE revocation = $1 ORDER BY node",
    )
    .bind(id.to_string())
    .fetch_all(&db.pool)
    .await?;
    let read = |row| {
        let row = Reading(row);
        Ok(RevocationAcknowledgement {
            node: row.parsed("node")?,
            at: row.time("at")?,
            calls_cut: row.number("calls_cut")?,
        })
    };
    rows.iter().map(read).collect()
}

fn read(row: &AnyRow) -> Result<Revocation, DbError> {
    let row = Reading(row);
    let target = match row.text("kind")?.as_str() {
        "tenant" => RevocationTarget::Tenant(row.parsed("subject")?),
        "token" => RevocationTarget::Token(row.parsed("subject")?),
        "key" => {
            let version = SecretVersion::new(row.number("version")?);
            let version = version.ok_or_else(|| DbError::corrupt("column version"))?;
            RevocationTarget::Key(row.parsed("subject")?, version)
        }
        _ => return Err(DbError::corrupt("column kind")),
    };
    Ok(Revocation {
        id: row.parsed("id")?,
        sequence: row.number("sequence")?,
        target,
        tenant: row.optional_parsed("tenant")?,
        at: row.time("at")?,
    })
}
