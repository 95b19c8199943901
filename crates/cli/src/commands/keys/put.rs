//! `ai keys:put`.

use clap::Args;
use diamond_api_types::{KeyVersionResponse, PutKeyRequest, SecretText};
use diamond_domain::{Clock as _, OperationId, SecretValue, ServiceId, SystemClock, TenantId};

use super::{Kind, kind_text};
use crate::{Terminal, commands::Session, failure::Failure};

/// Which key; its value comes from standard input.
#[derive(Debug, Args)]
pub struct PutArguments {
    /// The AI service, such as openai
    service: ServiceId,
    /// The tenant
    tenant: TenantId,
    /// Whose key it is: the platform's for this tenant, or the customer's own
    #[arg(long, value_enum, default_value = "dedicated")]
    kind: Kind,
    /// Keep it without asking the provider if it knows the key
    #[arg(long)]
    no_validate: bool,
    /// Only if the newest version is this one (0: only if there is none)
    #[arg(long, value_name = "N")]
    expected_version: Option<u32>,
}

/// Supplies a key.
pub async fn put(
    arguments: PutArguments,
    session: &Session<'_>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let PutArguments {
        service,
        tenant,
        kind,
        no_validate,
        expected_version,
    } = arguments;
    let client = session.client(terminal)?;
    let value = terminal.secret("key")?;
    let request = PutKeyRequest {
        api_key: SecretText::new(SecretValue::new(value.to_string())),
        validate: !no_validate,
        expected_version,
    };
    let path = [
        "api",
        "keys",
        service.as_str(),
        tenant.as_str(),
        kind.as_str(),
    ];
    let idempotency_key = OperationId::generate(SystemClock.now()).to_string();
    let answer = client.put(&path, &request, Some(&idempotency_key)).await?;
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
