//! True Production Cost.

use diamond_domain::{Money, Period, ServiceId, TenantId, UserId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{Limit, words};

/// Which time: a named period, or `from` and `to`; `daily` when absent.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct GetTpcParams {
    /// The current period, up to now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<words::Period>, inline)]
    pub period: Option<Period>,
    /// The first instant inside; together with `to`, without `period`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<words::Timestamp>, inline)]
    pub from: Option<Timestamp>,
    /// The first instant after; together with `from`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<words::Timestamp>, inline)]
    pub to: Option<Timestamp>,
}

/// Which time, and how much of the list.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListTpcParams {
    /// The current period, up to now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<words::Period>, inline)]
    pub period: Option<Period>,
    /// The first instant inside; together with `to`, without `period`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<words::Timestamp>, inline)]
    pub from: Option<Timestamp>,
    /// The first instant after; together with `from`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<words::Timestamp>, inline)]
    pub to: Option<Timestamp>,
    /// At most so many items, the most expensive first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<Limit>, inline)]
    pub limit: Option<Limit>,
}

/// Which time, in which steps, of which service.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListTpcSeriesParams {
    /// The current period, up to now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<words::Period>, inline)]
    pub period: Option<Period>,
    /// The first instant inside; together with `to`, without `period`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<words::Timestamp>, inline)]
    pub from: Option<Timestamp>,
    /// The first instant after; together with `from`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<words::Timestamp>, inline)]
    pub to: Option<Timestamp>,
    /// The length of a step in seconds; an hour when absent. At most 10,000 steps are answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 60, maximum = 31_622_400)]
    pub step_seconds: Option<u32>,
    /// One service; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<words::ServiceId>, inline)]
    pub service: Option<ServiceId>,
}

/// The True Production Cost of a tenant. Without the scope `cost:read` the fields of cost,
/// allocation and margin are `null`, and charges remain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GetTpcResponse {
    /// Whose.
    #[schema(value_type = words::TenantId)]
    pub tenant_id: TenantId,
    /// The named period, if one was asked for.
    #[schema(value_type = Option<words::Period>)]
    pub period: Option<Period>,
    /// The first instant inside.
    #[schema(value_type = words::Timestamp)]
    pub from: Timestamp,
    /// The first instant after.
    #[schema(value_type = words::Timestamp)]
    pub to: Timestamp,
    /// What the platform owes the providers.
    #[schema(value_type = Option<words::Money>)]
    pub direct_cost_usd: Option<Money>,
    /// The allocation of selling, general and administrative expenses.
    #[schema(value_type = Option<words::Money>)]
    pub sga_usd: Option<Money>,
    /// The allocation of compliance.
    #[schema(value_type = Option<words::Money>)]
    pub compliance_usd: Option<Money>,
    /// Direct cost and both allocations.
    #[schema(value_type = Option<words::Money>)]
    pub tpc_usd: Option<Money>,
    /// What the tenant pays the providers itself, with its own keys; in no other field.
    #[schema(value_type = words::Money)]
    pub tenant_paid_usd: Money,
    /// What the tenant pays by its plan.
    #[schema(value_type = words::Money)]
    pub charge_usd: Money,
    /// Charge less True Production Cost.
    #[schema(value_type = Option<words::Money>)]
    pub profit_usd: Option<Money>,
    /// How many calls.
    pub calls: u64,
    /// How many events have no known price: their cost is in no sum.
    pub unpriced_events: u64,
    /// How many events lack a part of their count.
    pub partial_events: u64,
    /// By service.
    pub services: Vec<ServiceCostResponse>,
    /// By user.
    pub users: UserDistributionResponse,
    /// Against the same elapsed part of the period before.
    pub trend: TrendResponse,
    /// Every event at or below this ledger sequence is in the answer.
    pub watermark: u64,
}

/// The cost of one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceCostResponse {
    /// Which.
    #[schema(value_type = words::ServiceId)]
    pub service: ServiceId,
    /// Its item in accounting.
    pub component_code: Option<String>,
    /// What the platform owes the provider.
    #[schema(value_type = Option<words::Money>)]
    pub direct_cost_usd: Option<Money>,
    /// What the tenant pays the provider itself.
    #[schema(value_type = words::Money)]
    pub tenant_paid_usd: Money,
    /// How many calls.
    pub calls: u64,
    /// How many events have no known price.
    pub unpriced_events: u64,
}

/// How direct cost is spread over the users with at least one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserDistributionResponse {
    /// How many users.
    pub users: u64,
    /// The mean.
    #[schema(value_type = Option<words::Money>)]
    pub mean_usd: Option<Money>,
    /// The median.
    #[schema(value_type = Option<words::Money>)]
    pub median_usd: Option<Money>,
    /// The 95th percentile, by linear interpolation.
    #[schema(value_type = Option<words::Money>)]
    pub p95_usd: Option<Money>,
    /// The 99th percentile, by linear interpolation.
    #[schema(value_type = Option<words::Money>)]
    pub p99_usd: Option<Money>,
    /// The standard deviation of the population.
    #[schema(value_type = Option<words::Money>)]
    pub std_dev_usd: Option<Money>,
    /// The most expensive users.
    pub top: Vec<UserCostResponse>,
}

/// The cost of one user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserCostResponse {
    /// Who.
    #[schema(value_type = words::UserId)]
    pub user_id: UserId,
    /// What the platform owes the providers for them.
    #[schema(value_type = Option<words::Money>)]
    pub direct_cost_usd: Option<Money>,
    /// How many calls.
    pub calls: u64,
}

/// The movement against the period before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrendResponse {
    /// The first instant of the span compared with.
    #[schema(value_type = words::Timestamp)]
    pub previous_from: Timestamp,
    /// The first instant after it.
    #[schema(value_type = words::Timestamp)]
    pub previous_to: Timestamp,
    /// Direct cost of the same elapsed part of the period before.
    #[schema(value_type = Option<words::Money>)]
    pub previous_direct_cost_usd: Option<Money>,
    /// The change as a ratio (`0.25`: a quarter more); `null` when there was nothing before.
    #[schema(value_type = Option<words::Ratio>)]
    pub change: Option<String>,
}

/// The costs of one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TenantCostResponse {
    /// Whose.
    #[schema(value_type = words::TenantId)]
    pub tenant_id: TenantId,
    /// What the platform owes the providers.
    #[schema(value_type = words::Money)]
    pub direct_cost_usd: Money,
    /// Direct cost and allocations.
    #[schema(value_type = words::Money)]
    pub tpc_usd: Money,
    /// What the tenant pays the providers itself.
    #[schema(value_type = words::Money)]
    pub tenant_paid_usd: Money,
    /// How many calls.
    pub calls: u64,
    /// How many events have no known price.
    pub unpriced_events: u64,
}

/// One step of a series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeriesPointResponse {
    /// When the step begins.
    #[schema(value_type = words::Timestamp)]
    pub from: Timestamp,
    /// What the platform owes the providers.
    #[schema(value_type = words::Money)]
    pub direct_cost_usd: Money,
    /// What the tenant pays the providers itself.
    #[schema(value_type = words::Money)]
    pub tenant_paid_usd: Money,
    /// How many calls.
    pub calls: u64,
}

/// Defines an answer that lists the whole of something.
macro_rules! whole_list {
    ($(#[doc = $doc:literal])* $name:ident of $item:ident) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            /// The rows.
            pub items: Vec<$item>,
            /// Always `null`: what the limit cuts off is not paged.
            pub next_cursor: Option<String>,
        }
    };
}

whole_list! {
    /// The users of a tenant, the most expensive first.
    ListTpcUsersResponse of UserCostResponse
}
whole_list! {
    /// The services of a tenant, by name.
    ListTpcServicesResponse of ServiceCostResponse
}
whole_list! {
    /// Cost over time. Steps without calls are there too.
    ListTpcSeriesResponse of SeriesPointResponse
}
whole_list! {
    /// The tenants, the most expensive first.
    ListTpcTenantsResponse of TenantCostResponse
}
