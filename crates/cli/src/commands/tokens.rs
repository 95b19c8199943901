//! `admin token:create`, `admin token:list`, `admin token:revoke`.

use clap::Args;
use diamond_api_types::{
    CreateTokenRequest, CreateTokenResponse, Label, Limit, ListTokensParams, ListTokensResponse,
    RevokeTokenResponse, TokenResponse,
};
use diamond_domain::{Clock as _, Scope, ServiceId, SystemClock, TenantId, TokenId, UserId};
use jiff::{Span, SpanRelativeTo, Timestamp};

use super::{
    Session,
    revocations::{self, Wait},
    session::mention_rest,
};
use crate::{
    Terminal,
    failure::Failure,
    table::{list_or, or_dash, render},
};

/// A new token.
#[derive(Debug, Args)]
pub struct CreateArguments {
    /// The tenant that it belongs to (else the platform itself; operators only)
    #[arg(long)]
    tenant: Option<TenantId>,
    /// What it may do; repeat it or separate with commas
    #[arg(
        long = "scope",
        required = true,
        value_delimiter = ',',
        value_name = "SCOPE"
    )]
    scopes: Vec<Scope>,
    /// What it is called
    #[arg(long, default_value = "diamond")]
    name: Label,
    /// Who answers for it
    #[arg(long, default_value = "diamond")]
    owner: Label,
    /// What it is for
    #[arg(
        long,
        default_value = "made by diamond admin token:create",
        value_name = "TEXT"
    )]
    purpose: Label,
    /// When it ends: a time (2026-12-31T00:00:00Z) or from now (30d, 12h) [default: 90d]
    #[arg(long, value_parser = expiry, value_name = "WHEN")]
    expires: Option<Timestamp>,
    /// The one user who acts with it (else it may name any)
    #[arg(long)]
    user: Option<UserId>,
    /// The AI services that it may reach (else all of its tenant's)
    #[arg(long = "service", value_delimiter = ',', value_name = "SERVICE")]
    services: Vec<ServiceId>,
    /// The networks that it may come from, such as 192.0.2.0/24 (else anywhere)
    #[arg(long = "address", value_delimiter = ',', value_name = "NETWORK")]
    addresses: Vec<String>,
}

/// Reads a time, or a span from now in which a day has 24 hours.
pub(super) fn expiry(text: &str) -> Result<Timestamp, String> {
    if let Ok(instant) = text.parse() {
        return Ok(instant);
    }
    let expected = "expected a time such as 2026-12-31T00:00:00Z, or a span such as 30d or 12h";
    let span: Span = text.parse().map_err(|_| expected.to_owned())?;
    let duration = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| "a span is in weeks, days, hours, minutes or seconds".to_owned())?;
    let instant = SystemClock
        .now()
        .checked_add(duration)
        .map_err(|_| expected.to_owned())?;
    if duration.is_positive() {
        Ok(instant)
    } else {
        Err(expected.to_owned())
    }
}

/// Creates a token and prints it bare, so that `TOKEN=$(diamond admin token:create …)` works.
pub async fn create(
    arguments: CreateArguments,
    session: &Session<'_>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let request = CreateTokenRequest {
        tenant_id: arguments.tenant,
        name: arguments.name,
        owner: arguments.owner,
        purpose: arguments.purpose,
        scopes: arguments.scopes.into_iter().collect(),
        user_id: arguments.user,
        services: Some(arguments.services).filter(|services| !services.is_empty()),
        addresses: arguments.addresses,
        expires_at: arguments.expires,
    };
    let answer = session
        .client(terminal)?
        .post(&["api", "tokens"], &request)
        .await?;
    session.present(
        &answer,
        terminal,
        |created: CreateTokenResponse, terminal| {
            let token = &created.description;
            terminal.message(&format!(
                "token {} of {}, ends {:.0}; it is shown this once",
                token.id,
                token
                    .tenant_id
                    .as_ref()
                    .map_or("the platform", TenantId::as_str),
                token.expires_at
            ));
            terminal.data(created.token.expose())
        },
    )
}

/// Whose tokens.
#[derive(Debug, Args)]
pub struct ListArguments {
    /// The tenant (else everybody's that the caller may see)
    #[arg(long)]
    tenant: Option<TenantId>,
    /// At most so many [default: 100]
    #[arg(long)]
    limit: Option<Limit>,
    /// Where to go on
    #[arg(long)]
    cursor: Option<String>,
}

/// Lists tokens.
pub async fn list(
    arguments: ListArguments,
    session: &Session<'_>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let ListArguments {
        tenant: tenant_id,
        limit,
        cursor,
    } = arguments;
    let query = ListTokensParams {
        tenant_id,
        limit,
        cursor,
    };
    let answer = session
        .client(terminal)?
        .get(&["api", "tokens"], &query)
        .await?;
    session.present(&answer, terminal, |page: ListTokensResponse, terminal| {
        terminal.data(&table(&page.items))?;
        mention_rest(page.next_cursor.as_deref(), terminal);
        Ok(())
    })
}

/// Which token.
#[derive(Debug, Args)]
pub struct RevokeArguments {
    /// Its id (tok_…, see token:list), not its text
    id: TokenId,
    #[command(flatten)]
    wait: Wait,
}

/// Revokes a token.
pub async fn revoke(
    arguments: RevokeArguments,
    session: &Session<'_>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let id = arguments.id.to_string();
    let answer = session
        .client(terminal)?
        .delete(&["api", "tokens", &id], &arguments.wait.params())
        .await?;
    session.present(
        &answer,
        terminal,
        |revoked: RevokeTokenResponse, terminal| {
            let token = &revoked.description;
            terminal.data(&format!("token {} ({}) is revoked", token.id, token.name))?;
            revocations::report(&revoked.revocation, terminal)
        },
    )
}

fn table(tokens: &[TokenResponse]) -> String {
    render(
        [
            "TOKEN",
            "TENANT",
            "NAME",
            "OWNER",
            "USER",
            "SCOPES",
            "EXPIRES",
            "REVOKED",
            "LAST USED",
        ],
        tokens.iter().map(|token| {
            [
                token.id.to_string(),
                or_dash(token.tenant_id.as_ref()),
                token.name.clone(),
                token.owner.clone(),
                or_dash(token.user_id.as_ref()),
                list_or(token.scopes.iter(), "none"),
                format!("{:.0}", token.expires_at),
                or_dash(token.revoked_at.map(|at| format!("{at:.0}"))),
                or_dash(token.last_used_at.map(|at| format!("{at:.0}"))),
            ]
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_is_a_time_or_a_span_from_now() {
        assert_eq!(
            expiry("2030-01-01T00:00:00Z").unwrap().to_string(),
            "2030-01-01T00:00:00Z"
        );
        let day = expiry("1d").unwrap();
        let hours = expiry("24h").unwrap();
        assert!(hours.duration_since(day).as_secs() < 60);
        for text in ["soon", "-1d", "1 month", ""] {
            assert!(expiry(text).is_err(), "{text}");
        }
    }
}
