//! What a budget may be, and how admission is told.

use diamond_admission::{BudgetRule, Counted};
use diamond_billing::{Overheads, Plan};
use diamond_db::BudgetRow;
use diamond_domain::{
    BudgetMeasure, BudgetName, Money, OnUnbounded, Period, ServiceId, TenantId, TokenId, UserId,
};
use jiff::Timestamp;

use crate::{App, AppError};

/// The most characters of a model's name, as events have them.
const MODEL_MAX: usize = 128;

/// A budget to put.
#[derive(Debug, Clone)]
pub struct PutBudget {
    /// Counts calls of this user only.
    pub user: Option<UserId>,
    /// Counts calls with this token of the tenant only.
    pub token: Option<TokenId>,
    /// Counts calls to this service only.
    pub service: Option<ServiceId>,
    /// Counts calls of this model only, and of its dated editions.
    pub model: Option<String>,
    /// The calendar period after which what was spent is forgotten.
    pub period: Period,
    /// What is counted.
    pub measure: BudgetMeasure,
    /// The most that may be spent in a period.
    pub limit: Money,
    /// What happens to a call whose most cannot be told.
    pub on_unbounded: OnUnbounded,
}

/// The budget that a new tenant gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DefaultBudget {
    /// The most that may be charged in a period.
    pub limit: Money,
    /// The calendar period.
    pub period: Period,
    /// What happens to a call whose most cannot be told.
    pub on_unbounded: OnUnbounded,
}

impl PutBudget {
    pub(super) fn row(self, tenant: TenantId, name: BudgetName, now: Timestamp) -> BudgetRow {
        BudgetRow {
            tenant,
            name,
            user: self.user,
            token: self.token,
            service: self.service,
            model: self.model,
            period: self.period,
            measure: self.measure,
            limit: self.limit,
            on_unbounded: self.on_unbounded,
            created_at: now,
            updated_at: now,
        }
    }
}

impl App {
    /// The budget that a tenant of this id begins with.
    pub(crate) fn default_budget(&self, tenant: &TenantId) -> Option<BudgetRow> {
        let settings = self.parts().settings.default_budget?;
        let put = PutBudget {
            user: None,
            token: None,
            service: None,
            model: None,
            period: settings.period,
            measure: BudgetMeasure::Charge,
            limit: settings.limit,
            on_unbounded: settings.on_unbounded,
        };
        let (name, now) = (BudgetName::default_budget(), self.parts().clock.now());
        Some(put.row(tenant.clone(), name, now))
    }

    pub(super) async fn check_budget(
        &self,
        tenant: &TenantId,
        put: &PutBudget,
    ) -> Result<(), AppError> {
        if put.limit.is_negative() {
            return Err(AppError::invalid(
                "invalid_budget",
                "a budget's limit is not less than nothing",
            ));
        }
        if let Some(model) = &put.model
            && (!(1..=MODEL_MAX).contains(&model.chars().count())
                || model.chars().any(char::is_control))
        {
            return Err(AppError::invalid(
                "invalid_budget",
                format!("a model has 1 to {MODEL_MAX} characters, none of them control"),
            ));
        }
        self.check_services(put.service.as_ref().map(std::slice::from_ref))?;
        if let Some(token) = put.token {
            let row = diamond_db::tokens::get(&self.parts().db, Some(tenant), token).await?;
            if row.is_none() {
                return Err(AppError::not_found(
                    "token_not_found",
                    format!("the tenant {tenant} has no such token"),
                ));
            }
        }
        Ok(())
    }
}

/// The budget as admission counts it.
pub(crate) fn budget_rule(row: BudgetRow, overheads: Overheads) -> BudgetRule {
    BudgetRule {
        name: row.name,
        user: row.user,
        token: row.token,
        service: row.service,
        model: row.model,
        period: row.period,
        limit: row.limit,
        counted: match row.measure {
            BudgetMeasure::Cost => Counted::default(),
            // As the reports and the invoices have it.
            BudgetMeasure::Charge => {
                Counted::by(move |cost| Plan::default().charge(&overheads.allocate(cost)).charge)
            }
        },
        on_unbounded: row.on_unbounded,
    }
}
