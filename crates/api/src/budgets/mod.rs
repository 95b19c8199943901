//! Hard limits on what a tenant may spend.

use axum::Json as Body;
use diamond_api_types::{
    BudgetResponse, ListBudgetsParams, ListBudgetsResponse, PutBudgetRequest, words,
};
use diamond_app::{BudgetView, PutBudget};
use diamond_domain::{BudgetName, Money, TenantId};
use http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    ApiState,
    errors::ApiError,
    extract::{Context, Json, Path, Query},
};

/// Which budget.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Path)]
pub struct BudgetPath {
    /// Whose.
    #[param(value_type = words::TenantId, inline)]
    pub tenant_id: TenantId,
    /// Its name within the tenant.
    #[param(value_type = words::BudgetName, inline)]
    pub budget_name: BudgetName,
}

type State = axum::extract::State<ApiState>;

/// List budgets
///
/// A tenant's, or everybody's for an operator who names none.
#[utoipa::path(
    get, path = "/api/budgets", tag = "budgets", params(ListBudgetsParams),
    responses((status = 200, description = "A page of budgets.", body = ListBudgetsResponse))
)]
pub async fn list_budgets(
    state: State,
    Context(context): Context,
    Query(query): Query<ListBudgetsParams>,
) -> Result<Body<ListBudgetsResponse>, ApiError> {
    let limit = query.limit.unwrap_or_default().get();
    let page = state
        .app
        .list_budgets(&context, query.tenant_id, query.cursor.as_deref(), limit)
        .await?;
    Ok(Body(ListBudgetsResponse {
        items: page.items.into_iter().map(budget_response).collect(),
        next_cursor: page.next,
    }))
}

/// Put a budget
///
/// Makes the tenant's budget of this name what the body says. What was spent since the present
/// period began counts. A call that could pass the limit is refused.
#[utoipa::path(
    put, path = "/api/budgets/{tenantId}/{budgetName}", tag = "budgets", params(BudgetPath),
    request_body = PutBudgetRequest,
    responses(
        (status = 200, description = "The budget, which replaced one.", body = BudgetResponse),
        (status = 201, description = "The budget, which is new.", body = BudgetResponse),
    )
)]
pub async fn put_budget(
    state: State,
    Context(context): Context,
    Path(path): Path<BudgetPath>,
    Json(request): Json<PutBudgetRequest>,
) -> Result<(StatusCode, Body<BudgetResponse>), ApiError> {
    let put = PutBudget {
        user: request.user_id,
        token: request.token_id,
        service: request.service,
        model: request.model.map(Into::into),
        period: request.period,
        measure: request.measure,
        limit: request.limit_usd,
        on_unbounded: request.on_unbounded,
    };
    let (view, created) = state
        .app
        .put_budget(&context, &path.tenant_id, &path.budget_name, put)
        .await?;
    let status = if created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Body(budget_response(view))))
}

/// Look at a budget
#[utoipa::path(
    get, path = "/api/budgets/{tenantId}/{budgetName}", tag = "budgets", params(BudgetPath),
    responses((status = 200, description = "The budget.", body = BudgetResponse))
)]
pub async fn get_budget(
    state: State,
    Context(context): Context,
    Path(path): Path<BudgetPath>,
) -> Result<Body<BudgetResponse>, ApiError> {
    let view = state
        .app
        .get_budget(&context, &path.tenant_id, &path.budget_name)
        .await?;
    Ok(Body(budget_response(view)))
}

/// Take a budget away
///
/// What it held back is let through from now on.
#[utoipa::path(
    delete, path = "/api/budgets/{tenantId}/{budgetName}", tag = "budgets", params(BudgetPath),
    responses((status = 200, description = "The budget as it was.", body = BudgetResponse))
)]
pub async fn delete_budget(
    state: State,
    Context(context): Context,
    Path(path): Path<BudgetPath>,
) -> Result<Body<BudgetResponse>, ApiError> {
    let view = state
        .app
        .delete_budget(&context, &path.tenant_id, &path.budget_name)
        .await?;
    Ok(Body(budget_response(view)))
}

fn budget_response(view: BudgetView) -> BudgetResponse {
    let BudgetView { row, state, shown } = view;
    let amount = |amount: Money| shown.then_some(amount);
    BudgetResponse {
        tenant_id: row.tenant,
        name: row.name,
        limit_usd: amount(row.limit),
        period: row.period,
        measure: row.measure,
        user_id: row.user,
        token_id: row.token,
        service: row.service,
        model: row.model,
        on_unbounded: row.on_unbounded,
        spent_usd: state.and_then(|state| amount(state.spent)),
        reserved_usd: state.and_then(|state| amount(state.reserved)),
        left_usd: state.and_then(|state| amount(state.left())),
        period_from: state.map(|state| state.window.from),
        period_to: state.map(|state| state.window.to),
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}
