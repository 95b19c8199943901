//! Access tokens.

use axum::Json as Body;
use diamond_api_types::{
    CreateTokenRequest, CreateTokenResponse, ListTokensParams, ListTokensResponse,
    RevocationWaitParams, RevokeTokenResponse, SecretText, TokenResponse, words,
};
use diamond_app::{NewToken, TokenView};
use diamond_domain::{SecretValue, TokenId};
use http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    ApiState,
    errors::ApiError,
    extract::{Context, Json, Path, Query},
    revocations::{revocation, wait},
};

/// Which token.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Path)]
pub struct TokenPath {
    /// The token's public name.
    #[param(value_type = words::TokenId, inline)]
    token_id: TokenId,
}

type State = axum::extract::State<ApiState>;

/// Create a token
///
/// The answer is the only place where the token's text ever stands. Nobody gives more than they
/// hold.
#[utoipa::path(
    post, path = "/api/tokens", tag = "tokens", request_body = CreateTokenRequest,
    responses((status = 201, description = "The token.", body = CreateTokenResponse))
)]
pub async fn create_token(
    state: State,
    Context(context): Context,
    Json(request): Json<CreateTokenRequest>,
) -> Result<(StatusCode, Body<CreateTokenResponse>), ApiError> {
    let new = NewToken {
        tenant: request.tenant_id,
        name: request.name.into(),
        owner: request.owner.into(),
        purpose: request.purpose.into(),
        scopes: request.scopes,
        user: request.user_id,
        services: request.services,
        addresses: request.addresses,
        expires_at: request.expires_at,
    };
    let (view, token) = state.app.create_token(&context, new).await?;
    let answer = CreateTokenResponse {
        token: SecretText::new(SecretValue::new(token.expose().to_owned())),
        description: token_response(view),
    };
    Ok((StatusCode::CREATED, Body(answer)))
}

/// List tokens
///
/// A tenant's, or everybody's for an operator who names none; never their text.
#[utoipa::path(
    get, path = "/api/tokens", tag = "tokens", params(ListTokensParams),
    responses((status = 200, description = "A page of tokens.", body = ListTokensResponse))
)]
pub async fn list_tokens(
    state: State,
    Context(context): Context,
    Query(query): Query<ListTokensParams>,
) -> Result<Body<ListTokensResponse>, ApiError> {
    let after = query
        .cursor
        .map(|cursor| cursor.parse())
        .transpose()
        .map_err(|_| {
            ApiError::bad_request("invalid_cursor", "the cursor is not one of this list's")
        })?;
    let limit = query.limit.unwrap_or_default().get();
    let page = state
        .app
        .list_tokens(&context, query.tenant_id, after, limit)
        .await?;
    Ok(Body(ListTokensResponse {
        items: page.items.into_iter().map(token_response).collect(),
        next_cursor: page.next,
    }))
}

/// Look at a token
#[utoipa::path(
    get, path = "/api/tokens/{tokenId}", tag = "tokens", params(TokenPath),
    responses((status = 200, description = "The token's description.", body = TokenResponse))
)]
pub async fn get_token(
    state: State,
    Context(context): Context,
    Path(path): Path<TokenPath>,
) -> Result<Body<TokenResponse>, ApiError> {
    Ok(Body(token_response(
        state.app.get_token(&context, path.token_id).await?,
    )))
}

/// Revoke a token
///
/// It stops at once on this node and within two seconds on the others, and the calls that were
/// made with it are cut. Revoking again cuts what still runs.
#[utoipa::path(
    delete, path = "/api/tokens/{tokenId}", tag = "tokens",
    params(TokenPath, RevocationWaitParams),
    responses((
        status = 200, description = "The revoked token's description.", body = RevokeTokenResponse
    ))
)]
pub async fn revoke_token(
    state: State,
    Context(context): Context,
    Path(path): Path<TokenPath>,
    Query(query): Query<RevocationWaitParams>,
) -> Result<Body<RevokeTokenResponse>, ApiError> {
    let wait = wait(&state, query.wait_seconds)?;
    let (token, seen) = state
        .app
        .revoke_token(&context, path.token_id, wait)
        .await?;
    Ok(Body(RevokeTokenResponse {
        description: token_response(token),
        revocation: revocation(seen),
    }))
}

fn token_response(view: TokenView) -> TokenResponse {
    TokenResponse {
        id: view.id,
        tenant_id: view.tenant,
        name: view.name,
        owner: view.owner,
        purpose: view.purpose,
        scopes: view.scopes,
        user_id: view.user,
        services: view.services,
        addresses: view.addresses,
        created_at: view.created_at,
        expires_at: view.expires_at,
        revoked_at: view.revoked_at,
        last_used_at: view.last_used_at,
    }
}
