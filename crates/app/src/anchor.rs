//! The audit chain's head, kept in the control database: a cut tail cannot hide.
//!
//! The anchor moves only while the chain holds it. A chain that has lost its tail keeps the old
//! anchor for good, however long it grows afterwards.

use diamond_db::DbError;
use diamond_domain::{Alarm, AlarmCode, Checkpoint, from_hex};
use diamond_usage::{AuditHead, AuditVerdict};

use crate::{App, AppError};

impl App {
    /// The name of this node's chain in the control database.
    fn chain(&self, number: u32) -> String {
        match number {
            0 | 1 => format!("keys/{}", self.parts().node),
            number => format!("keys/{}/{number}", self.parts().node),
        }
    }

    /// The head of a chain that was written down last.
    pub(crate) async fn anchor(&self, number: u32) -> Result<Option<AuditHead>, DbError> {
        let chain = self.chain(number);
        let anchor = diamond_db::system::get_audit_anchor(&self.parts().db, &chain).await?;
        Ok(anchor.map(|anchor| AuditHead {
            sequence: anchor.sequence,
            hash: anchor.hash,
        }))
    }

    /// Writes down how far the chain reaches.
    pub(crate) async fn put_anchor(&self, number: u32, head: &AuditHead) -> Result<(), DbError> {
        let parts = self.parts();
        let (sequence, hash) = (head.sequence, &head.hash);
        let chain = self.chain(number);
        diamond_db::system::put_audit_anchor(&parts.db, &chain, sequence, hash, parts.clock.now())
            .await?;
        Ok(())
    }

    /// Checks the whole chain against its anchor and against what the witnesses have, and rings
    /// when it does not hold.
    pub(crate) async fn check_chain(&self) -> Result<AuditVerdict, AppError> {
        let verdict = self
            .verdict(self.parts().witnesses.testimony().await)
            .await?;
        self.set_chain_holds(matches!(verdict, AuditVerdict::Whole { .. }));
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

    /// The verdict on the chain, with these checkpoints of this node beside the anchor.
    pub(crate) async fn verdict(
        &self,
        testimony: Vec<Checkpoint>,
    ) -> Result<AuditVerdict, AppError> {
        let audit = &self.parts().audit;
        let number = audit.chain();
        let anchor = self.anchor(number).await?;
        let mut heads: Vec<AuditHead> = anchor.into_iter().collect();
        let mut later = self.anchor(number.saturating_add(1)).await?;
        for checkpoint in testimony {
            let hash = from_hex(&checkpoint.hash).and_then(|hash| hash.try_into().ok());
            let Some(hash) = hash else { continue };
            let head = AuditHead {
                sequence: checkpoint.sequence,
                hash,
            };
            match checkpoint.chain.cmp(&number) {
                std::cmp::Ordering::Equal => heads.push(head),
                // A chain that was begun since is gone.
                std::cmp::Ordering::Greater => later = Some(head),
                // Of what is kept as evidence the hash over its files speaks.
                std::cmp::Ordering::Less => {}
            }
        }
        if let Some(later) = later {
            return Ok(AuditVerdict::Truncated {
                ends_at: audit.head().sequence,
                anchored_at: later.sequence,
            });
        }
        let mut verdict = audit.verify(heads.pop().as_ref()).await?;
        while let (AuditVerdict::Whole { .. }, Some(head)) = (&verdict, heads.pop()) {
            verdict = audit.verify(Some(&head)).await?;
        }
        Ok(verdict)
    }
}
