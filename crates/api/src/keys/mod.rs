//! Provider keys: handing out, supplying, looking, revoking.

mod convert;

use axum::Json as Body;
use diamond_api_types::{
    CheckKeyRequest, CheckKeyResponse, CheckedKey, KeyVersionResponse, LeaseKeyRequest,
    LeaseKeyResponse, ListKeyVersionsResponse, ListKeysResponse, PutKeyRequest,
    RevokeKeyVersionParams, RevokeKeyVersionResponse, words,
};
use diamond_app::{CheckKey, LeaseRequest, PutKey, RequestContext, RevokeKeyVersion};
use diamond_domain::{SecretKind, SecretVersion, ServiceId, TenantId};
use http::HeaderMap;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    ApiState,
    errors::ApiError,
    extract::{Context, Json, Path, Query, SecretJson},
    revocations::{revocation, wait},
    tenants::TenantPath,
};
use convert::{idempotency_key, key_version};

/// Whose key for what.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Path)]
pub struct KeyPath {
    /// The AI service.
    #[param(value_type = words::ServiceId, inline)]
    pub service: ServiceId,
    /// The tenant.
    #[param(value_type = words::TenantId, inline)]
    pub tenant_id: TenantId,
}

/// Which version of whose key for what.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Path)]
pub struct KeyVersionPath {
    /// The AI service.
    #[param(value_type = words::ServiceId, inline)]
    service: ServiceId,
    /// The tenant.
    #[param(value_type = words::TenantId, inline)]
    tenant_id: TenantId,
    /// The version's number.
    #[param(value_type = words::SecretVersion, inline)]
    version: SecretVersion,
}

type State = axum::extract::State<ApiState>;

/// Get a key
///
/// Hands out the active version of the tenant's key for the service: the customer's own key if
/// there is one, else the dedicated one. The hand-over is in the audit chain before the key
/// leaves. The holder fetches again before `expiresAt`.
#[utoipa::path(
    post, path = "/api/keys/{service}/{tenantId}", tag = "keys", params(KeyPath),
    request_body = LeaseKeyRequest,
    responses((status = 200, description = "The key, until a time.", body = LeaseKeyResponse))
)]
pub async fn lease_key(
    state: State,
    Context(context): Context,
    Path(path): Path<KeyPath>,
    Json(request): Json<LeaseKeyRequest>,
) -> Result<Body<LeaseKeyResponse>, ApiError> {
    let request = LeaseRequest {
        user_id: request.user_id,
        tier: request.tier,
        purpose: request.purpose.map(Into::into),
    };
    let key = state
        .app
        .lease_key(&context, &path.tenant_id, &path.service, request)
        .await?;
    Ok(Body(LeaseKeyResponse {
        service: key.service,
        tenant_id: key.tenant,
        kind: key.kind,
        version: key.version,
        api_key: key.value.into(),
        expires_at: key.expires_at,
        trace_id: key.trace_id,
    }))
}

/// Look at a key before it is supplied
///
/// Does all that supplying it does, and keeps nothing: an answer says that the key would be taken,
/// and what it would change. An operator is told which other tenants have the same key.
#[utoipa::path(
    post, path = "/api/keys/{service}/{tenantId}/check", tag = "keys", params(KeyPath),
    request_body = CheckKeyRequest,
    responses((status = 200, description = "It would be taken.", body = CheckKeyResponse))
)]
pub async fn check_key(
    state: State,
    Context(context): Context,
    Path(path): Path<KeyPath>,
    SecretJson(request): SecretJson<CheckKeyRequest>,
) -> Result<Body<CheckKeyResponse>, ApiError> {
    let check = CheckKey {
        kind: request.kind,
        value: request.api_key.into_value(),
        validate: request.validate,
    };
    let checked = state
        .app
        .check_key(&context, &path.tenant_id, &path.service, check)
        .await?;
    Ok(Body(CheckKeyResponse {
        state: match checked.state {
            diamond_app::CheckedKey::Absent => CheckedKey::Absent,
            diamond_app::CheckedKey::Same => CheckedKey::Same,
            diamond_app::CheckedKey::Other => CheckedKey::Other,
        },
        newest_version: checked.newest.map(SecretVersion::get),
        shared_with: checked
            .shared_with
            .map(|tenants| tenants.into_iter().collect()),
    }))
}

/// Supply a customer's own key
///
/// It becomes the next version and the active one; the tenant pays the provider for its use.
/// Repeating the request with the same `Idempotency-Key` changes nothing.
#[utoipa::path(
    put, path = "/api/keys/{service}/{tenantId}/customer", tag = "keys",
    params(
        KeyPath,
        ("Idempotency-Key" = Option<String>, Header, max_length = 128, pattern = "^[!-~]+$",
            description = "The caller's name for the request."),
    ),
    request_body = PutKeyRequest,
    responses((status = 200, description = "The new version.", body = KeyVersionResponse))
)]
pub async fn put_customer_key(
    state: State,
    Context(context): Context,
    Path(path): Path<KeyPath>,
    headers: HeaderMap,
    SecretJson(request): SecretJson<PutKeyRequest>,
) -> Result<Body<KeyVersionResponse>, ApiError> {
    put_key(
        SecretKind::Customer,
        &state,
        &context,
        &path,
        &headers,
        request,
    )
    .await
}

/// Supply the platform's key for a tenant
///
/// It becomes the next version and the active one; the platform pays the provider for its use.
/// Repeating the request with the same `Idempotency-Key` changes nothing.
#[utoipa::path(
    put, path = "/api/keys/{service}/{tenantId}/dedicated", tag = "keys",
    params(
        KeyPath,
        ("Idempotency-Key" = Option<String>, Header, max_length = 128, pattern = "^[!-~]+$",
            description = "The caller's name for the request."),
    ),
    request_body = PutKeyRequest,
    responses((status = 200, description = "The new version.", body = KeyVersionResponse))
)]
pub async fn put_dedicated_key(
    state: State,
    Context(context): Context,
    Path(path): Path<KeyPath>,
    headers: HeaderMap,
    SecretJson(request): SecretJson<PutKeyRequest>,
) -> Result<Body<KeyVersionResponse>, ApiError> {
    put_key(
        SecretKind::Dedicated,
        &state,
        &context,
        &path,
        &headers,
        request,
    )
    .await
}

/// What both routes do; they differ in whose key it is.
async fn put_key(
    kind: SecretKind,
    state: &State,
    context: &RequestContext,
    path: &KeyPath,
    headers: &HeaderMap,
    request: PutKeyRequest,
) -> Result<Body<KeyVersionResponse>, ApiError> {
    let put = PutKey {
        kind,
        value: request.api_key.into_value(),
        validate: request.validate,
        expected_version: request.expected_version,
        request_id: idempotency_key(headers)?,
    };
    let version = state
        .app
        .put_key(context, &path.tenant_id, &path.service, put)
        .await?;
    Ok(Body(key_version(version)))
}

/// List the versions of a key
///
/// Both kinds, never a value.
#[utoipa::path(
    get, path = "/api/keys/{service}/{tenantId}/versions", tag = "keys", params(KeyPath),
    responses((status = 200, description = "The versions.", body = ListKeyVersionsResponse))
)]
pub async fn list_key_versions(
    state: State,
    Context(context): Context,
    Path(path): Path<KeyPath>,
) -> Result<Body<ListKeyVersionsResponse>, ApiError> {
    let keys = state
        .app
        .list_key_versions(&context, &path.tenant_id, &path.service)
        .await?;
    let items = keys.into_iter().map(key_version).collect();
    Ok(Body(ListKeyVersionsResponse {
        items,
        next_cursor: None,
    }))
}

/// Revoke a version of a key
///
/// No new request uses it from now on; calls under way finish, or are cut on every node with
/// `now=true`. A key that was made here is ended at its provider too; one that a person made is
/// not touched there. Revoking again changes nothing.
#[utoipa::path(
    delete, path = "/api/keys/{service}/{tenantId}/versions/{version}", tag = "keys",
    params(KeyVersionPath, RevokeKeyVersionParams),
    responses((status = 200, description = "The revoked version.", body = RevokeKeyVersionResponse))
)]
pub async fn revoke_key_version(
    state: State,
    Context(context): Context,
    Path(path): Path<KeyVersionPath>,
    Query(query): Query<RevokeKeyVersionParams>,
) -> Result<Body<RevokeKeyVersionResponse>, ApiError> {
    let KeyVersionPath {
        service,
        tenant_id,
        version,
    } = path;
    let wait = wait(&state, query.wait_seconds)?;
    let revoke = RevokeKeyVersion {
        kind: query.kind,
        version,
        now: query.now.unwrap_or(false).then_some(wait),
    };
    let (version, seen) = state
        .app
        .revoke_key_version(&context, &tenant_id, &service, revoke)
        .await?;
    Ok(Body(RevokeKeyVersionResponse {
        version: key_version(version),
        revocation: seen.map(revocation),
    }))
}

/// List a tenant's keys
///
/// All services, kinds and versions, never a value.
#[utoipa::path(
    get, path = "/api/tenants/{tenantId}/keys", tag = "keys", params(TenantPath),
    responses((status = 200, description = "The keys.", body = ListKeysResponse))
)]
pub async fn list_keys(
    state: State,
    Context(context): Context,
    Path(path): Path<TenantPath>,
) -> Result<Body<ListKeysResponse>, ApiError> {
    let keys = state.app.list_keys(&context, &path.tenant_id).await?;
    let items = keys.into_iter().map(key_version).collect();
    Ok(Body(ListKeysResponse {
        items,
        next_cursor: None,
    }))
}
