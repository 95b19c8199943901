//! `ai keys:list`.

use clap::Args;
use diamond_api_types::ListKeysResponse;
use diamond_domain::{ServiceId, TenantId};

use super::versions_table;
use crate::{Terminal, commands::Session, failure::Failure};

/// Whose keys.
#[derive(Debug, Args)]
pub struct ListArguments {
    /// The tenant
    tenant: TenantId,
    /// Only the keys for this AI service
    #[arg(long)]
    service: Option<ServiceId>,
}

/// Lists keys.
pub async fn list(
    arguments: ListArguments,
    session: &Session<'_>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let tenant = arguments.tenant.as_str();
    let client = session.client(terminal)?;
    let answer = match &arguments.service {
        Some(service) => {
            client
                .get(&["api", "keys", service.as_str(), tenant, "versions"], &())
                .await?
        }
        None => client.get(&["api", "tenants", tenant, "keys"], &()).await?,
    };
    session.present(&answer, terminal, |keys: ListKeysResponse, terminal| {
        if keys.items.is_empty() {
            terminal.message(&format!(
                "{tenant} has no keys; supply one: diamond ai keys:put SERVICE {tenant} < key-file"
            ));
        }
        terminal.data(&versions_table(&keys.items))
    })
}
