//! Provider keys: handing out, supplying, looking, revoking.

use diamond_domain::{
    Payer, SecretKind, SecretName, SecretVersion, ServiceId, TenantId, Tier, TraceId, UserId,
    VersionState,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{Label, RevocationResponse, SecretText, words};

/// Who asks for a key, and why.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LeaseKeyRequest {
    /// For whom; the token's user when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<words::UserId>)]
    pub user_id: Option<UserId>,
    /// The tier that the caller believes the tenant has; another than it has is a conflict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<words::Tier>)]
    pub tier: Option<Tier>,
    /// Why; operators must say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Label>,
}

/// The right to one version of a key until a time.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LeaseKeyResponse {
    /// The provider that it opens.
    #[schema(value_type = words::ServiceId)]
    pub service: ServiceId,
    /// Whose it is.
    #[schema(value_type = words::TenantId)]
    pub tenant_id: TenantId,
    /// Where it comes from.
    #[schema(value_type = words::SecretKind)]
    pub kind: SecretKind,
    /// Which version.
    #[schema(value_type = words::SecretVersion)]
    pub version: SecretVersion,
    /// The key itself.
    #[schema(value_type = String)]
    pub api_key: SecretText,
    /// When to fetch again, at the latest.
    #[schema(value_type = words::Timestamp)]
    pub expires_at: Timestamp,
    /// The trace under which the hand-over is in the audit chain.
    #[schema(value_type = words::TraceId)]
    pub trace_id: TraceId,
}

/// A key that somebody supplies.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PutKeyRequest {
    /// The key itself: one line of visible ASCII.
    #[schema(value_type = String, min_length = 8, max_length = 1024, pattern = "^[!-~]+$")]
    pub api_key: SecretText,
    /// Whether to ask the provider if it knows the key before keeping it.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub validate: bool,
    /// The version that must be the newest for this to happen; 0 when there must be none.
    #[serde(
        default,
        deserialize_with = "crate::whole::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub expected_version: Option<u32>,
}

const fn yes() -> bool {
    true
}

/// A key to look at before it is supplied.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckKeyRequest {
    /// The key itself: one line of visible ASCII.
    #[schema(value_type = String, min_length = 8, max_length = 1024, pattern = "^[!-~]+$")]
    pub api_key: SecretText,
    /// Whose key it would be: the platform's for the tenant, or the customer's own.
    #[schema(value_type = words::TenantKeyKind)]
    pub kind: SecretKind,
    /// Whether to ask the provider if it knows the key.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub validate: bool,
}

/// What supplying a key would change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckedKey {
    /// There is none yet.
    Absent,
    /// Nothing: the active version is this key.
    Same,
    /// Another key is active.
    Other,
}

/// A key that would be taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckKeyResponse {
    /// What supplying it would change.
    pub state: CheckedKey,
    /// The newest version that there is; `null` for none.
    #[schema(value_type = Option<words::SecretVersion>)]
    pub newest_version: Option<u32>,
    /// Other tenants that have the same key; `null` for whoever is no operator.
    #[schema(value_type = Option<Vec<words::TenantId>>)]
    pub shared_with: Option<Vec<TenantId>>,
}

/// A version of a key; never its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyVersionResponse {
    /// The secret's name.
    #[schema(value_type = words::SecretName)]
    pub name: SecretName,
    /// The provider that it opens.
    #[schema(value_type = words::ServiceId)]
    pub service: ServiceId,
    /// Whose it is; `null` for the platform's own.
    #[schema(value_type = Option<words::TenantId>)]
    pub tenant_id: Option<TenantId>,
    /// Where it comes from.
    #[schema(value_type = words::SecretKind)]
    pub kind: SecretKind,
    /// Its number.
    #[schema(value_type = words::SecretVersion)]
    pub version: SecretVersion,
    /// Where it is in its life.
    #[schema(value_type = words::VersionState)]
    pub state: VersionState,
    /// What is known of it at the provider.
    #[schema(value_type = words::KeyHealth)]
    pub health: String,
    /// When a limited or exhausted key is tried again.
    #[schema(value_type = Option<words::Timestamp>)]
    pub health_until: Option<Timestamp>,
    /// Who pays the provider for its use.
    #[schema(value_type = words::Payer)]
    pub payer: Payer,
    /// A short hash by which two people can tell that they mean the same key.
    pub fingerprint: String,
    /// Whether its value was ever handed out.
    pub revealed: bool,
    /// When it was stored.
    #[schema(value_type = words::Timestamp)]
    pub created_at: Timestamp,
    /// When new requests began to use it.
    #[schema(value_type = Option<words::Timestamp>)]
    pub activated_at: Option<Timestamp>,
    /// When a newer one took over.
    #[schema(value_type = Option<words::Timestamp>)]
    pub retired_at: Option<Timestamp>,
    /// When it was revoked.
    #[schema(value_type = Option<words::Timestamp>)]
    pub revoked_at: Option<Timestamp>,
    /// What its provider calls it, when it was made here.
    pub provider_key_id: Option<String>,
    /// When it ends by itself.
    #[schema(value_type = Option<words::Timestamp>)]
    pub provider_expires_at: Option<Timestamp>,
    /// How many calls use it now, on the node that answers.
    #[serde(default)]
    pub pins: u64,
    /// When that node saw it used last, since its start.
    #[schema(value_type = Option<words::Timestamp>)]
    pub last_used_at: Option<Timestamp>,
    /// When the last lease ends that this node gave, while it lasts.
    #[schema(value_type = Option<words::Timestamp>)]
    pub leased_until: Option<Timestamp>,
    /// When it is replaced at the latest; `null` when only somebody's wish replaces it.
    #[schema(value_type = Option<words::Timestamp>)]
    pub next_rotation_at: Option<Timestamp>,
}

/// The versions of a tenant's key for a service, oldest first, by kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListKeyVersionsResponse {
    /// The versions.
    pub items: Vec<KeyVersionResponse>,
    /// Always `null`: the list is whole.
    pub next_cursor: Option<String>,
}

/// A tenant's keys, all services and versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListKeysResponse {
    /// The versions.
    pub items: Vec<KeyVersionResponse>,
    /// Always `null`: the list is whole.
    pub next_cursor: Option<String>,
}

/// Which of a tenant's keys for a service.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RevokeKeyVersionParams {
    /// The kind; may be absent while only one kind has that version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<words::TenantKeyKind>, inline)]
    pub kind: Option<SecretKind>,
    /// Cuts the calls that use it, on every node; they finish when absent or false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<bool>,
    /// With `now`: how long to wait for every node to refuse it, in seconds: 5 when absent, 20 at
    /// most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 0, maximum = 20)]
    pub wait_seconds: Option<u32>,
}

/// A version that was just revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevokeKeyVersionResponse {
    /// The version.
    #[serde(flatten)]
    pub version: KeyVersionResponse,
    /// What became of its calls, when they were to be cut.
    pub revocation: Option<RevocationResponse>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_has_exactly_the_promised_fields() {
        let answer = LeaseKeyResponse {
            service: "hume".parse().unwrap(),
            tenant_id: "zaxon".parse().unwrap(),
            kind: SecretKind::Dedicated,
            version: SecretVersion::FIRST,
            api_key: SecretText::new(diamond_domain::SecretValue::new("sk-canary".into())),
            expires_at: "2026-01-01T00:00:00Z".parse().unwrap(),
            trace_id: "4bf92f3577b34da6a3ce929d0e0e4736".parse().unwrap(),
        };
        assert!(!format!("{answer:?}").contains("canary"));
        let json = serde_json::to_value(&answer).unwrap();
        let expected = serde_json::json!({
            "service": "hume", "tenantId": "zaxon", "kind": "dedicated", "version": 1,
            "apiKey": "sk-canary", "expiresAt": "2026-01-01T00:00:00Z",
            "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn a_key_is_validated_unless_said_otherwise() {
        let put: PutKeyRequest = serde_json::from_str(r#"{"apiKey":"sk-12345"}"#).unwrap();
        assert!(put.validate);
        assert!(!format!("{put:?}").contains("sk-12345"));
    }
}
