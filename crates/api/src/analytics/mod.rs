//! True Production Cost.

mod convert;

use axum::Json as Body;
use diamond_api_types::{
    GetTpcParams, GetTpcResponse, ListTpcParams, ListTpcSeriesParams, ListTpcSeriesResponse,
    ListTpcServicesResponse, ListTpcTenantsResponse, ListTpcUsersResponse, SeriesPointResponse,
    TenantCostResponse,
};
use jiff::SignedDuration;

use crate::{
    ApiState,
    errors::ApiError,
    extract::{Context, Path, Query},
    tenants::TenantPath,
};
pub use convert::range;
use convert::{report_response, service_response, span, user_response};

const STEP_SECONDS_DEFAULT: u32 = 3_600;

type State = axum::extract::State<ApiState>;

/// True Production Cost of a tenant
///
/// Every event that was acknowledged before the question is in the answer.
#[utoipa::path(
    get, path = "/api/analytics/tpc/{tenantId}", tag = "analytics",
    params(TenantPath, GetTpcParams),
    responses((status = 200, description = "The costs.", body = GetTpcResponse))
)]
pub async fn get_tpc(
    state: State,
    Context(context): Context,
    Path(path): Path<TenantPath>,
    Query(query): Query<GetTpcParams>,
) -> Result<Body<GetTpcResponse>, ApiError> {
    let span = span(query.period, query.from, query.to)?;
    Ok(Body(report_response(
        state.app.tpc(&context, &path.tenant_id, span).await?,
    )))
}

/// Costs of a tenant by user
#[utoipa::path(
    get, path = "/api/analytics/tpc/{tenantId}/users", tag = "analytics",
    params(TenantPath, ListTpcParams),
    responses((status = 200, description = "The dearest users.", body = ListTpcUsersResponse))
)]
pub async fn list_tpc_users(
    state: State,
    Context(context): Context,
    Path(path): Path<TenantPath>,
    Query(query): Query<ListTpcParams>,
) -> Result<Body<ListTpcUsersResponse>, ApiError> {
    let span = span(query.period, query.from, query.to)?;
    let users = state
        .app
        .tpc_users(&context, &path.tenant_id, span, limit(&query))
        .await?;
    let items = users.into_iter().map(user_response).collect();
    Ok(Body(ListTpcUsersResponse {
        items,
        next_cursor: None,
    }))
}

/// Costs of a tenant by service
#[utoipa::path(
    get, path = "/api/analytics/tpc/{tenantId}/services", tag = "analytics",
    params(TenantPath, GetTpcParams),
    responses((status = 200, description = "The services.", body = ListTpcServicesResponse))
)]
pub async fn list_tpc_services(
    state: State,
    Context(context): Context,
    Path(path): Path<TenantPath>,
    Query(query): Query<GetTpcParams>,
) -> Result<Body<ListTpcServicesResponse>, ApiError> {
    let span = span(query.period, query.from, query.to)?;
    let services = state
        .app
        .tpc_services(&context, &path.tenant_id, span)
        .await?;
    let items = services.into_iter().map(service_response).collect();
    Ok(Body(ListTpcServicesResponse {
        items,
        next_cursor: None,
    }))
}

/// Costs of a tenant over time
#[utoipa::path(
    get, path = "/api/analytics/tpc/{tenantId}/series", tag = "analytics",
    params(TenantPath, ListTpcSeriesParams),
    responses((status = 200, description = "The steps.", body = ListTpcSeriesResponse))
)]
pub async fn list_tpc_series(
    state: State,
    Context(context): Context,
    Path(path): Path<TenantPath>,
    Query(query): Query<ListTpcSeriesParams>,
) -> Result<Body<ListTpcSeriesResponse>, ApiError> {
    let span = span(query.period, query.from, query.to)?;
    let seconds = query.step_seconds.unwrap_or(STEP_SECONDS_DEFAULT);
    let step = SignedDuration::from_secs(seconds.into());
    let points = state
        .app
        .tpc_series(&context, &path.tenant_id, span, step, query.service)
        .await?;
    let items = points
        .into_iter()
        .map(|point| SeriesPointResponse {
            from: point.from,
            direct_cost_usd: point.platform_cost,
            tenant_paid_usd: point.tenant_cost,
            calls: point.calls,
        })
        .collect();
    Ok(Body(ListTpcSeriesResponse {
        items,
        next_cursor: None,
    }))
}

/// Costs of all tenants
#[utoipa::path(
    get, path = "/api/analytics/tpc", tag = "analytics", params(ListTpcParams),
    responses((status = 200, description = "The dearest tenants.", body = ListTpcTenantsResponse))
)]
pub async fn list_tpc_tenants(
    state: State,
    Context(context): Context,
    Query(query): Query<ListTpcParams>,
) -> Result<Body<ListTpcTenantsResponse>, ApiError> {
    let span = span(query.period, query.from, query.to)?;
    let tenants = state.app.tpc_tenants(&context, span, limit(&query)).await?;
    let items = tenants
        .into_iter()
        .map(|row| TenantCostResponse {
            tenant_id: row.tenant_id,
            direct_cost_usd: row.direct_cost,
            tpc_usd: row.tpc,
            tenant_paid_usd: row.tenant_paid,
            calls: row.calls,
            unpriced_events: row.unpriced_events,
        })
        .collect();
    Ok(Body(ListTpcTenantsResponse {
        items,
        next_cursor: None,
    }))
}

fn limit(query: &ListTpcParams) -> usize {
    usize::try_from(query.limit.unwrap_or_default().get()).unwrap_or(usize::MAX)
}
