//! `admin credential:put` and `admin provider:sweep`.

use clap::Args;
use diamond_api_types::{CredentialResponse, PutCredentialRequest, SecretText, SweepResponse};
use diamond_domain::{Clock as _, OperationId, SecretValue, ServiceId, SystemClock, TenantId};

use super::Session;
use crate::{
    Terminal,
    failure::Failure,
    table::{or_dash, printable, render},
};

/// Which credential; its value comes from standard input.
#[derive(Debug, Args)]
pub struct CredentialArguments {
    /// The AI service, such as openai
    service: ServiceId,
    /// The tenant in whose own account keys are made; the platform's account when absent
    #[arg(long)]
    tenant: Option<TenantId>,
    /// Keep it without asking the provider if it works
    #[arg(long)]
    no_validate: bool,
}

/// Which provider.
#[derive(Debug, Args)]
pub struct SweepArguments {
    /// The AI service, such as openai
    service: ServiceId,
}

/// Supplies a management credential.
pub async fn put_credential(
    arguments: CredentialArguments,
    session: &Session<'_>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let client = session.client(terminal)?;
    let value = terminal.secret("management credential")?;
    let request = PutCredentialRequest {
        api_key: SecretText::new(SecretValue::new(value.to_string())),
        validate: !arguments.no_validate,
    };
    let service = arguments.service.as_str();
    let once = OperationId::generate(SystemClock.now()).to_string();
    let answer = match &arguments.tenant {
        None => {
            let path = ["api", "services", service, "credential"];
            client.put(&path, &request, Some(&once)).await?
        }
        Some(tenant) => {
            let path = ["api", "keys", service, tenant.as_str(), "admin"];
            client.put(&path, &request, Some(&once)).await?
        }
    };
    session.present(&answer, terminal, |put: CredentialResponse, terminal| {
        terminal.data(&format!(
            "{} is at version {} ({})",
            put.name, put.version, put.fingerprint
        ))
    })
}

/// Compares a provider's keys with ours.
pub async fn sweep(
    arguments: &SweepArguments,
    session: &Session<'_>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let client = session.client(terminal)?;
    let path = ["api", "services", arguments.service.as_str(), "sweep"];
    let answer = client.post_empty(&path).await?;
    session.present(&answer, terminal, |found: SweepResponse, terminal| {
        terminal.data(&format!(
            "{}: {} live keys, {} ours and in use, {} ours and left over, {} unknown, {} missing",
            found.service,
            found.listed,
            found.ours,
            found.ended.len(),
            found.unknown_count,
            found.missing.len(),
        ))?;
        let kinds = [("being ended", &found.ended), ("unknown", &found.unknown)];
        let rows = kinds.iter().flat_map(|(what, keys)| {
            keys.iter().map(|key| {
                [
                    (*what).to_owned(),
                    printable(&key.id),
                    printable(&key.name),
                    or_dash(key.hint.as_deref().map(printable)),
                    or_dash(key.created_at.map(|at| format!("{at:.0}"))),
                ]
            })
        });
        let rows: Vec<_> = rows.collect();
        if !rows.is_empty() {
            let headings = ["WHAT", "ID", "NAME", "HINT", "MADE"];
            terminal.data(&render(headings, rows))?;
        }
        for missing in &found.missing {
            terminal.message(&format!(
                "missing at the provider, being replaced: {} version {}",
                missing.name, missing.version
            ));
        }
        for failure in &found.failed {
            let reason = printable(&failure.reason);
            terminal.message(&format!(
                "{} could not be used: {reason}",
                failure.credential
            ));
        }
        if found.reports_only {
            terminal.message(
                "nothing was changed: this installation was brought back from a backup and is not \
                 released",
            );
        }
        Ok(())
    })
}
