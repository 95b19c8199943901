//! The AI services that there are.

use axum::Json as Body;
use diamond_api_types::{
    CheckServiceRequest, CheckServiceResponse, DeclarationProblemResponse, KeyMinting,
    ListServicesResponse, ServiceCapabilitiesResponse, ServiceRegionResponse, ServiceResponse,
    ServiceSource,
};
use diamond_app::{Minting, ServiceOrigin, ServiceView};

use crate::{
    ApiState,
    errors::ApiError,
    extract::{Context, Json},
};

type State = axum::extract::State<ApiState>;

/// List services
///
/// Each with its addresses, the item that its cost is booked under, what its API can do for keys,
/// and where it comes from.
#[utoipa::path(
    get, path = "/api/services", tag = "services",
    responses((status = 200, description = "Every service, by name.", body = ListServicesResponse))
)]
pub async fn list_services(
    state: State,
    Context(context): Context,
) -> Result<Body<ListServicesResponse>, ApiError> {
    let services = state.app.list_services(&context)?;
    Ok(Body(ListServicesResponse {
        items: services.into_iter().map(service_response).collect(),
        next_cursor: None,
    }))
}

/// Check a service's declaration
///
/// Says what the server would say at its start about such a file among its declarations. Nothing is
/// kept.
#[utoipa::path(
    post, path = "/api/services/check", tag = "services", request_body = CheckServiceRequest,
    responses((status = 200, description = "What is wrong with it.", body = CheckServiceResponse))
)]
pub async fn check_service(
    state: State,
    Context(context): Context,
    Json(request): Json<CheckServiceRequest>,
) -> Result<Body<CheckServiceResponse>, ApiError> {
    let problems = state
        .app
        .check_declaration(&context, &request.file, &request.text)?;
    let problems: Vec<_> = problems
        .into_iter()
        .map(|problem| DeclarationProblemResponse {
            line: problem.line,
            column: problem.column,
            message: problem.message,
        })
        .collect();
    Ok(Body(CheckServiceResponse {
        usable: problems.is_empty(),
        problems,
    }))
}

fn service_response(view: ServiceView) -> ServiceResponse {
    let can = view.capabilities();
    let (source, file) = match view.origin {
        ServiceOrigin::BuiltIn => (ServiceSource::BuiltIn, None),
        ServiceOrigin::Shipped(file) => (ServiceSource::Declared, Some(file)),
        ServiceOrigin::File(file) => (ServiceSource::File, Some(file)),
    };
    let regions = view.descriptor.regions.into_iter();
    ServiceResponse {
        service: view.service,
        display_name: view.descriptor.display_name.into_owned(),
        component_code: view.descriptor.component_code.into_owned(),
        source,
        file,
        base_url: view.base_url,
        regions: regions
            .map(|region| ServiceRegionResponse {
                name: region.name.into_owned(),
                base_url: region.base_url.into_owned(),
                websocket_url: region.websocket_url.map(Into::into),
                retired_since: region.retired_since.map(Into::into),
            })
            .collect(),
        capabilities: ServiceCapabilitiesResponse {
            minting: match can.minting {
                Minting::Api => KeyMinting::Api,
                Minting::PersonInPreparedPlace => KeyMinting::PersonInPreparedPlace,
                Minting::Person => KeyMinting::Person,
            },
            list: can.list,
            revoke: can.revoke,
            disable: can.disable,
            expiry: can.expiry,
            permissions: can.permissions,
            usage_limit: can.usage_limit,
            addresses: can.addresses,
            short_lived: can.short_lived,
            shared_concurrency: can.shared_concurrency,
        },
        prices: view.prices,
        retired_since: view.descriptor.retired_since.map(Into::into),
    }
}
