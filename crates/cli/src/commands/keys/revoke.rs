//! `ai keys:revoke`.

use clap::Args;
use diamond_api_types::{RevokeKeyVersionParams, RevokeKeyVersionResponse};
use diamond_domain::{ServiceId, TenantId};

use super::{Kind, kind_text};
use crate::{
    Terminal,
    commands::{
        Session,
        revocations::{self, Wait},
    },
    failure::Failure,
};

/// Which version.
#[derive(Debug, Args)]
pub struct RevokeArguments {
    /// The AI service, such as openai
    service: ServiceId,
    /// The tenant
    tenant: TenantId,
    /// The version's number (see keys:list)
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    version: u32,
    /// Whose key; needed only if both kinds have that version
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// Cut the calls that use it, on every node, whatever holds it; else they finish
    #[arg(long)]
    now: bool,
    #[command(flatten)]
    wait: Wait,
}

/// Revokes a version.
pub async fn revoke(
    arguments: RevokeArguments,
    session: &Session<'_>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let RevokeArguments {
        service,
        tenant,
        version,
        kind,
        now,
        wait,
    } = arguments;
    let version = version.to_string();
    let path = [
        "api",
        "keys",
        service.as_str(),
        tenant.as_str(),
        "versions",
        &version,
    ];
    let query = RevokeKeyVersionParams {
        kind: kind.map(Into::into),
        now: now.then_some(true),
        wait_seconds: wait.params().wait_seconds,
    };
    let answer = session.client(terminal)?.delete(&path, &query).await?;
    session.present(
        &answer,
        terminal,
        |revoked: RevokeKeyVersionResponse, terminal| {
            let version = revoked.version;
            terminal.data(&format!(
                "{} key of {tenant}, {}, version {} is {}",
                version.service,
                kind_text(version.kind),
                version.version,
                version.state.as_str()
            ))?;
            match &revoked.revocation {
                Some(seen) => revocations::report(seen, terminal),
                None => Ok(()),
            }
        },
    )
}
