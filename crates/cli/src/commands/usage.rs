//! `ai usage:list`.

use clap::Args;
use diamond_api_types::{Limit, ListUsageEventsParams, ListUsageEventsResponse};
use diamond_domain::{EventId, ServiceId, TenantId, UserId};
use jiff::Timestamp;

use super::{Session, session::mention_rest};
use crate::{
    Terminal,
    failure::Failure,
    table::{or_dash, render},
};

/// Which events.
#[derive(Debug, Args)]
pub struct ListArguments {
    /// The tenant (else the token's own)
    #[arg(long)]
    tenant: Option<TenantId>,
    /// Calls that began at or after this (2026-01-31T00:00:00Z)
    #[arg(long, requires = "to")]
    from: Option<Timestamp>,
    /// Calls that began before this
    #[arg(long, requires = "from")]
    to: Option<Timestamp>,
    /// Calls of this user
    #[arg(long)]
    user: Option<UserId>,
    /// Calls to this AI service
    #[arg(long)]
    service: Option<ServiceId>,
    /// Calls of this model
    #[arg(long)]
    model: Option<String>,
    /// This event
    #[arg(long)]
    event: Option<EventId>,
    /// The event of this request
    #[arg(long)]
    request: Option<String>,
    /// At most so many [default: 100]
    #[arg(long)]
    limit: Option<Limit>,
    /// Where to go on
    #[arg(long)]
    cursor: Option<String>,
}

/// Lists usage events.
pub async fn list(
    arguments: ListArguments,
    session: &Session<'_>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let query = ListUsageEventsParams {
        tenant_id: arguments.tenant,
        from: arguments.from,
        to: arguments.to,
        user: arguments.user,
        service: arguments.service,
        model: arguments.model,
        event_id: arguments.event,
        request_id: arguments.request,
        provider_request_id: None,
        limit: arguments.limit,
        cursor: arguments.cursor,
    };
    let answer = session
        .client(terminal)?
        .get(&["api", "usage", "events"], &query)
        .await?;
    session.present(
        &answer,
        terminal,
        |page: ListUsageEventsResponse, terminal| {
            terminal.data(&render(
                [
                    "TIME",
                    "TENANT",
                    "USER",
                    "SERVICE",
                    "MODEL",
                    "OPERATION",
                    ">COST USD",
                    "BASIS",
                    "OUTCOME",
                    "EVENT",
                ],
                page.items.iter().map(|event| {
                    [
                        format!("{:.3}", event.timestamp),
                        event.tenant_id.to_string(),
                        event.user_id.to_string(),
                        event.service.to_string(),
                        event.model.clone(),
                        event.operation.clone(),
                        or_dash(event.cost_usd),
                        event.cost_basis.to_string(),
                        if event.partial {
                            format!("{}, partial", event.outcome)
                        } else {
                            event.outcome.to_string()
                        },
                        event.event_id.to_string(),
                    ]
                }),
            ))?;
            mention_rest(page.next_cursor.as_deref(), terminal);
            Ok(())
        },
    )
}
