//! `admin tenant:create`, `admin tenant:list`, `admin tenant:suspend`, `admin tenant:resume`.

use clap::Args;
use diamond_api_types::{
    CreateTenantRequest, Label, Limit, ListTenantsResponse, PageParams, TenantResponse,
    TenantStatus, UpdateTenantRequest, UpdateTenantResponse,
};
use diamond_domain::{ServiceId, TenantId, Tier};

use super::{
    Session,
    revocations::{self, Wait},
    session::mention_rest,
};
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

/// Which tenant is suspended.
#[derive(Debug, Args)]
pub struct SuspendArguments {
    /// The tenant
    tenant: TenantId,
    #[command(flatten)]
    wait: Wait,
}

/// Suspends a tenant and says how many of its calls were cut.
pub async fn suspend(
    arguments: SuspendArguments,
    session: &Session<'_>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let SuspendArguments { tenant, wait } = arguments;
    change_status(&tenant, TenantStatus::Suspended, wait, session, terminal).await
}

/// Which tenant is served again.
#[derive(Debug, Args)]
pub struct ResumeArguments {
    /// The tenant
    tenant: TenantId,
}

/// Serves a suspended tenant again.
pub async fn resume(
    arguments: ResumeArguments,
    session: &Session<'_>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let (tenant, wait) = (arguments.tenant, Wait::default());
    change_status(&tenant, TenantStatus::Active, wait, session, terminal).await
}

async fn change_status(
    tenant: &TenantId,
    status: TenantStatus,
    wait: Wait,
    session: &Session<'_>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let change = UpdateTenantRequest {
        status: Some(status),
        ..UpdateTenantRequest::default()
    };
    let answer = session
        .client(terminal)?
        .patch(
            &["api", "tenants", tenant.as_str()],
            &wait.params(),
            &change,
        )
        .await?;
    session.present(
        &answer,
        terminal,
        |changed: UpdateTenantResponse, terminal| {
            let tenant = &changed.tenant;
            let status = status_text(tenant.status);
            terminal.data(&format!("tenant {} is {status}", tenant.id))?;
            match &changed.revocation {
                Some(seen) => revocations::report(seen, terminal),
                None => Ok(()),
            }
        },
    )
}

const fn status_text(status: TenantStatus) -> &'static str {
    match status {
        TenantStatus::Active => "active",
        TenantStatus::Suspended => "suspended",
    }
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
                status_text(tenant.status).to_owned(),
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
