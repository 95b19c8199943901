//! The audit chain's head, kept in the control database: a cut tail cannot hide.

use diamond_db::{Db, DbError};
use diamond_usage::{AuditHead, AuditSink};
use jiff::Timestamp;

/// The name of this node's chain in the control database.
pub const AUDIT_CHAIN: &str = "keys";

/// Writes down how far the chain reaches. The database never takes an earlier head.
pub(crate) async fn store(
    db: &Db,
    audit: &dyn AuditSink,
    at: Timestamp,
) -> Result<AuditHead, DbError> {
    let head = audit.head();
    if head.sequence > 0 {
        diamond_db::system::put_audit_anchor(db, AUDIT_CHAIN, head.sequence, &head.hash, at)
            .await?;
    }
    Ok(head)
}

/// The head that was written down last.
pub(crate) async fn load(db: &Db) -> Result<Option<AuditHead>, DbError> {
    let anchor = diamond_db::system::get_audit_anchor(db, AUDIT_CHAIN).await?;
    Ok(anchor.map(|anchor| AuditHead {
        sequence: anchor.sequence,
        hash: anchor.hash,
    }))
}
