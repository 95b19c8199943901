//! `ai keys:revoke`.

use clap::Args;
use diamond_api_types::{KeyVersionResponse, RevokeKeyVersionParams};
use diamond_domain::{ServiceId, TenantId};

use super::{Kind, kind_text};
use crate::{Terminal, commands::Session, failure::Failure};

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
    };
    let answer = session.client(terminal)?.delete(&path, &query).await?;
    session.present(
        &answer,
        terminal,
        |version: KeyVersionResponse, terminal| {
            terminal.data(&format!(
                "{} key of {tenant}, {}, version {} is {}",
                version.service,
                kind_text(version.kind),
                version.version,
                version.state.as_str()
            ))
        },
    )
}
