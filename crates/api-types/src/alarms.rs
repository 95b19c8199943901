//! What somebody should look at.

use diamond_domain::TenantId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{Limit, words};

/// Whether somebody looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlarmState {
    /// Nobody yet.
    Open,
    /// Somebody does.
    Acknowledged,
    /// It is over. The same thing again is a new alarm.
    Closed,
}

/// Which alarms.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListAlarmsParams {
    /// Whose; the caller's own tenant when absent, everybody's for an operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<words::TenantId>, inline)]
    pub tenant_id: Option<TenantId>,
    /// In which state; any when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<AlarmState>, inline)]
    pub state: Option<AlarmState>,
    /// At most so many items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<Limit>, inline)]
    pub limit: Option<Limit>,
}

/// An alarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlarmResponse {
    /// Its name.
    pub id: String,
    /// What kind.
    pub code: String,
    /// Whom it concerns; `null` for the platform.
    #[schema(value_type = Option<words::TenantId>)]
    pub tenant_id: Option<TenantId>,
    /// What it is about.
    pub subject: String,
    /// What happened and what to do.
    pub detail: String,
    /// When it was first raised.
    #[schema(value_type = words::Timestamp)]
    pub first_seen_at: Timestamp,
    /// When it was last raised.
    #[schema(value_type = words::Timestamp)]
    pub last_seen_at: Timestamp,
    /// How often.
    pub count: u64,
    /// Whether somebody looked.
    pub state: AlarmState,
}

/// Alarms, the latest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListAlarmsResponse {
    /// The alarms.
    pub items: Vec<AlarmResponse>,
    /// Always `null`: what the limit cuts off is not paged.
    pub next_cursor: Option<String>,
}
