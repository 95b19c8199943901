//! Anchors of the audit chains: how far each node's chain had come, kept where the node's own disk
//! cannot lose it. Written and read through [`crate::system`].

use jiff::Timestamp;

use crate::{
    Db, DbError, digest,
    reading::{Reading, to_number},
    transaction::Writing,
};

/// How far a chain had come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditAnchor {
    /// The number of its newest entry.
    pub sequence: u64,
    /// The hash of that entry.
    pub hash: [u8; 32],
    /// When it was anchored.
    pub at: Timestamp,
}

pub(crate) async fn put(db: &Db, chain: &str, anchor: &AuditAnchor) -> Result<bool, DbError> {
    let mut writing = Writing::begin(db).await?;
    let moved = sqlx::query(
        "INSERT INTO audit_anchors (chain, sequence, hash, at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (chain) DO UPDATE
             SET sequence = excluded.sequence, hash = excluded.hash, at = excluded.at
             WHERE excluded.sequence > audit_anchors.sequence",
    )
    .bind(chain)
    .bind(to_number(anchor.sequence)?)
    .bind(digest::to_text(&anchor.hash))
    .bind(anchor.at.as_microsecond())
    .execute(writing.connection())
    .await?
    .rows_affected()
        == 1;
    writing.commit().await?;
    Ok(moved)
}

pub(crate) async fn get(db: &Db, chain: &str) -> Result<Option<AuditAnchor>, DbError> {
    let row = sqlx::query("SELECT sequence, hash, at FROM audit_anchors WHERE chain = $1")
        .bind(chain)
        .fetch_optional(&db.pool)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let row = Reading(&row);
    Ok(Some(AuditAnchor {
        sequence: row.number("sequence")?,
        hash: digest::from_text(&row.text("hash")?, "hash")?,
        at: row.time("at")?,
    }))
}
