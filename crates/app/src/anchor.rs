//! The audit chain's head, kept in the control database: a cut tail cannot hide.
//!
//! The anchor moves only while the chain holds it. A chain that has lost its tail keeps the old
//! anchor for good, however long it grows afterwards.

use diamond_db::DbError;
use diamond_domain::{Alarm, AlarmCode};
use diamond_usage::{AuditHead, AuditVerdict};

use crate::{App, AppError};

impl App {
    /// The name of this node's chain in the control database.
    fn chain(&self) -> String {
        format!("keys/{}", self.parts().node)
    }

    /// The head that was written down last.
    pub(crate) async fn anchor(&self) -> Result<Option<AuditHead>, DbError> {
        let anchor = diamond_db::system::get_audit_anchor(&self.parts().db, &self.chain()).await?;
        Ok(anchor.map(|anchor| AuditHead {
            sequence: anchor.sequence,
            hash: anchor.hash,
        }))
    }

    /// Writes down how far the chain reaches.
    pub(crate) async fn put_anchor(&self, head: &AuditHead) -> Result<(), DbError> {
        let parts = self.parts();
        let (sequence, hash) = (head.sequence, &head.hash);
        let chain = self.chain();
        diamond_db::system::put_audit_anchor(&parts.db, &chain, sequence, hash, parts.clock.now())
            .await?;
        Ok(())
    }

    /// Checks the whole chain against its anchor, and rings when it does not hold.
    pub(crate) async fn check_chain(&self) -> Result<AuditVerdict, AppError> {
        let anchor = self.anchor().await?;
        let verdict = self.parts().audit.verify(anchor.as_ref()).await?;
        if !matches!(verdict, AuditVerdict::Whole { .. }) {
            self.raise(Alarm {
                code: AlarmCode::AuditBroken,
                tenant: None,
                subject: "audit".into(),
                detail: format!(
                    "the audit chain does not hold ({verdict:?}): keep the folder as it is and \
                     find out who changed it"
                ),
            });
        }
        Ok(verdict)
    }
}
