//! `admin audit:verify`, `admin audit:status`, `admin audit:begin-anew`.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
};

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use clap::Args;
use diamond_api_types::{
    AuditCoverageResponse, AuditEntryResponse, AuditStatusResponse, BeginAuditAnewRequest, Label,
    VerifyAuditOutcome, VerifyAuditResponse, VerifyCheckpointsRequest, VerifyCheckpointsResponse,
};
use diamond_domain::{Checkpoint, from_hex};

use super::Session;
use crate::{
    Terminal,
    failure::Failure,
    table::{or_dash, render},
};

/// What to verify.
#[derive(Debug, Args)]
pub struct VerifyArguments {
    /// A file of checkpoints that a witness kept: a line of JSON each
    #[arg(long, value_name = "FILE")]
    checkpoints: Option<PathBuf>,
    /// The key that checkpoints must be signed with, hexadecimal (see audit:status); else the
    /// server is asked, which proves less
    #[arg(long, value_name = "HEX", requires = "checkpoints")]
    public_key: Option<String>,
    /// Check the file alone, without a server
    #[arg(long, requires_all = ["checkpoints", "public_key"])]
    offline: bool,
}

/// Proves the audit chain. That it does not hold is a failure of its own, also for programs.
pub async fn verify(
    arguments: VerifyArguments,
    session: &Session<'_>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let Some(path) = arguments.checkpoints else {
        return verify_chain(session, terminal).await;
    };
    let public_key = match arguments.public_key {
        Some(key) => key,
        None => {
            let answer = session
                .client(terminal)?
                .get(&["api", "audit", "status"], &())
                .await?;
            answer.read::<AuditStatusResponse>()?.public_key
        }
    };
    let furthest = check_file(&path, &public_key, terminal)?;
    if arguments.offline {
        return Ok(());
    }
    let request = VerifyCheckpointsRequest {
        checkpoints: furthest,
    };
    let answer = session
        .client(terminal)?
        .post(&["api", "audit", "verify"], &request)
        .await?;
    let told: VerifyCheckpointsResponse = answer.read()?;
    say_coverage(&told.verdict.coverage, terminal);
    let sentence = if told.verdict.outcome != VerifyAuditOutcome::Whole {
        sentence(&told.verdict)
    } else if told.own_checkpoints == 0 || told.foreign_checkpoints > 0 {
        format!(
            "{} chains of the file are not this node's: ask each of its nodes, or another folder \
             stands in the place of the one that was witnessed",
            told.foreign_checkpoints
        )
    } else {
        format!("{}, as the witness says", sentence(&told.verdict))
    };
    conclude(told.verdict.ok, sentence, &answer, session, terminal)
}

async fn verify_chain(session: &Session<'_>, terminal: &mut Terminal) -> Result<(), Failure> {
    let answer = session
        .client(terminal)?
        .get(&["api", "audit", "verify"], &())
        .await?;
    let verdict: VerifyAuditResponse = answer.read()?;
    say_coverage(&verdict.coverage, terminal);
    conclude(verdict.ok, sentence(&verdict), &answer, session, terminal)
}

/// Says of which node an answer is, and whose chains it says nothing about.
pub fn say_coverage(coverage: &AuditCoverageResponse, terminal: &mut Terminal) {
    terminal.message(&format!("answered by the node {}", coverage.node));
    for other in &coverage.not_covered {
        let standing = match other.stopped_at {
            Some(at) => format!("stopped at {at:.0}"),
            None => format!("last seen at {:.0}", other.last_seen_at),
        };
        terminal.message(&format!(
            "not covered: the node {} ({standing}) has a chain of its own; ask it, too (--url)",
            other.node
        ));
    }
}

fn conclude(
    ok: bool,
    sentence: String,
    answer: &crate::client::Answer,
    session: &Session<'_>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    session.present(answer, terminal, |_: serde_json::Value, terminal| {
        if ok { terminal.data(&sentence) } else { Ok(()) }
    })?;
    if ok {
        Ok(())
    } else {
        Err(Failure::CheckFailed(sentence))
    }
}

/// Checks every line of the file by the public key alone; the furthest checkpoint of each chain.
fn check_file(
    path: &Path,
    public_key: &str,
    terminal: &mut Terminal,
) -> Result<Vec<Checkpoint>, Failure> {
    let unreadable = |error| Failure::input(format!("{} cannot be read: {error}", path.display()));
    let key = from_hex(public_key)
        .ok_or_else(|| Failure::input("a public key is 64 hexadecimal digits".to_owned()))?;
    let key = UnparsedPublicKey::new(&ED25519, key);
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut furthest: BTreeMap<_, Checkpoint> = BTreeMap::new();
    let (mut checked, mut torn) = (0_u64, 0_u64);
    for (number, line) in BufReader::new(file).split(b'\n').enumerate() {
        let line = line.map_err(unreadable)?;
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let Ok(checkpoint) = serde_json::from_slice::<Checkpoint>(&line) else {
            torn += 1;
            continue;
        };
        let place = number + 1;
        let signed = from_hex(&checkpoint.signature).is_some_and(|signature| {
            key.verify(checkpoint.statement().as_bytes(), &signature)
                .is_ok()
        });
        if !signed {
            return Err(Failure::CheckFailed(format!(
                "line {place} of {} is not signed with this key",
                path.display()
            )));
        }
        checked += 1;
        let chain = (checkpoint.installation, checkpoint.node, checkpoint.chain);
        if let Some(before) = furthest.get(&chain) {
            let same = before.sequence == checkpoint.sequence;
            if before.sequence > checkpoint.sequence || (same && before.hash != checkpoint.hash) {
                return Err(Failure::CheckFailed(format!(
                    "line {place} of {} contradicts the one before: the chain was rolled back or \
                     written anew between the two",
                    path.display()
                )));
            }
        }
        furthest.insert(chain, checkpoint);
    }
    if checked == 0 {
        return Err(Failure::CheckFailed(format!(
            "{} has no checkpoint",
            path.display()
        )));
    }
    if torn > 0 {
        terminal.message(&format!("{torn} lines are torn and were passed over"));
    }
    terminal.message(&format!("{checked} checkpoints are signed and in order"));
    // Of each node the newest chain speaks.
    let mut newest: BTreeMap<_, Checkpoint> = BTreeMap::new();
    for ((installation, node, _), checkpoint) in furthest {
        newest.insert((installation, node), checkpoint);
    }
    Ok(newest.into_values().collect())
}

/// Shows how the chain and its witnesses stand.
pub async fn status(session: &Session<'_>, terminal: &mut Terminal) -> Result<(), Failure> {
    let answer = session
        .client(terminal)?
        .get(&["api", "audit", "status"], &())
        .await?;
    session.present(
        &answer,
        terminal,
        |status: AuditStatusResponse, terminal| {
            terminal.data(&format!(
                "chain {} of {} has {} entries, anchored at {}; it {}",
                status.chain,
                status.node,
                status.sequence,
                or_dash(status.anchored_sequence),
                if status.holds {
                    "holds"
                } else {
                    "does not hold"
                },
            ))?;
            terminal.data(&format!("public key {}", status.public_key))?;
            for earlier in &status.earlier {
                terminal.data(&format!(
                    "chain {} was found broken and ends at {}; it {} as it was then",
                    earlier.chain,
                    earlier.ends_at,
                    if earlier.intact { "is" } else { "is NOT" },
                ))?;
            }
            if status.closed {
                terminal.data("no key is handed out: no witness keeps up")?;
            }
            terminal.data(&render(
                ["WITNESS", ">COVERS", "LAST", ">BEHIND S", "TROUBLE"],
                status.witnesses.iter().map(|witness| {
                    [
                        witness.name.clone(),
                        or_dash(witness.sequence),
                        or_dash(witness.delivered_at.map(|at| format!("{at:.0}"))),
                        or_dash(witness.behind_seconds),
                        or_dash(witness.trouble.as_ref()),
                    ]
                }),
            ))
        },
    )
}

/// Why a chain is begun anew.
#[derive(Debug, Args)]
pub struct BeginAnewArguments {
    /// What was found and what was done about it
    #[arg(long, value_name = "TEXT")]
    reason: Label,
}

/// Keeps a broken chain as evidence and begins another.
pub async fn begin_anew(
    arguments: BeginAnewArguments,
    session: &Session<'_>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let request = BeginAuditAnewRequest {
        reason: arguments.reason,
    };
    let answer = session
        .client(terminal)?
        .post(&["api", "audit", "begin-anew"], &request)
        .await?;
    session.present(&answer, terminal, |entry: AuditEntryResponse, terminal| {
        terminal.data(&format!(
            "a new chain begins with entry {}; the broken one is kept",
            entry.sequence
        ))
    })
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
