//! `admin tenant:create`, `admin tenant:list`.

use clap::Args;
use diamond_api_types::{
    CreateTenantRequest, Label, Limit, ListTenantsResponse, PageParams, TenantResponse,
    TenantStatus,
};
use diamond_domain::{ServiceId, TenantId, Tier};

use super::{Session, session::mention_rest};
use crate::{
    Terminal,
    failure::Failure,
    table::{list_or, render},
};

/// A new tenant.
#[derive(Debug, Args)]
pub struct CreateArguments {
    /// Its id: 3 to 23 lower-case letters, digits and single hyphens
    name: TenantId,
    /// What it bought [default: managed-starter]
    #[arg(long)]
    tier: Option<Tier>,
    /// What people call it
    #[arg(long, value_name = "TEXT")]
    display_name: Option<Label>,
    /// The AI services that it may use (else all); repeat it or separate with commas
    #[arg(long = "service", value_delimiter = ',', value_name = "SERVICE")]
    services: Vec<ServiceId>,
    /// Nobody receives its keys' values: they are used through the gateway only
    #[arg(long)]
    no_reveal: bool,
}

/// Creates a tenant.
pub async fn create(
    arguments: CreateArguments,
    session: &Session<'_>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let request = CreateTenantRequest {
        id: arguments.name,
        display_name: arguments.display_name,
        tier: arguments.tier,
        reveal: arguments.no_reveal.then_some(false),
        services: Some(arguments.services).filter(|services| !services.is_empty()),
    };
    let answer = session
        .client(terminal)?
        .post(&["api", "tenants"], &request)
        .await?;
    session.present(&answer, terminal, |tenant: TenantResponse, terminal| {
        terminal.data(&table(&[tenant]))
    })
}

/// Which part of the list.
#[derive(Debug, Args)]
pub struct ListArguments {
    /// At most so many [default: 100]
    #[arg(long)]
    limit: Option<Limit>,
    /// Where to go on
    #[arg(long)]
    cursor: Option<String>,
}

/// Lists tenants.
pub async fn list(
    arguments: ListArguments,
    session: &Session<'_>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let query = PageParams {
        limit: arguments.limit,
        cursor: arguments.cursor,
    };
    let answer = session
        .client(terminal)?
        .get(&["api", "tenants"], &query)
        .await?;
    session.present(&answer, terminal, |page: ListTenantsResponse, terminal| {
        terminal.data(&table(&page.items))?;
        mention_rest(page.next_cursor.as_deref(), terminal);
        Ok(())
    })
}

fn table(tenants: &[TenantResponse]) -> String {
    render(
        [
            "TENANT", "NAME", "TIER", "STATUS", "REVEAL", "SERVICES", "CREATED",
        ],
        tenants.iter().map(|tenant| {
            [
                tenant.id.to_string(),
                tenant.display_name.clone(),
                tenant.tier.to_string(),
                match tenant.status {
                    TenantStatus::Active => "active",
                    TenantStatus::Suspended => "suspended",
                }
                .to_owned(),
                if tenant.reveal { "yes" } else { "no" }.to_owned(),
                match &tenant.services {
                    None => "all".to_owned(),
                    Some(services) => list_or(services, "none"),
                },
                format!("{:.0}", tenant.created_at),
            ]
        }),
    )
}
