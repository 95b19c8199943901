//! Access tokens.

use diamond_domain::{ScopeSet, ServiceId, TenantId, TokenId, UserId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{Label, Limit, RevocationResponse, SecretText, words};

/// A new token. Nobody can give more than they hold.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateTokenRequest {
    /// Whose; absent for one of the platform's own (operators only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<words::TenantId>)]
    pub tenant_id: Option<TenantId>,
    /// What it is called.
    pub name: Label,
    /// Who answers for it.
    pub owner: Label,
    /// What it is for.
    pub purpose: Label,
    /// What it may do.
    #[schema(value_type = Vec<words::Scope>, min_items = 1, max_items = 32)]
    pub scopes: ScopeSet,
    /// The one user who acts with it; absent when it may name any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<words::UserId>)]
    pub user_id: Option<UserId>,
    /// The services that it may reach; all that its tenant may use when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<words::ServiceId>>, max_items = 100)]
    pub services: Option<Vec<ServiceId>>,
    /// The addresses it may come from, as networks (`192.0.2.0/24`); anywhere when absent or empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 100)]
    pub addresses: Vec<String>,
    /// When it ends; in 90 days when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<words::Timestamp>)]
    pub expires_at: Option<Timestamp>,
}

/// A token's description; never the token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenResponse {
    /// Its public name.
    #[schema(value_type = words::TokenId)]
    pub id: TokenId,
    /// Whose; `null` for the platform's own.
    #[schema(value_type = Option<words::TenantId>)]
    pub tenant_id: Option<TenantId>,
    /// What it is called.
    pub name: String,
    /// Who answers for it.
    pub owner: String,
    /// What it is for.
    pub purpose: String,
    /// What it may do.
    #[schema(value_type = Vec<words::Scope>)]
    pub scopes: ScopeSet,
    /// The one user who acts with it.
    #[schema(value_type = Option<words::UserId>)]
    pub user_id: Option<UserId>,
    /// The services that it may reach; `null` for all that its tenant may use.
    #[schema(value_type = Option<Vec<words::ServiceId>>)]
    pub services: Option<Vec<ServiceId>>,
    /// The networks it may come from; anywhere when empty.
    pub addresses: Vec<String>,
    /// When it was made.
    #[schema(value_type = words::Timestamp)]
    pub created_at: Timestamp,
    /// When it ends.
    #[schema(value_type = words::Timestamp)]
    pub expires_at: Timestamp,
    /// When it was revoked.
    #[schema(value_type = Option<words::Timestamp>)]
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to the minute or so.
    #[schema(value_type = Option<words::Timestamp>)]
    pub last_used_at: Option<Timestamp>,
}

/// A token that was just made, with its text: shown once, stored nowhere.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreateTokenResponse {
    /// The token itself.
    #[schema(value_type = String)]
    pub token: SecretText,
    /// Its description.
    #[serde(flatten)]
    pub description: TokenResponse,
}

/// A token that was just revoked, and what became of the calls that were made with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevokeTokenResponse {
    /// The token's description.
    #[serde(flatten)]
    pub description: TokenResponse,
    /// Which nodes refuse it, and how many calls they cut.
    pub revocation: RevocationResponse,
}

/// Which tokens.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListTokensParams {
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

/// A page of tokens, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListTokensResponse {
    /// The tokens.
    pub items: Vec<TokenResponse>,
    /// Where to go on; `null` at the end.
    pub next_cursor: Option<String>,
}
