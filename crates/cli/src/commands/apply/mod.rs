//! `apply`: makes tenants, policies, budgets and tokens what a file says.
//!
//! The file is read and checked whole before anything is asked of the server; what the server has
//! is compared with it ([`plan`]); the difference is shown; then each row is carried out on its own
//! ([`carry_out`]). What holds already is left alone, so a run that was killed anywhere is finished
//! by running it again.

mod carry_out;
mod file;
mod plan;
mod present;
mod report;
mod token_file;

use std::path::PathBuf;

use clap::Args;

use super::Session;
use crate::{Terminal, failure::Failure};
use carry_out::carry_out;
use plan::Plan;
use present::Present;
use report::Report;
use token_file::TokenPlace;

/// What is applied, and how far.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The file (YAML) that says what there is to be
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// Show what would change, and change nothing
    #[arg(long)]
    plan: bool,
    /// Where the texts of new tokens are written, this once: a file (mode 0600) to which lines of
    /// JSON are appended, or `-` for standard output
    #[arg(long, value_name = "FILE")]
    tokens_out: Option<TokenPlace>,
    /// Take away the budgets of the file's tenants that the file does not name
    #[arg(long)]
    delete_budgets_not_in_file: bool,
    /// Revoke the tokens of the file's tenants that the file does not name, and cut their calls
    #[arg(long)]
    revoke_tokens_not_in_file: bool,
    /// How many tenants are worked on at one time
    #[arg(long, default_value_t = 8, value_name = "N",
        value_parser = clap::value_parser!(u16).range(1..=64))]
    concurrency: u16,
}

/// Makes it so.
pub async fn apply(
    arguments: Arguments,
    session: &Session<'_>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let declared = file::read(&arguments.file)?;
    let client = session.client(terminal)?;
    let orphans = arguments
        .tokens_out
        .as_ref()
        .map(TokenPlace::begun)
        .transpose()?
        .unwrap_or_default();
    let present = Present::read(&client, &declared).await?;
    let removals = plan::Removals {
        budgets: arguments.delete_budgets_not_in_file,
        tokens: arguments.revoke_tokens_not_in_file,
    };
    let plan = Plan::between(&declared, &present, &orphans, removals);
    drop((declared, present));
    let tokens_on_output = matches!(arguments.tokens_out, Some(TokenPlace::Output));
    let mut report = Report::new(session.is_json(), tokens_on_output && !arguments.plan);
    report.plan(&plan, terminal)?;
    if arguments.plan {
        return report.end_of_plan(&plan, terminal);
    }
    if plan.makes_tokens() && arguments.tokens_out.is_none() {
        return Err(Failure::input_with_hint(
            "new tokens are shown once, and it is not said where: nothing was changed",
            "add --tokens-out FILE (mode 0600), or --tokens-out - for standard output",
        ));
    }
    let sink = match (&arguments.tokens_out, plan.makes_tokens()) {
        (Some(place), true) => place.open()?,
        _ => None,
    };
    let concurrency = usize::from(arguments.concurrency);
    let failed = carry_out(
        plan,
        &client,
        sink.as_ref(),
        concurrency,
        &mut report,
        terminal,
    )
    .await?;
    if let (Some(sink), false) = (sink, failed) {
        sink.finish()?;
    }
    report.end(terminal)
}
