//! Budgets: put, looked at, taken away; what was spent of them.

mod rules;
mod spend;

pub(crate) use rules::budget_rule;
pub use rules::{DefaultBudget, PutBudget};

use diamond_admission::BudgetState;
use diamond_db::{BUDGETS_PER_TENANT_MAX, BudgetPut, BudgetRow};
use diamond_domain::{BudgetMeasure, BudgetName, Scope, TenantId};
use diamond_usage::{AuditAction, AuditOutcome};

use crate::{App, AppError, Page, RequestContext, audit::AuditSubject};

/// A budget and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetView {
    /// What it says.
    pub row: BudgetRow,
    /// Where it stands on this node; `None` when the node has not heard of it yet.
    pub state: Option<BudgetState>,
    /// Whether the caller may see its amounts.
    pub shown: bool,
}

impl App {
    /// Makes the tenant's budget of this name what is said; whether it is new. What was spent in
    /// the present period counts from the beginning of that period. A tenant may not raise its own
    /// limits, so this is the operators'.
    ///
    /// # Errors
    /// Refused for anybody but operators with `tenants:admin`; `invalid_budget`; not found for
    /// tenant, token or service; `too_many_budgets`.
    pub async fn put_budget(
        &self,
        ctx: &RequestContext,
        tenant: &TenantId,
        name: &BudgetName,
        put: PutBudget,
    ) -> Result<(BudgetView, bool), AppError> {
        let parts = self.parts();
        self.administrate_budgets(ctx, tenant)?;
        self.check_budget(tenant, &put).await?;
        let now = parts.clock.now();
        let row = put.row(tenant.clone(), name.clone(), now);
        let subject = AuditSubject {
            tenant: Some(tenant.clone()),
            service: row.service.clone(),
            detail: Some(format!(
                "{name}: {} usd of {} {}",
                row.limit, row.measure, row.period
            )),
            ..AuditSubject::default()
        };
        self.record(ctx, AuditAction::BudgetPut, AuditOutcome::Granted, subject)
            .await?;
        let created = match diamond_db::budgets::put(&parts.db, &row).await? {
            BudgetPut::Created => true,
            BudgetPut::Replaced(_) => false,
            BudgetPut::TooMany => {
                return Err(AppError::conflict(
                    "too_many_budgets",
                    format!(
                        "the tenant {tenant} has {BUDGETS_PER_TENANT_MAX} budgets, which is the \
                         most: take one away first"
                    ),
                ));
            }
        };
        self.publish().await?;
        // Before the answer says that it holds.
        self.follow_budgets().await?;
        let row = diamond_db::budgets::get(&parts.db, tenant, name).await?;
        let row = row.ok_or_else(not_found)?;
        Ok((self.budget_view(row, true), created))
    }

    /// One budget and where it stands.
    ///
    /// # Errors
    /// Refused without `usage:read`; not found, also when it is a stranger's.
    pub async fn get_budget(
        &self,
        ctx: &RequestContext,
        tenant: &TenantId,
        name: &BudgetName,
    ) -> Result<BudgetView, AppError> {
        let see_cost = self.permit(ctx, tenant)?;
        let row = diamond_db::budgets::get(&self.parts().db, tenant, name).await?;
        Ok(self.budget_view(row.ok_or_else(not_found)?, see_cost))
    }

    /// A tenant's budgets by name, or everybody's by tenant and name for operators. The cursor is
    /// `TENANT/NAME` of the last one seen.
    ///
    /// # Errors
    /// Refused without `usage:read`; `invalid_cursor`.
    pub async fn list_budgets(
        &self,
        ctx: &RequestContext,
        tenant: Option<TenantId>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<BudgetView>, AppError> {
        let parts = self.parts();
        let after = after.map(cursor).transpose()?;
        let asked = limit.saturating_add(1);
        let (rows, see_cost) = match tenant.or_else(|| ctx.caller.token().tenant.clone()) {
            Some(tenant) => {
                let see_cost = self.permit(ctx, &tenant)?;
                let mut rows = diamond_db::budgets::list(&parts.db, &tenant).await?;
                if let Some((_, name)) = &after {
                    rows.retain(|row| row.name > *name);
                }
                (rows, see_cost)
            }
            None => {
                let see_cost = ctx.caller.has(Scope::CostRead);
                let scope = if see_cost {
                    Scope::CostRead
                } else {
                    Scope::UsageRead
                };
                parts.admission.operator_access(&ctx.caller, scope)?;
                let after = after.as_ref().map(|(tenant, name)| (tenant, name));
                let rows = diamond_db::operator::list_budgets(&parts.db, after, asked).await?;
                (rows, see_cost)
            }
        };
        let views = rows.into_iter().map(|row| self.budget_view(row, see_cost));
        Ok(Page::cut(views.collect(), limit, |view: &BudgetView| {
            format!("{}/{}", view.row.tenant, view.row.name)
        }))
    }

    /// Takes a budget away: what it held back is let through from now on.
    ///
    /// # Errors
    /// Refused for anybody but operators with `tenants:admin`; not found.
    pub async fn delete_budget(
        &self,
        ctx: &RequestContext,
        tenant: &TenantId,
        name: &BudgetName,
    ) -> Result<BudgetView, AppError> {
        let parts = self.parts();
        self.administrate_budgets(ctx, tenant)?;
        let row = diamond_db::budgets::get(&parts.db, tenant, name).await?;
        let view = self.budget_view(row.ok_or_else(not_found)?, true);
        let subject = AuditSubject {
            tenant: Some(tenant.clone()),
            detail: Some(name.to_string()),
            ..AuditSubject::default()
        };
        self.record(
            ctx,
            AuditAction::BudgetDelete,
            AuditOutcome::Granted,
            subject,
        )
        .await?;
        if !diamond_db::budgets::delete(&parts.db, tenant, name).await? {
            return Err(not_found());
        }
        self.publish().await?;
        Ok(view)
    }

    fn administrate_budgets(
        &self,
        ctx: &RequestContext,
        tenant: &TenantId,
    ) -> Result<(), AppError> {
        let admission = &self.parts().admission;
        // A stranger's tenant is not found, its own is not the caller's to change.
        admission.tenant_access(&ctx.caller, tenant, Scope::TenantsAdmin)?;
        admission.operator_access(&ctx.caller, Scope::TenantsAdmin)?;
        Ok(())
    }

    fn budget_view(&self, row: BudgetRow, see_cost: bool) -> BudgetView {
        let parts = self.parts();
        let states = parts
            .admission
            .budgets()
            .states(&row.tenant, parts.clock.now());
        let state = states.into_iter().find(|(name, _)| *name == row.name);
        BudgetView {
            shown: see_cost || row.measure == BudgetMeasure::Charge,
            row,
            state: state.map(|(_, state)| state),
        }
    }
}

fn cursor(text: &str) -> Result<(TenantId, BudgetName), AppError> {
    let parts = text.split_once('/');
    parts
        .and_then(|(tenant, name)| Some((tenant.parse().ok()?, name.parse().ok()?)))
        .ok_or_else(|| AppError::invalid("invalid_cursor", "the cursor is not one of this list's"))
}

fn not_found() -> AppError {
    AppError::not_found("budget_not_found", "there is no such budget")
}
