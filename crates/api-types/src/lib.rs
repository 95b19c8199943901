//! Bodies and query parameters of the HTTP API, shared by the server and the command line.
//!
//! JSON in camelCase, money as decimal strings, times in RFC 3339 UTC. Requests refuse fields that
//! they do not know; answers may grow. Each type describes itself for the OpenAPI document. A
//! secret stands in one type only, [`SecretText`].

mod alarms;
mod analytics;
mod audit;
mod budgets;
mod cloud_event;
mod distinct;
mod error;
mod health;
mod incidents;
mod keys;
mod label;
mod page;
mod restores;
mod revocations;
mod rotations;
mod seal;
mod secret_text;
mod services;
mod tenants;
mod tokens;
mod usage_events;
mod usage_reports;
mod whole;
pub mod words;

pub use alarms::{AlarmResponse, AlarmState, ListAlarmsParams, ListAlarmsResponse};
pub use analytics::{
    GetTpcParams, GetTpcResponse, ListTpcParams, ListTpcSeriesParams, ListTpcSeriesResponse,
    ListTpcServicesResponse, ListTpcTenantsResponse, ListTpcUsersResponse, SeriesPointResponse,
    ServiceCostResponse, TenantCostResponse, TrendResponse, UserCostResponse,
    UserDistributionResponse,
};
pub use audit::{
    AuditCoverageResponse, AuditEntryResponse, AuditStatusResponse, AuditWitnessResponse,
    BeginAuditAnewRequest, EarlierAuditChainResponse, ListAuditParams, ListAuditResponse,
    UncoveredNodeResponse, VerifyAuditOutcome, VerifyAuditResponse, VerifyCheckpointsRequest,
    VerifyCheckpointsResponse,
};
pub use budgets::{BudgetResponse, ListBudgetsParams, ListBudgetsResponse, PutBudgetRequest};
pub use cloud_event::{CLOUD_EVENT_TYPE, CloudEventError, UsageCloudEvent};
pub use error::{ErrorBody, ErrorResponse};
pub use health::{HealthResponse, ReadinessCheck, ReadinessResponse};
pub use incidents::{
    IncidentParams, IncidentReportResponse, IncidentSource, IncidentSummaryResponse,
    IncidentUseResponse,
};
pub use keys::{
    CheckKeyRequest, CheckKeyResponse, CheckedKey, KeyVersionResponse, LeaseKeyRequest,
    LeaseKeyResponse, ListKeyVersionsResponse, ListKeysResponse, PutKeyRequest,
    RevokeKeyVersionParams, RevokeKeyVersionResponse,
};
pub use label::{Label, LabelError};
pub use page::{LIMIT_DEFAULT, LIMIT_MAX, Limit, LimitError, PageParams};
pub use restores::{
    ReleaseRestoreRequest, RestoreComparison, RestoreRecent, RestoreRelease, RestoreStatusResponse,
};
pub use revocations::{
    NodeStanding, RevocationNodeResponse, RevocationResponse, RevocationTargetKind,
    RevocationWaitParams, WAIT_SECONDS_DEFAULT, WAIT_SECONDS_MAX,
};
pub use rotations::{
    CredentialResponse, ListRotationsParams, ListRotationsResponse, MissingKeyResponse,
    ProvisionKeyRequest, PutCredentialRequest, RotateAllRequest, RotateAllResponse,
    RotateKeyRequest, RotationResponse, RotationWaitParams, SweepFailureResponse, SweepResponse,
    SweptKeyResponse,
};
pub use seal::{DataKeysResponse, RekeyPhase, RekeyResponse, SealStatusResponse};
pub use secret_text::SecretText;
pub use services::{
    CheckServiceRequest, CheckServiceResponse, DeclarationProblemResponse, KeyMinting,
    ListServicesResponse, ServiceCapabilitiesResponse, ServiceRegionResponse, ServiceResponse,
    ServiceSource,
};
pub use tenants::{
    CreateTenantRequest, ListTenantsResponse, TenantResponse, TenantStatus, UpdateTenantRequest,
    UpdateTenantResponse,
};
pub use tokens::{
    CreateTokenRequest, CreateTokenResponse, ListTokensParams, ListTokensResponse,
    RevokeTokenResponse, TokenResponse,
};
pub use usage_events::{ListUsageEventsParams, ListUsageEventsResponse, UsageEventResponse};
pub use usage_reports::{
    REPORTS_MAX, ReportUsageBatchRequest, ReportUsageCloudEventsRequest, ReportUsageRequest,
    ReportUsageResponse, ReportVerdict, UsageReport, UsageVerdictResponse,
};
