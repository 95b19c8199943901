//! The one shape of every error.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::words;

/// Every answer that is not a success has this body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ErrorResponse {
    /// What went wrong.
    pub error: ErrorBody,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// A stable word for programs (`tenant_not_found`).
    #[schema(pattern = "^[a-z][a-z0-9_]*$")]
    pub code: String,
    /// A sentence for people. It may change; programs read `code`.
    pub message: String,
    /// The request's name, to be given when asking for help.
    #[schema(value_type = words::RequestId)]
    pub request_id: String,
    /// More about it, where there is more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub details: Option<serde_json::Value>,
}
