//! Customer organisations.

use axum::Json as Body;
use diamond_api_types::{
    CreateTenantRequest, ListTenantsResponse, PageParams, RevocationWaitParams, TenantResponse,
    TenantStatus, UpdateTenantRequest, UpdateTenantResponse, words,
};
use diamond_app::{NewTenant, Tenant, TenantChanges};
use diamond_domain::{TenantId, Tier};
use http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    ApiState,
    errors::ApiError,
    extract::{Context, Json, Path, Query},
    revocations::{revocation, wait},
};

/// Which tenant.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Path)]
pub struct TenantPath {
    /// The tenant.
    #[param(value_type = words::TenantId, inline)]
    pub tenant_id: TenantId,
}

type State = axum::extract::State<ApiState>;

/// Create a tenant
#[utoipa::path(
    post, path = "/api/tenants", tag = "tenants", request_body = CreateTenantRequest,
    responses((status = 201, description = "The tenant.", body = TenantResponse))
)]
pub async fn create_tenant(
    state: State,
    Context(context): Context,
    Json(request): Json<CreateTenantRequest>,
) -> Result<(StatusCode, Body<TenantResponse>), ApiError> {
    let new = NewTenant {
        id: request.id,
        display_name: request.display_name.map(Into::into),
        tier: request.tier.unwrap_or(Tier::ManagedStarter),
        reveal: request.reveal,
        services: request.services,
    };
    let tenant = state.app.create_tenant(&context, new).await?;
    Ok((StatusCode::CREATED, Body(tenant_response(tenant))))
}

/// List tenants
#[utoipa::path(
    get, path = "/api/tenants", tag = "tenants", params(PageParams),
    responses((status = 200, description = "A page of tenants, by id.", body = ListTenantsResponse))
)]
pub async fn list_tenants(
    state: State,
    Context(context): Context,
    Query(page): Query<PageParams>,
) -> Result<Body<ListTenantsResponse>, ApiError> {
    let after = page
        .cursor
        .map(|cursor| cursor.parse())
        .transpose()
        .map_err(|_| {
            ApiError::bad_request("invalid_cursor", "the cursor is not one of this list's")
        })?;
    let limit = page.limit.unwrap_or_default().get();
    let page = state.app.list_tenants(&context, after, limit).await?;
    Ok(Body(ListTenantsResponse {
        items: page.items.into_iter().map(tenant_response).collect(),
        next_cursor: page.next,
    }))
}

/// Look at a tenant
#[utoipa::path(
    get, path = "/api/tenants/{tenantId}", tag = "tenants", params(TenantPath),
    responses((status = 200, description = "The tenant.", body = TenantResponse))
)]
pub async fn get_tenant(
    state: State,
    Context(context): Context,
    Path(path): Path<TenantPath>,
) -> Result<Body<TenantResponse>, ApiError> {
    let tenant = state.app.get_tenant(&context, &path.tenant_id).await?;
    Ok(Body(tenant_response(tenant)))
}

/// Change a tenant
///
/// What is absent stays as it is. A suspended tenant's tokens open nothing, and its calls are cut.
#[utoipa::path(
    patch, path = "/api/tenants/{tenantId}", tag = "tenants",
    params(TenantPath, RevocationWaitParams), request_body = UpdateTenantRequest,
    responses((status = 200, description = "The tenant.", body = UpdateTenantResponse))
)]
pub async fn update_tenant(
    state: State,
    Context(context): Context,
    Path(path): Path<TenantPath>,
    Query(query): Query<RevocationWaitParams>,
    Json(request): Json<UpdateTenantRequest>,
) -> Result<Body<UpdateTenantResponse>, ApiError> {
    let wait = wait(&state, query.wait_seconds)?;
    let changes = TenantChanges {
        display_name: request.display_name.map(Into::into),
        reveal: request.reveal,
        services: request.services,
        suspended: request
            .status
            .map(|status| status == TenantStatus::Suspended),
    };
    let (tenant, seen) = state
        .app
        .update_tenant(&context, &path.tenant_id, changes, wait)
        .await?;
    Ok(Body(UpdateTenantResponse {
        tenant: tenant_response(tenant),
        revocation: seen.map(revocation),
    }))
}

fn tenant_response(tenant: Tenant) -> TenantResponse {
    TenantResponse {
        id: tenant.id,
        display_name: tenant.display_name,
        tier: tenant.tier,
        status: match tenant.status {
            diamond_app::TenantStatus::Active => TenantStatus::Active,
            diamond_app::TenantStatus::Suspended => TenantStatus::Suspended,
        },
        services: tenant.services,
        reveal: tenant.reveal,
        created_at: tenant.created_at,
        updated_at: tenant.updated_at,
    }
}
