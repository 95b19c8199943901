//! Hard limits on what a tenant may spend.

use diamond_domain::{
    BudgetMeasure, BudgetName, Money, OnUnbounded, Period, ServiceId, TenantId, TokenId, UserId,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{Label, Limit, words};

/// What a budget is to be; putting it again replaces it whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PutBudgetRequest {
    /// The most that may be spent in a period.
    #[schema(value_type = words::Amount)]
    pub limit_usd: Money,
    /// The calendar period (UTC) after which what was spent is forgotten; `monthly` when absent.
    #[serde(default = "monthly")]
    #[schema(value_type = words::Period, default = "monthly")]
    pub period: Period,
    /// What is counted; `charge` when absent.
    #[serde(default = "charge")]
    #[schema(value_type = words::BudgetMeasure, default = "charge")]
    pub measure: BudgetMeasure,
    /// Counts calls of this user only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<words::UserId>)]
    pub user_id: Option<UserId>,
    /// Counts calls with this token of the tenant only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<words::TokenId>)]
    pub token_id: Option<TokenId>,
    /// Counts calls to this service only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<words::ServiceId>)]
    pub service: Option<ServiceId>,
    /// Counts calls of this model only, and of its dated editions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Label>,
    /// What happens to a call whose most cannot be told; `refuse` when absent.
    #[serde(default = "refuse")]
    #[schema(value_type = words::OnUnbounded, default = "refuse")]
    pub on_unbounded: OnUnbounded,
}

const fn monthly() -> Period {
    Period::Monthly
}

const fn charge() -> BudgetMeasure {
    BudgetMeasure::Charge
}

const fn refuse() -> OnUnbounded {
    OnUnbounded::Refuse
}

/// A budget and where it stands on the node that answers. Amounts are in what the budget counts;
/// those of a cost are `null` for whoever may not see costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BudgetResponse {
    /// Whose.
    #[schema(value_type = words::TenantId)]
    pub tenant_id: TenantId,
    /// Its name within the tenant.
    #[schema(value_type = words::BudgetName)]
    pub name: BudgetName,
    /// The most that may be spent in a period.
    #[schema(value_type = Option<words::Money>)]
    pub limit_usd: Option<Money>,
    /// The calendar period.
    #[schema(value_type = words::Period)]
    pub period: Period,
    /// What is counted.
    #[schema(value_type = words::BudgetMeasure)]
    pub measure: BudgetMeasure,
    /// Calls of this user only.
    #[schema(value_type = Option<words::UserId>)]
    pub user_id: Option<UserId>,
    /// Calls with this token only.
    #[schema(value_type = Option<words::TokenId>)]
    pub token_id: Option<TokenId>,
    /// Calls to this service only.
    #[schema(value_type = Option<words::ServiceId>)]
    pub service: Option<ServiceId>,
    /// Calls of this model only.
    pub model: Option<String>,
    /// What happens to a call whose most cannot be told.
    #[schema(value_type = words::OnUnbounded)]
    pub on_unbounded: OnUnbounded,
    /// What calls of the present period have spent.
    #[schema(value_type = Option<words::Money>)]
    pub spent_usd: Option<Money>,
    /// What calls under way can still spend.
    #[schema(value_type = Option<words::Money>)]
    pub reserved_usd: Option<Money>,
    /// What is neither.
    #[schema(value_type = Option<words::Money>)]
    pub left_usd: Option<Money>,
    /// When the present period began.
    #[schema(value_type = Option<words::Timestamp>)]
    pub period_from: Option<Timestamp>,
    /// When it ends.
    #[schema(value_type = Option<words::Timestamp>)]
    pub period_to: Option<Timestamp>,
    /// When the budget was made.
    #[schema(value_type = words::Timestamp)]
    pub created_at: Timestamp,
    /// When it was last put.
    #[schema(value_type = words::Timestamp)]
    pub updated_at: Timestamp,
}

/// Which budgets.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListBudgetsParams {
    /// Whose; the caller's own tenant when absent, everybody's for an operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<words::TenantId>, inline)]
    pub tenant_id: Option<TenantId>,
    /// At most so many items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<Limit>, inline)]
    pub limit: Option<Limit>,
    /// Where to go on: the `nextCursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(min_length = 1)]
    pub cursor: Option<String>,
}

/// A page of budgets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListBudgetsResponse {
    /// The budgets, by tenant and name.
    pub items: Vec<BudgetResponse>,
    /// Where to go on; `null` at the end.
    pub next_cursor: Option<String>,
}
