//! `ai keys:get`.

use clap::Args;
use diamond_api_types::{Label, LeaseKeyRequest, LeaseKeyResponse};
use diamond_domain::{ServiceId, TenantId, Tier, UserId};

use super::kind_text;
use crate::{Terminal, commands::Session, failure::Failure};

/// Which key, and for whom.
#[derive(Debug, Args)]
pub struct GetArguments {
    /// The AI service, such as openai
    service: ServiceId,
    /// The tenant
    tenant: TenantId,
    /// The user that the key is for (else the token's user)
    #[arg(long)]
    user: Option<UserId>,
    /// The tier that the tenant is believed to have; refused if it has another
    #[arg(long)]
    tier: Option<Tier>,
    /// Why; kept in the audit (operators must say)
    #[arg(long)]
    purpose: Option<Label>,
}

/// Prints the bare key, so that `KEY=$(diamond ai keys:get …)` works; the rest goes to standard
/// error.
pub async fn get(
    arguments: GetArguments,
    session: &Session<'_>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let GetArguments {
        service,
        tenant,
        user: user_id,
        tier,
        purpose,
    } = arguments;
    let request = LeaseKeyRequest {
        user_id,
        tier,
        purpose,
    };
    let path = ["api", "keys", service.as_str(), tenant.as_str()];
    let answer = session.client(terminal)?.post(&path, &request).await?;
    session.present(&answer, terminal, |key: LeaseKeyResponse, terminal| {
        terminal.message(&format!(
            "{} key of {}, {}, version {}; fetch it again before {:.0} (trace {})",
            key.service,
            key.tenant_id,
            kind_text(key.kind),
            key.version,
            key.expires_at,
            key.trace_id
        ));
        terminal.data(key.api_key.expose())
    })
}
