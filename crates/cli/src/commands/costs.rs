//! `ai costs:analyze`.

use clap::Args;
use diamond_api_types::{GetTpcParams, GetTpcResponse};
use diamond_domain::{Period, TenantId};
use jiff::Timestamp;

use super::Session;
use crate::{
    Terminal,
    failure::Failure,
    table::{or_dash, render},
};

/// Whose costs, and when.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The tenant
    #[arg(long)]
    tenant: TenantId,
    /// The current hourly, daily, weekly, monthly or quarterly period, up to now [default: daily]
    #[arg(long, conflicts_with_all = ["from", "to"])]
    period: Option<Period>,
    /// The first instant inside (2026-01-31T00:00:00Z)
    #[arg(long, requires = "to")]
    from: Option<Timestamp>,
    /// The first instant after
    #[arg(long, requires = "from")]
    to: Option<Timestamp>,
}

/// Shows a tenant's True Production Cost.
pub async fn analyze(
    arguments: Arguments,
    session: &Session<'_>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let Arguments {
        tenant,
        period,
        from,
        to,
    } = arguments;
    let query = GetTpcParams { period, from, to };
    let path = ["api", "analytics", "tpc", tenant.as_str()];
    let answer = session.client(terminal)?.get(&path, &query).await?;
    session.present(&answer, terminal, |report: GetTpcResponse, terminal| {
        terminal.message(&format!(
            "True Production Cost of {}, {:.0} to {:.0}{}",
            report.tenant_id,
            report.from,
            report.to,
            report
                .period
                .map(|period| format!(" ({period})"))
                .unwrap_or_default()
        ));
        terminal.data(&totals(&report))?;
        if !report.services.is_empty() {
            terminal.data(&format!("\n{}", services(&report)))?;
        }
        if !report.users.top.is_empty() {
            terminal.data(&format!("\n{}", users(&report)))?;
        }
        if report.unpriced_events > 0 {
            terminal.message(&format!(
                "{} events have no known price: their cost is in no sum",
                report.unpriced_events
            ));
        }
        if report.direct_cost_usd.is_none() {
            terminal.message("costs need the scope cost:read; charges are shown");
        }
        Ok(())
    })
}

fn totals(report: &GetTpcResponse) -> String {
    let users = &report.users;
    let rows = [
        ("direct cost", or_dash(report.direct_cost_usd)),
        ("SG&A", or_dash(report.sga_usd)),
        ("compliance", or_dash(report.compliance_usd)),
        ("TPC", or_dash(report.tpc_usd)),
        ("paid by the tenant", report.tenant_paid_usd.to_string()),
        ("charge", report.charge_usd.to_string()),
        ("profit", or_dash(report.profit_usd)),
        (
            "direct cost before",
            or_dash(report.trend.previous_direct_cost_usd),
        ),
        ("change", or_dash(report.trend.change.as_ref())),
        ("calls", report.calls.to_string()),
        ("users", users.users.to_string()),
        ("mean per user", or_dash(users.mean_usd)),
        ("median", or_dash(users.median_usd)),
        ("p95", or_dash(users.p95_usd)),
        ("p99", or_dash(users.p99_usd)),
        ("standard deviation", or_dash(users.std_dev_usd)),
    ];
    render(
        ["", ">USD"],
        rows.map(|(name, amount)| [name.to_owned(), amount]),
    )
}

fn services(report: &GetTpcResponse) -> String {
    render(
        [
            "SERVICE",
            "CODE",
            ">CALLS",
            ">DIRECT COST USD",
            ">PAID BY TENANT USD",
            ">UNPRICED",
        ],
        report.services.iter().map(|row| {
            [
                row.service.to_string(),
                or_dash(row.component_code.as_ref()),
                row.calls.to_string(),
                or_dash(row.direct_cost_usd),
                row.tenant_paid_usd.to_string(),
                row.unpriced_events.to_string(),
            ]
        }),
    )
}

fn users(report: &GetTpcResponse) -> String {
    render(
        ["USER", ">CALLS", ">DIRECT COST USD"],
        report.users.top.iter().map(|row| {
            [
                row.user_id.to_string(),
                row.calls.to_string(),
                or_dash(row.direct_cost_usd),
            ]
        }),
    )
}
