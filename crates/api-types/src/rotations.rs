//! Rotations: how one key takes another's place; management credentials; sweeps.

use diamond_domain::{RotationId, SecretName, SecretVersion, ServiceId, TenantId, Tier, UserId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{Label, Limit, SecretText, words};

/// Who wants a first key.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProvisionKeyRequest {
    /// Who asks for it, for the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<words::UserId>)]
    pub requested_by: Option<UserId>,
    /// The tier that the caller believes the tenant has; another than it has is a conflict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<words::Tier>)]
    pub tier: Option<Tier>,
}

/// Why a key shall be replaced.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RotateKeyRequest {
    /// For the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Label>,
}

/// How long an answer may wait for the new key.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RotationWaitParams {
    /// How long to wait until the new key is in use, in seconds: 5 when absent, 20 at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 0, maximum = 20)]
    pub wait_seconds: Option<u32>,
}

/// A rotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RotationResponse {
    /// Its name.
    #[schema(value_type = words::RotationId)]
    pub id: RotationId,
    /// The secret's name.
    #[schema(value_type = words::SecretName)]
    pub name: SecretName,
    /// The provider that the key opens.
    #[schema(value_type = words::ServiceId)]
    pub service: ServiceId,
    /// Whose key it is.
    #[schema(value_type = Option<words::TenantId>)]
    pub tenant_id: Option<TenantId>,
    /// Why: `requested`, `age`, `expiry`, `repair` or `provision`.
    pub cause: String,
    /// Where it stands: `planned`, `created`, `tested`, `promoted`, `draining`, `revoked` or
    /// `failed`.
    pub state: String,
    /// The version that shall go.
    #[schema(value_type = Option<words::SecretVersion>)]
    pub former_version: Option<SecretVersion>,
    /// The version that takes its place, once there is one.
    #[schema(value_type = Option<words::SecretVersion>)]
    pub version: Option<SecretVersion>,
    /// How often the provider was asked for a key.
    pub attempt: u32,
    /// Whether a person has to bring the key.
    pub waits_for_person: bool,
    /// How often in a row it did not get on.
    pub failures: u32,
    /// Why it does not get on, or did not.
    pub reason: Option<String>,
    /// When it goes on by itself.
    #[schema(value_type = Option<words::Timestamp>)]
    pub next_attempt_at: Option<Timestamp>,
    /// When it began.
    #[schema(value_type = words::Timestamp)]
    pub created_at: Timestamp,
    /// When new requests began to use the new key.
    #[schema(value_type = Option<words::Timestamp>)]
    pub promoted_at: Option<Timestamp>,
    /// When it was over.
    #[schema(value_type = Option<words::Timestamp>)]
    pub ended_at: Option<Timestamp>,
}

/// Which rotations.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListRotationsParams {
    /// A tenant's; the token's own when absent, all for an operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<words::TenantId>, inline)]
    pub tenant_id: Option<TenantId>,
    /// Of a service only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<words::ServiceId>, inline)]
    pub service: Option<ServiceId>,
    /// How many at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<Limit>, inline)]
    pub limit: Option<Limit>,
    /// Where to go on: the `nextCursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Rotations, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListRotationsResponse {
    /// The rotations.
    pub items: Vec<RotationResponse>,
    /// Where to go on; `null` at the end.
    pub next_cursor: Option<String>,
}

/// Where to go on with the keys of a service.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RotateAllRequest {
    /// The `nextCursor` of the answer before; absent to begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Label>,
}

/// The rotations that are under way for one page of a service's keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RotateAllResponse {
    /// The rotations.
    pub items: Vec<RotationResponse>,
    /// How many of them were under way before.
    pub already: u64,
    /// Where to go on; `null` when there are no more keys.
    pub next_cursor: Option<String>,
}

/// A management credential.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PutCredentialRequest {
    /// The credential itself: one line of visible ASCII.
    #[schema(value_type = String, min_length = 8, max_length = 1024, pattern = "^[!-~]+$")]
    pub api_key: SecretText,
    /// Whether to ask the provider if it knows the credential before keeping it.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub validate: bool,
}

const fn yes() -> bool {
    true
}

/// A management credential that was put; never its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CredentialResponse {
    /// The secret's name.
    #[schema(value_type = words::SecretName)]
    pub name: SecretName,
    /// Its version.
    #[schema(value_type = words::SecretVersion)]
    pub version: SecretVersion,
    /// A short hash by which two people can tell that they mean the same.
    pub fingerprint: String,
    /// When it was stored.
    #[schema(value_type = words::Timestamp)]
    pub created_at: Timestamp,
}

/// A key at a provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SweptKeyResponse {
    /// The management credential that sees it.
    #[schema(value_type = words::SecretName)]
    pub credential: SecretName,
    /// The provider's id.
    pub id: String,
    /// Its name there.
    pub name: String,
    /// What the provider shows of its text.
    pub hint: Option<String>,
    /// When it was made, where the provider says so.
    #[schema(value_type = Option<words::Timestamp>)]
    pub created_at: Option<Timestamp>,
}

/// A version in use here that its provider does not list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MissingKeyResponse {
    /// The secret's name.
    #[schema(value_type = words::SecretName)]
    pub name: SecretName,
    /// The version.
    #[schema(value_type = words::SecretVersion)]
    pub version: SecretVersion,
}

/// A credential that could not be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SweepFailureResponse {
    /// Which.
    #[schema(value_type = words::SecretName)]
    pub credential: SecretName,
    /// Why.
    pub reason: String,
}

/// What a comparison of a provider's keys with ours found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SweepResponse {
    /// Where.
    #[schema(value_type = words::ServiceId)]
    pub service: ServiceId,
    /// Whether nothing was changed, because this installation was brought back from a backup.
    pub reports_only: bool,
    /// How many live keys the provider lists.
    pub listed: u64,
    /// How many of them are ours and in use.
    pub ours: u64,
    /// Keys of ours that nobody uses any more: they are being ended.
    pub ended: Vec<SweptKeyResponse>,
    /// Keys that nobody here knows, 1,000 at most: they are left alone.
    pub unknown: Vec<SweptKeyResponse>,
    /// How many of those there are.
    pub unknown_count: u64,
    /// Versions in use here that the provider does not list: they are being replaced.
    pub missing: Vec<MissingKeyResponse>,
    /// Credentials that could not be used.
    pub failed: Vec<SweepFailureResponse>,
}
