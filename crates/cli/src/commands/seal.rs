//! `admin seal:status` and `admin seal:rekey`.

use std::time::Duration;

use clap::Args;
use diamond_api_types::{DataKeysResponse, RekeyPhase, RekeyResponse, SealStatusResponse};

use super::Session;
use crate::{
    Terminal,
    client::Answer,
    failure::Failure,
    table::{or_dash, render},
};

/// How often is looked while a change goes on.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// For how many looks a change may wait for a node before the command says so and ends.
const PATIENCE: u32 = 40;

/// How to change it.
#[derive(Debug, Args)]
pub struct RekeyArguments {
    /// Begin, and do not wait for the end
    #[arg(long, conflicts_with = "cancel")]
    no_wait: bool,
    /// Give up a change that waits and has not touched anything
    #[arg(long)]
    cancel: bool,
}

/// Shows how the master key stands.
pub async fn status(session: &Session<'_>, terminal: &mut Terminal) -> Result<(), Failure> {
    let answer = session.client(terminal)?.get(&["api", "seal"], &()).await?;
    show(&answer, session, terminal)
}

/// Changes the master key. Interrupting the command does not interrupt the change.
pub async fn rekey(
    arguments: &RekeyArguments,
    session: &Session<'_>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let client = session.client(terminal)?;
    let path = ["api", "seal", "rekey"];
    if arguments.cancel {
        let answer = client.delete(&path, &()).await?;
        return show(&answer, session, terminal);
    }
    let mut answer = client.post_empty(&path).await?;
    if !arguments.no_wait {
        let bar = terminal.bar("data keys {bar:40} {pos}/{len}");
        let mut waited = 0;
        loop {
            let status: SealStatusResponse = answer.read()?;
            let Some(rekey) = status.rekey else { break };
            bar.set_length(rekey.total);
            bar.set_position(rekey.done);
            let waits = rekey.phase == RekeyPhase::Preparing && !rekey.waiting_for.is_empty();
            waited = if waits { waited + 1 } else { 0 };
            if waited > PATIENCE {
                bar.abandon();
                return Err(Failure::CheckFailed(waiting(&rekey)));
            }
            tokio::time::sleep(LOOK_EVERY).await;
            answer = client.get(&["api", "seal"], &()).await?;
        }
        bar.finish_and_clear();
    }
    show(&answer, session, terminal)
}

fn waiting(rekey: &RekeyResponse) -> String {
    format!(
        "the change to {} waits: these nodes do not hold the new master key yet: {}; put its file \
         there and it goes on by itself, or give it up with --cancel",
        rekey.to,
        rekey.waiting_for.join(", ")
    )
}

fn show(answer: &Answer, session: &Session<'_>, terminal: &mut Terminal) -> Result<(), Failure> {
    session.present(answer, terminal, |status: SealStatusResponse, terminal| {
        let yes = |truth: bool| if truth { "yes" } else { "no" }.to_owned();
        let time = |time: Option<jiff::Timestamp>| or_dash(time.map(|time| format!("{time:.0}")));
        terminal.data(&render(
            ["MASTER KEY", ""],
            [
                ["id".into(), status.master_key_id.clone()],
                ["source".into(), status.source.clone()],
                ["file".into(), or_dash(status.path.as_ref())],
                [
                    "on the data volume".into(),
                    or_dash(status.on_data_volume.map(yes)),
                ],
                ["made".into(), time(status.made_at)],
                ["last changed".into(), time(status.rotated_at)],
                ["profile".into(), status.profile.clone()],
                ["memory locked".into(), yes(status.memory_locked)],
                ["data keys".into(), data_keys(&status.data_keys)],
                ["change".into(), or_dash(status.rekey.as_ref().map(change))],
            ],
        ))?;
        for warning in &status.warnings {
            terminal.message(&format!("warning: {}", crate::table::printable(warning)));
        }
        Ok(())
    })
}

fn data_keys(counts: &[DataKeysResponse]) -> String {
    let parts: Vec<_> = counts
        .iter()
        .map(|keys| {
            let id = keys.master_key_id.as_deref().unwrap_or("unknown");
            let unreadable = if keys.unreadable { " (unreadable)" } else { "" };
            format!("{} under {id}{unreadable}", keys.count)
        })
        .collect();
    if parts.is_empty() {
        "none".to_owned()
    } else {
        parts.join(", ")
    }
}

fn change(rekey: &RekeyResponse) -> String {
    match rekey.phase {
        RekeyPhase::Preparing if rekey.waiting_for.is_empty() => {
            format!("to {}: about to begin", rekey.to)
        }
        RekeyPhase::Preparing => format!(
            "to {}: waits for {}",
            rekey.to,
            rekey.waiting_for.join(", ")
        ),
        RekeyPhase::Rewrapping => {
            format!("to {}: {} of {}", rekey.to, rekey.done, rekey.total)
        }
    }
}
