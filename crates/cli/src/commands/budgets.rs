//! `admin budget:put`, `admin budget:list`, `admin budget:delete`.

use clap::Args;
use diamond_api_types::{
    BudgetResponse, Label, Limit, ListBudgetsParams, ListBudgetsResponse, PutBudgetRequest,
};
use diamond_domain::{
    BudgetMeasure, BudgetName, Money, OnUnbounded, Period, ServiceId, TenantId, TokenId, UserId,
};

use super::{Session, session::mention_rest};
use crate::{
    Terminal,
    failure::Failure,
    table::{or_dash, render},
};

/// A budget to put.
#[derive(Debug, Args)]
pub struct PutArguments {
    /// The tenant
    tenant: TenantId,
    /// The budget's name within the tenant; the one that every tenant begins with is `default`
    name: BudgetName,
    /// The most that may be spent in a period
    #[arg(long, value_name = "USD")]
    limit_usd: Money,
    /// The calendar period (UTC) after which what was spent is forgotten
    #[arg(long, default_value = "monthly")]
    period: Period,
    /// What is counted: cost, or charge
    #[arg(long, default_value = "charge")]
    measure: BudgetMeasure,
    /// Count calls of this user only
    #[arg(long)]
    user: Option<UserId>,
    /// Count calls with this access token only (its public name, tok_…)
    #[arg(long, value_name = "TOKEN_ID")]
    token_id: Option<TokenId>,
    /// Count calls to this AI service only
    #[arg(long)]
    service: Option<ServiceId>,
    /// Count calls of this model only
    #[arg(long)]
    model: Option<Label>,
    /// What happens to a call whose most cannot be told: refuse, or reserve:AMOUNT
    #[arg(long, default_value = "refuse", value_name = "WHAT")]
    on_unbounded: OnUnbounded,
}

/// Puts a budget.
pub async fn put(
    arguments: PutArguments,
    session: &Session<'_>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let request = PutBudgetRequest {
        limit_usd: arguments.limit_usd,
        period: arguments.period,
        measure: arguments.measure,
        user_id: arguments.user,
        token_id: arguments.token_id,
        service: arguments.service,
        model: arguments.model,
        on_unbounded: arguments.on_unbounded,
    };
    let (tenant, name) = (arguments.tenant.as_str(), arguments.name.as_str());
    let answer = session
        .client(terminal)?
        .put(&["api", "budgets", tenant, name], &request, None)
        .await?;
    session.present(&answer, terminal, |budget: BudgetResponse, terminal| {
        terminal.data(&table(&[budget]))
    })
}

/// Whose budgets.
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

/// Lists budgets and where they stand.
pub async fn list(
    arguments: ListArguments,
    session: &Session<'_>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let query = ListBudgetsParams {
        tenant_id: arguments.tenant,
        limit: arguments.limit,
        cursor: arguments.cursor,
    };
    let answer = session
        .client(terminal)?
        .get(&["api", "budgets"], &query)
        .await?;
    session.present(&answer, terminal, |page: ListBudgetsResponse, terminal| {
        terminal.data(&table(&page.items))?;
        mention_rest(page.next_cursor.as_deref(), terminal);
        Ok(())
    })
}

/// Which budget is taken away.
#[derive(Debug, Args)]
pub struct DeleteArguments {
    /// The tenant
    tenant: TenantId,
    /// The budget's name
    name: BudgetName,
}

/// Takes a budget away.
pub async fn delete(
    arguments: DeleteArguments,
    session: &Session<'_>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let (tenant, name) = (arguments.tenant.as_str(), arguments.name.as_str());
    let answer = session
        .client(terminal)?
        .delete(&["api", "budgets", tenant, name], &())
        .await?;
    session.present(&answer, terminal, |budget: BudgetResponse, terminal| {
        terminal.data(&format!(
            "budget {} of {} is gone",
            budget.name, budget.tenant_id
        ))
    })
}

fn table(budgets: &[BudgetResponse]) -> String {
    render(
        [
            "TENANT",
            "BUDGET",
            "COUNTS",
            "OF",
            "PERIOD",
            ">LIMIT USD",
            ">SPENT",
            ">RESERVED",
            ">LEFT",
            "UNBOUNDED",
        ],
        budgets.iter().map(|budget| {
            [
                budget.tenant_id.to_string(),
                budget.name.to_string(),
                budget.measure.to_string(),
                what(budget),
                budget.period.to_string(),
                or_dash(budget.limit_usd),
                or_dash(budget.spent_usd),
                or_dash(budget.reserved_usd),
                or_dash(budget.left_usd),
                budget.on_unbounded.to_string(),
            ]
        }),
    )
}

/// Which calls it counts.
fn what(budget: &BudgetResponse) -> String {
    let parts = [
        budget.user_id.as_ref().map(|user| format!("user {user}")),
        budget.token_id.map(|token| token.to_string()),
        budget.service.as_ref().map(ToString::to_string),
        budget.model.clone(),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        "all".to_owned()
    } else {
        parts.join(" and ")
    }
}
