//! Rotations, management credentials, and the comparison with a provider's own list.

mod convert;

use axum::Json as Body;
use diamond_api_types::{
    CredentialResponse, ListRotationsParams, ListRotationsResponse, ProvisionKeyRequest,
    PutCredentialRequest, RotateAllRequest, RotateAllResponse, RotateKeyRequest, RotationResponse,
    RotationWaitParams, SweepResponse, words,
};
use diamond_domain::{RotationId, ServiceId};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    ApiState,
    errors::ApiError,
    extract::{Context, Json, Path, Query, SecretJson},
    keys::KeyPath,
    revocations::wait,
};
use convert::{credential, cursor, parse_cursor, rotation, sweep};

/// Which rotation.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Path)]
pub struct RotationPath {
    /// The rotation's name.
    #[param(value_type = words::RotationId, inline)]
    rotation_id: RotationId,
}

/// Which service.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Path)]
pub struct ServicePath {
    /// The AI service.
    #[param(value_type = words::ServiceId, inline)]
    pub service: ServiceId,
}

type State = axum::extract::State<ApiState>;

/// Replace a key
///
/// A new key is made at the provider (or a standby key is taken), tested, and put in the place of
/// the active one without a failed request; the former one is ended when everybody has let go of
/// it. Where only a person can make the key, the rotation waits for it. One that is under way is
/// answered instead of a second one.
#[utoipa::path(
    post, path = "/api/keys/{service}/{tenantId}/rotate", tag = "keys",
    params(KeyPath, RotationWaitParams), request_body = RotateKeyRequest,
    responses((status = 200, description = "The rotation as it stands.", body = RotationResponse))
)]
pub async fn rotate_key(
    state: State,
    Context(context): Context,
    Path(path): Path<KeyPath>,
    Query(query): Query<RotationWaitParams>,
    Json(request): Json<RotateKeyRequest>,
) -> Result<Body<RotationResponse>, ApiError> {
    let wait = wait(&state, query.wait_seconds)?;
    let reason = request.reason.map(Into::into);
    let view = state
        .app
        .rotate_key(&context, &path.tenant_id, &path.service, reason, wait)
        .await?;
    Ok(Body(rotation(view)))
}

/// Make a first key
///
/// For a tenant that has no dedicated key for the service, in the account of its own management
/// credential if it put one, else in the platform's. Where only a person can make it, the answer
/// says so and the rotation waits for it.
#[utoipa::path(
    post, path = "/api/keys/{service}/{tenantId}/provision", tag = "keys",
    params(KeyPath, RotationWaitParams), request_body = ProvisionKeyRequest,
    responses((status = 200, description = "The rotation as it stands.", body = RotationResponse))
)]
pub async fn provision_key(
    state: State,
    Context(context): Context,
    Path(path): Path<KeyPath>,
    Query(query): Query<RotationWaitParams>,
    Json(request): Json<ProvisionKeyRequest>,
) -> Result<Body<RotationResponse>, ApiError> {
    let wait = wait(&state, query.wait_seconds)?;
    let by = request.requested_by;
    let view = state
        .app
        .provision_key(
            &context,
            &path.tenant_id,
            &path.service,
            by,
            request.tier,
            wait,
        )
        .await?;
    Ok(Body(rotation(view)))
}

/// Supply a customer's own management credential
///
/// The tenant's keys are made, replaced and compared in the customer's account from then on; the
/// tenant pays for their use. The credential never leaves again.
#[utoipa::path(
    put, path = "/api/keys/{service}/{tenantId}/admin", tag = "keys", params(KeyPath),
    request_body = PutCredentialRequest,
    responses((status = 200, description = "The credential.", body = CredentialResponse))
)]
pub async fn put_tenant_credential(
    state: State,
    Context(context): Context,
    Path(path): Path<KeyPath>,
    SecretJson(request): SecretJson<PutCredentialRequest>,
) -> Result<Body<CredentialResponse>, ApiError> {
    let tenant = Some(&path.tenant_id);
    let (value, validate) = (request.api_key.into_value(), request.validate);
    let view = state
        .app
        .put_credential(&context, &path.service, tenant, value, validate)
        .await?;
    Ok(Body(credential(view)))
}

/// Supply the platform's management credential
///
/// Tenants' keys for the service are made, replaced and compared with it. It never leaves again.
#[utoipa::path(
    put, path = "/api/services/{service}/credential", tag = "services", params(ServicePath),
    request_body = PutCredentialRequest,
    responses((status = 200, description = "The credential.", body = CredentialResponse))
)]
pub async fn put_credential(
    state: State,
    Context(context): Context,
    Path(path): Path<ServicePath>,
    SecretJson(request): SecretJson<PutCredentialRequest>,
) -> Result<Body<CredentialResponse>, ApiError> {
    let (value, validate) = (request.api_key.into_value(), request.validate);
    let view = state
        .app
        .put_credential(&context, &path.service, None, value, validate)
        .await?;
    Ok(Body(credential(view)))
}

/// Replace all keys of a service
///
/// A page at a time: repeat with `nextCursor` until it is `null`. A key that is being replaced is
/// not begun again, so repeating everything does no harm.
#[utoipa::path(
    post, path = "/api/services/{service}/rotate", tag = "services", params(ServicePath),
    request_body = RotateAllRequest,
    responses((
        status = 200, description = "The rotations of this page.", body = RotateAllResponse
    ))
)]
pub async fn rotate_all_keys(
    state: State,
    Context(context): Context,
    Path(path): Path<ServicePath>,
    Json(request): Json<RotateAllRequest>,
) -> Result<Body<RotateAllResponse>, ApiError> {
    let after = request.cursor.map(String::from);
    let after = after.as_deref().map(parse_cursor).transpose()?;
    let found = state.app.rotate_all(&context, &path.service, after).await?;
    Ok(Body(RotateAllResponse {
        items: found.rotations.into_iter().map(rotation).collect(),
        already: found.already,
        next_cursor: found.next.map(|(name, version)| cursor(&name, version)),
    }))
}

/// Compare a provider's keys with ours
///
/// Keys that bear our name and that nobody uses any more are ended; keys that nobody here knows are
/// reported and left alone; versions that the provider does not list are replaced.
#[utoipa::path(
    post, path = "/api/services/{service}/sweep", tag = "services", params(ServicePath),
    responses((status = 200, description = "What was found.", body = SweepResponse))
)]
pub async fn sweep_provider(
    state: State,
    Context(context): Context,
    Path(path): Path<ServicePath>,
) -> Result<Body<SweepResponse>, ApiError> {
    let report = state.app.sweep_provider(&context, &path.service).await?;
    Ok(Body(sweep(report)))
}

/// List rotations
///
/// Newest first: a tenant's, or everybody's for an operator who names none.
#[utoipa::path(
    get, path = "/api/rotations", tag = "rotations", params(ListRotationsParams),
    responses((status = 200, description = "A page of rotations.", body = ListRotationsResponse))
)]
pub async fn list_rotations(
    state: State,
    Context(context): Context,
    Query(query): Query<ListRotationsParams>,
) -> Result<Body<ListRotationsResponse>, ApiError> {
    let before = query
        .cursor
        .map(|cursor| cursor.parse())
        .transpose()
        .map_err(|_| {
            ApiError::bad_request("invalid_cursor", "the cursor is not one of this list's")
        })?;
    let limit = query.limit.unwrap_or_default().get();
    let (tenant, service) = (query.tenant_id.as_ref(), query.service.as_ref());
    let page = state
        .app
        .list_rotations(&context, tenant, service, before, limit)
        .await?;
    Ok(Body(ListRotationsResponse {
        items: page.items.into_iter().map(rotation).collect(),
        next_cursor: page.next,
    }))
}

/// Look at a rotation
#[utoipa::path(
    get, path = "/api/rotations/{rotationId}", tag = "rotations", params(RotationPath),
    responses((status = 200, description = "The rotation.", body = RotationResponse))
)]
pub async fn get_rotation(
    state: State,
    Context(context): Context,
    Path(path): Path<RotationPath>,
) -> Result<Body<RotationResponse>, ApiError> {
    let view = state.app.get_rotation(&context, path.rotation_id).await?;
    Ok(Body(rotation(view)))
}
