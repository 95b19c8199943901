//! Customer organisations.

use diamond_domain::{ServiceId, TenantId, Tier};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::{Label, RevocationResponse, words};

/// Whether a tenant is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TenantStatus {
    /// It is.
    Active,
    /// It is not: its tokens open nothing.
    Suspended,
}

/// A new tenant.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateTenantRequest {
    /// Its name, for good.
    #[schema(value_type = words::TenantId)]
    pub id: TenantId,
    /// What people call it; its id when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<Label>,
    /// What it bought; `managed-starter` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<words::Tier>)]
    pub tier: Option<Tier>,
    /// Whether its callers may receive key values (with a token that may); yes when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reveal: Option<bool>,
    /// Which services it may use; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<words::ServiceId>>, max_items = 100)]
    pub services: Option<Vec<ServiceId>>,
}

/// What is to change; what is absent stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateTenantRequest {
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<Label>,
    /// Whether its callers may receive key values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reveal: Option<bool>,
    /// Which services it may use; `null` for all.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<Vec<words::ServiceId>>, max_items = 100)]
    pub services: Option<Option<Vec<ServiceId>>>,
    /// Whether it is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<TenantStatus>,
}

/// Tells an absent field (outer `None`) from one that is `null` (inner `None`).
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TenantResponse {
    /// Its name.
    #[schema(value_type = words::TenantId)]
    pub id: TenantId,
    /// What people call it.
    pub display_name: String,
    /// What it bought.
    #[schema(value_type = words::Tier)]
    pub tier: Tier,
    /// Whether it is served.
    pub status: TenantStatus,
    /// Which services it may use; `null` for all.
    #[schema(value_type = Option<Vec<words::ServiceId>>)]
    pub services: Option<Vec<ServiceId>>,
    /// Whether its callers may receive key values.
    pub reveal: bool,
    /// When it was created.
    #[schema(value_type = words::Timestamp)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = words::Timestamp)]
    pub updated_at: Timestamp,
}

/// A page of tenants, by id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListTenantsResponse {
    /// The tenants.
    pub items: Vec<TenantResponse>,
    /// Where to go on; `null` at the end.
    pub next_cursor: Option<String>,
}

/// A tenant that was just changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateTenantResponse {
    /// The tenant.
    #[serde(flatten)]
    pub tenant: TenantResponse,
    /// What became of its calls, when it was suspended.
    pub revocation: Option<RevocationResponse>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_services_is_not_absent_services() {
        let absent: UpdateTenantRequest = serde_json::from_str("{}").unwrap();
        assert_eq!(absent.services, None);
        let all: UpdateTenantRequest = serde_json::from_str(r#"{"services":null}"#).unwrap();
        assert_eq!(all.services, Some(None));
        assert_eq!(serde_json::to_string(&all).unwrap(), r#"{"services":null}"#);
    }

    #[test]
    fn an_unknown_field_is_refused() {
        let refused = serde_json::from_str::<CreateTenantRequest>(r#"{"id":"zaxon","tear":"x"}"#);
        assert!(
            refused
                .unwrap_err()
                .to_string()
                .contains("unknown field `tear`")
        );
    }

    #[test]
    fn a_bad_id_says_which_rule_it_broke() {
        let refused = serde_json::from_str::<CreateTenantRequest>(r#"{"id":"coaching-customer"}"#);
        assert!(
            refused
                .unwrap_err()
                .to_string()
                .contains("must not end in `-customer`")
        );
    }
}
