//! `admin audit:verify`.

use diamond_api_types::{VerifyAuditOutcome, VerifyAuditResponse};

use super::Session;
use crate::{Terminal, failure::Failure, table::or_dash};

/// Proves the audit chain. That it does not hold is a failure of its own, also for programs.
pub async fn verify(session: &Session<'_>, terminal: &mut Terminal) -> Result<(), Failure> {
    let answer = session
        .client(terminal)?
        .get(&["api", "audit", "verify"], &())
        .await?;
    let verdict: VerifyAuditResponse = answer.read()?;
    let sentence = sentence(&verdict);
    session.present(&answer, terminal, |_: VerifyAuditResponse, terminal| {
        if verdict.ok {
            terminal.data(&sentence)
        } else {
            Ok(())
        }
    })?;
    if verdict.ok {
        Ok(())
    } else {
        Err(Failure::CheckFailed(sentence))
    }
}

fn sentence(verdict: &VerifyAuditResponse) -> String {
    match verdict.outcome {
        VerifyAuditOutcome::Whole => {
            format!(
                "the audit chain is whole: {} entries",
                or_dash(verdict.entries)
            )
        }
        VerifyAuditOutcome::Broken => format!(
            "the audit chain is broken at entry {}: it is not what was written, or one before it \
             is missing",
            or_dash(verdict.broken_at)
        ),
        VerifyAuditOutcome::Truncated => format!(
            "the tail of the audit chain was cut: it ends at entry {}, but reached {}",
            or_dash(verdict.ends_at),
            or_dash(verdict.anchored_at)
        ),
        VerifyAuditOutcome::Rewritten => format!(
            "the audit chain was written anew: it is not the one that was anchored at entry {}",
            or_dash(verdict.anchored_at)
        ),
    }
}
