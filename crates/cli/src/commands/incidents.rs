//! `admin incident:report`.

use std::net::IpAddr;

use clap::{ArgGroup, Args};
use diamond_api_types::{
    IncidentParams, IncidentReportResponse, IncidentSummaryResponse, IncidentUseResponse, Limit,
};
use diamond_domain::{ServiceId, TenantId, TokenId};
use jiff::Timestamp;

use super::{Session, audit::say_coverage, keys::Kind};
use crate::{
    Terminal,
    failure::Failure,
    table::{or_dash, render},
};

/// What leaked.
#[derive(Debug, Args)]
#[group(skip)]
#[command(group(
    ArgGroup::new("what").required(true).args(["version", "leaked_token", "address"])
))]
pub struct ReportArguments {
    /// A version of a key, such as openai/zaxon/2
    #[arg(long, value_name = "SERVICE/TENANT/VERSION", value_parser = version)]
    version: Option<Version>,
    /// An access token's id (tok_…), not its text
    #[arg(long = "token", value_name = "ID", id = "leaked_token")]
    token: Option<TokenId>,
    /// An address
    #[arg(long)]
    address: Option<IpAddr>,
    /// With --version: the kind of key (else both)
    #[arg(long, value_enum, requires = "version")]
    kind: Option<Kind>,
    /// The first instant inside
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// The first instant after
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
}

/// A version of a tenant's key.
#[derive(Debug, Clone)]
struct Version {
    service: ServiceId,
    tenant: TenantId,
    number: u32,
}

fn version(text: &str) -> Result<Version, String> {
    let parts: Vec<&str> = text.split('/').collect();
    let [service, tenant, number] = parts.as_slice() else {
        return Err("expected SERVICE/TENANT/VERSION, such as openai/zaxon/2".to_owned());
    };
    Ok(Version {
        service: service.parse().map_err(|error| format!("{error}"))?,
        tenant: tenant.parse().map_err(|error| format!("{error}"))?,
        number: number
            .parse()
            .ok()
            .filter(|number| *number > 0)
            .ok_or("a version is a number from 1")?,
    })
}

/// Shows the summary and every use, a page at a time; for programs a page is a line.
pub async fn report(
    arguments: ReportArguments,
    session: &Session<'_>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let client = session.client(terminal)?;
    let mut query = IncidentParams {
        token_id: arguments.token,
        address: arguments.address,
        kind: arguments.kind.map(Into::into),
        from: arguments.from,
        to: arguments.to,
        limit: "1000".parse::<Limit>().ok(),
        ..IncidentParams::default()
    };
    if let Some(version) = arguments.version {
        query.service = Some(version.service);
        query.tenant_id = Some(version.tenant);
        query.version = Some(version.number);
    }
    loop {
        let answer = client.get(&["api", "incidents"], &query).await?;
        let page: IncidentReportResponse = answer.read()?;
        query.cursor = page.next_cursor.clone();
        session.present(
            &answer,
            terminal,
            |page: IncidentReportResponse, terminal| {
                if let Some(summary) = &page.summary {
                    say_coverage(&summary.coverage, terminal);
                    terminal.data(&summary_text(summary))?;
                }
                if page.items.is_empty() {
                    return Ok(());
                }
                terminal.data(&uses_table(&page.items))
            },
        )?;
        if query.cursor.is_none() {
            return Ok(());
        }
    }
}

fn summary_text(summary: &IncidentSummaryResponse) -> String {
    let time = |at: Option<Timestamp>| or_dash(at.map(|at| format!("{at:.0}")));
    let mut lines = vec![format!(
        "{} entries of the audit chain, {} calls, first {}, last {}",
        summary.audit_entries,
        summary.calls,
        time(summary.first_seen_at),
        time(summary.last_seen_at),
    )];
    lines.push(match summary.leases_outstanding {
        0 => "no key that was handed out may still be used".to_owned(),
        leases => format!(
            "{leases} keys that were handed out may still be used, the last until {}",
            time(summary.leases_until)
        ),
    });
    for (name, counts) in [
        ("tenants", &summary.tenants),
        ("users", &summary.users),
        ("services", &summary.services),
        ("tokens", &summary.tokens),
        ("addresses", &summary.addresses),
        ("outcomes", &summary.outcomes),
    ] {
        let counts: Vec<_> = counts
            .iter()
            .map(|(name, count)| format!("{} {count}", crate::table::printable(name)))
            .collect();
        lines.push(format!("{name}: {}", counts.join(", ")));
    }
    lines.join("\n")
}

fn uses_table(uses: &[IncidentUseResponse]) -> String {
    render(
        [
            "AT",
            "ACTION",
            "OUTCOME",
            "TENANT",
            "USER",
            "SERVICE",
            ">VERSION",
            "TOKEN",
            "ADDRESS",
            ">COUNT",
            "LEASE UNTIL",
            "DETAIL",
        ],
        uses.iter().map(|each| {
            [
                format!("{:.3}", each.at),
                each.action.clone(),
                each.outcome.clone(),
                or_dash(each.tenant_id.as_ref()),
                or_dash(each.user_id.as_ref()),
                or_dash(each.service.as_ref()),
                or_dash(each.version),
                or_dash(each.token_id),
                or_dash(each.address),
                or_dash(each.count),
                or_dash(each.lease_until.map(|at| format!("{at:.0}"))),
                or_dash(each.detail.as_ref().or(each.purpose.as_ref())),
            ]
        }),
    )
}
