//! Whether the process lives and can work.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The process answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HealthResponse {
    /// Always `ok`: a process that is not, does not answer.
    pub status: String,
}

/// Whether work can be sent here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReadinessResponse {
    /// Whether every check holds.
    pub ready: bool,
    /// The checks.
    pub checks: Vec<ReadinessCheck>,
}

/// One thing that readiness depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReadinessCheck {
    /// What was checked.
    pub name: String,
    /// Whether it holds.
    pub ok: bool,
    /// Why not.
    #[serde(default)]
    pub detail: Option<String>,
}
