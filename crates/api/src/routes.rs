//! The table of routes: all there is.

use axum::{
    handler::Handler,
    routing::{MethodFilter, MethodRouter, on},
};
use diamond_domain::Scope;
use diamond_usage::AuditAction;
use http::Method;

use crate::{
    ApiState, alarms, analytics, audit, backups, budgets, incidents, keys, operations, revocations,
    rotations, seal, services, tenants, tokens, usage,
};

/// A line of the table, as tests and the OpenAPI document see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteInfo {
    /// The method.
    pub method: Method,
    /// The path; `{tenantId}` in it is the tenant whose scope is needed.
    pub path: &'static str,
    /// The scope that a caller needs; `None` only when public.
    pub scope: Option<Scope>,
    /// Whether the caller must be an operator besides.
    pub operator_only: bool,
    /// Whether no token is needed.
    pub public: bool,
    /// The operation's name in the OpenAPI document.
    pub operation_id: &'static str,
    /// A body that is well-formed, for tests that call every route.
    pub sample_body: Option<&'static str>,
}

pub(crate) struct Route {
    pub info: RouteInfo,
    pub handler: MethodRouter<ApiState>,
    /// As what a refusal stands in the audit chain; `None` when there is none or the use case
    /// writes it itself.
    pub audited: Option<AuditAction>,
}

/// Every route of the API.
#[must_use]
pub fn routes() -> Vec<RouteInfo> {
    table().into_iter().map(|route| route.info).collect()
}

/// The handlers of the table, which describe themselves for the OpenAPI document. A test holds
/// this against the table.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    keys::lease_key,
    keys::put_customer_key,
    keys::put_dedicated_key,
    keys::check_key,
    keys::list_key_versions,
    keys::revoke_key_version,
    keys::list_keys,
    rotations::rotate_key,
    rotations::provision_key,
    rotations::put_tenant_credential,
    rotations::put_credential,
    rotations::rotate_all_keys,
    rotations::sweep_provider,
    rotations::list_rotations,
    rotations::get_rotation,
    tenants::create_tenant,
    tenants::list_tenants,
    tenants::get_tenant,
    tenants::update_tenant,
    tokens::create_token,
    tokens::list_tokens,
    tokens::get_token,
    tokens::revoke_token,
    revocations::get_revocation,
    budgets::list_budgets,
    budgets::put_budget,
    budgets::get_budget,
    budgets::delete_budget,
    usage::report_usage,
    usage::list_usage_events,
    analytics::get_tpc,
    analytics::list_tpc_users,
    analytics::list_tpc_services,
    analytics::list_tpc_series,
    analytics::list_tpc_tenants,
    alarms::list_alarms,
    alarms::acknowledge_alarm,
    alarms::close_alarm,
    audit::list_audit,
    audit::verify_audit,
    services::list_services,
    services::check_service,
    seal::get_seal,
    seal::begin_rekey,
    seal::cancel_rekey,
    backups::take_backup,
    backups::get_restore,
    backups::release_restore,
    audit::verify_audit_checkpoints,
    audit::get_audit_status,
    audit::begin_audit_anew,
    incidents::report_incident,
    operations::get_health,
    operations::get_readiness,
    operations::get_metrics,
    operations::get_openapi,
))]
pub(crate) struct Paths;

// One line a route, so that the table can be read as one.
#[rustfmt::skip]
pub(crate) fn table() -> Vec<Route> {
    use Scope::{
        AuditRead, CostRead, KeysRead, KeysReveal, KeysWrite, TenantsAdmin, TokensAdmin, UsageRead,
        UsageWrite,
    };
    const KEY: &str = r#"{"apiKey":"sk-sample-0001","validate":false}"#;
    const TENANT: &str = r#"{"id":"sample-tenant","tier":"managed-starter"}"#;
    const TOKEN: &str = r#"{"name":"sample","owner":"sample","purpose":"sample","scopes":["usage:read"]}"#;
    const BUDGET: &str = r#"{"limitUsd":"500.00","onUnbounded":"reserve:0.50"}"#;
    const USAGE: &str =
        r#"{"id":"sample-1","service":"openai","model":"gpt-4o-mini","quantities":{"requests":1}}"#;

    vec![
        // Keys.
        line(POST, "/api/keys/{service}/{tenantId}", KeysReveal, "lease_key", keys::lease_key)
            .sample("{}"),
        line(PUT, "/api/keys/{service}/{tenantId}/customer", KeysWrite, "put_customer_key", keys::put_customer_key)
            .sample(KEY),
        line(PUT, "/api/keys/{service}/{tenantId}/dedicated", KeysWrite, "put_dedicated_key", keys::put_dedicated_key)
            .sample(KEY),
        line(POST, "/api/keys/{service}/{tenantId}/check", KeysWrite, "check_key", keys::check_key)
            .sample(r#"{"apiKey":"sk-sample-0001","kind":"dedicated","validate":false}"#),
        line(GET, "/api/keys/{service}/{tenantId}/versions", KeysRead, "list_key_versions", keys::list_key_versions),
        line(DELETE, "/api/keys/{service}/{tenantId}/versions/{version}", KeysWrite, "revoke_key_version", keys::revoke_key_version),
        line(GET, "/api/tenants/{tenantId}/keys", KeysRead, "list_keys", keys::list_keys),
        // Rotations.
        line(POST, "/api/keys/{service}/{tenantId}/rotate", KeysWrite, "rotate_key", rotations::rotate_key)
            .sample("{}"),
        line(POST, "/api/keys/{service}/{tenantId}/provision", KeysWrite, "provision_key", rotations::provision_key)
            .sample("{}"),
        line(PUT, "/api/keys/{service}/{tenantId}/admin", KeysWrite, "put_tenant_credential", rotations::put_tenant_credential)
            .sample(KEY),
        line(PUT, "/api/services/{service}/credential", KeysWrite, "put_credential", rotations::put_credential)
            .sample(KEY)
            .operators(),
        line(POST, "/api/services/{service}/rotate", KeysWrite, "rotate_all_keys", rotations::rotate_all_keys)
            .sample("{}")
            .operators(),
        line(POST, "/api/services/{service}/sweep", KeysWrite, "sweep_provider", rotations::sweep_provider)
            .operators(),
        line(GET, "/api/rotations", KeysRead, "list_rotations", rotations::list_rotations),
        line(GET, "/api/rotations/{rotationId}", KeysRead, "get_rotation", rotations::get_rotation),
        // Tenants.
        line(POST, "/api/tenants", TenantsAdmin, "create_tenant", tenants::create_tenant)
            .sample(TENANT)
            .operators(),
        line(GET, "/api/tenants", TenantsAdmin, "list_tenants", tenants::list_tenants).operators(),
        line(GET, "/api/tenants/{tenantId}", TenantsAdmin, "get_tenant", tenants::get_tenant),
        line(PATCH, "/api/tenants/{tenantId}", TenantsAdmin, "update_tenant", tenants::update_tenant)
            .sample("{}")
            .operators(),
        // Tokens.
        line(POST, "/api/tokens", TokensAdmin, "create_token", tokens::create_token).sample(TOKEN),
        line(GET, "/api/tokens", TokensAdmin, "list_tokens", tokens::list_tokens),
        line(GET, "/api/tokens/{tokenId}", TokensAdmin, "get_token", tokens::get_token),
        line(DELETE, "/api/tokens/{tokenId}", TokensAdmin, "revoke_token", tokens::revoke_token),
        line(GET, "/api/revocations/{revocationId}", AuditRead, "get_revocation", revocations::get_revocation),
        // Budgets.
        line(GET, "/api/budgets", UsageRead, "list_budgets", budgets::list_budgets),
        line(PUT, "/api/budgets/{tenantId}/{budgetName}", TenantsAdmin, "put_budget", budgets::put_budget)
            .sample(BUDGET)
            .operators(),
        line(GET, "/api/budgets/{tenantId}/{budgetName}", UsageRead, "get_budget", budgets::get_budget),
        line(DELETE, "/api/budgets/{tenantId}/{budgetName}", TenantsAdmin, "delete_budget", budgets::delete_budget)
            .operators(),
        // Usage.
        line(POST, "/api/usage", UsageWrite, "report_usage", usage::report_usage).sample(USAGE),
        line(GET, "/api/usage/events", UsageRead, "list_usage_events", usage::list_usage_events),
        // True Production Cost.
        line(GET, "/api/analytics/tpc", CostRead, "list_tpc_tenants", analytics::list_tpc_tenants)
            .operators(),
        line(GET, "/api/analytics/tpc/{tenantId}", UsageRead, "get_tpc", analytics::get_tpc),
        line(GET, "/api/analytics/tpc/{tenantId}/users", UsageRead, "list_tpc_users", analytics::list_tpc_users),
        line(GET, "/api/analytics/tpc/{tenantId}/services", UsageRead, "list_tpc_services", analytics::list_tpc_services),
        line(GET, "/api/analytics/tpc/{tenantId}/series", CostRead, "list_tpc_series", analytics::list_tpc_series),
        // Alarms and audit.
        line(GET, "/api/alarms", UsageRead, "list_alarms", alarms::list_alarms),
        line(POST, "/api/alarms/{alarmId}/acknowledge", UsageRead, "acknowledge_alarm", alarms::acknowledge_alarm)
            .operators(),
        line(POST, "/api/alarms/{alarmId}/close", UsageRead, "close_alarm", alarms::close_alarm)
            .operators(),
        line(GET, "/api/audit", AuditRead, "list_audit", audit::list_audit),
        line(GET, "/api/audit/verify", AuditRead, "verify_audit", audit::verify_audit).operators(),
        // The AI services.
        line(GET, "/api/services", KeysRead, "list_services", services::list_services),
        line(POST, "/api/services/check", TenantsAdmin, "check_service", services::check_service)
            .sample(r#"{"file":"sample.toml","text":""}"#)
            .operators(),
        // The master key. It is above every tenant, so whoever administers those may change it.
        line(GET, "/api/seal", TenantsAdmin, "get_seal", seal::get_seal).operators(),
        line(DELETE, "/api/seal/rekey", TenantsAdmin, "cancel_rekey", seal::cancel_rekey).operators(),
        line(POST, "/api/seal/rekey", TenantsAdmin, "begin_rekey", seal::begin_rekey).operators(),
        // Backups.
        line(POST, "/api/backup", TenantsAdmin, "take_backup", backups::take_backup).operators(),
        line(GET, "/api/restore", TenantsAdmin, "get_restore", backups::get_restore).operators(),
        line(POST, "/api/restore/release", TenantsAdmin, "release_restore", backups::release_restore)
            .sample(r#"{"digest":"sample","reason":"sample"}"#)
            .operators(),
        line(POST, "/api/audit/verify", AuditRead, "verify_audit_checkpoints", audit::verify_audit_checkpoints)
            .sample(r#"{"checkpoints":[]}"#)
            .operators(),
        line(GET, "/api/audit/status", AuditRead, "get_audit_status", audit::get_audit_status).operators(),
        line(POST, "/api/audit/begin-anew", AuditRead, "begin_audit_anew", audit::begin_audit_anew)
            .sample(r#"{"reason":"sample"}"#)
            .operators(),
        line(GET, "/api/incidents", AuditRead, "report_incident", incidents::report_incident),
        // Operations. Open, like all such: they name no tenant and no secret.
        open("/healthz", "get_health", operations::get_health),
        open("/readyz", "get_readiness", operations::get_readiness),
        open("/metrics", "get_metrics", operations::get_metrics),
        open("/openapi.json", "get_openapi", operations::get_openapi),
    ]
}

/// A method, as the table and as the router say it.
struct Verb {
    method: Method,
    filter: MethodFilter,
}

const GET: Verb = Verb {
    method: Method::GET,
    filter: MethodFilter::GET,
};
const POST: Verb = Verb {
    method: Method::POST,
    filter: MethodFilter::POST,
};
const PUT: Verb = Verb {
    method: Method::PUT,
    filter: MethodFilter::PUT,
};
const PATCH: Verb = Verb {
    method: Method::PATCH,
    filter: MethodFilter::PATCH,
};
const DELETE: Verb = Verb {
    method: Method::DELETE,
    filter: MethodFilter::DELETE,
};

/// A line that needs a scope.
fn line<H, T>(
    verb: Verb,
    path: &'static str,
    scope: Scope,
    operation_id: &'static str,
    handler: H,
) -> Route
where
    H: Handler<T, ApiState>,
    T: 'static,
{
    let info = RouteInfo {
        method: verb.method,
        path,
        scope: Some(scope),
        operator_only: false,
        public: false,
        operation_id,
        sample_body: None,
    };
    Route {
        audited: Some(action(operation_id)).filter(|action| *action != AuditAction::KeyReveal),
        info,
        handler: on(verb.filter, handler),
    }
}

/// What a route does, in the words of the audit chain.
fn action(operation_id: &str) -> AuditAction {
    match operation_id {
        "lease_key" => AuditAction::KeyReveal,
        "put_customer_key" | "put_dedicated_key" => AuditAction::KeyPut,
        "check_key" => AuditAction::KeyCheck,
        "revoke_key_version" => AuditAction::KeyRevoke,
        "rotate_key" | "rotate_all_keys" => AuditAction::KeyRotate,
        "provision_key" => AuditAction::KeyProvision,
        "put_tenant_credential" | "put_credential" => AuditAction::CredentialPut,
        "sweep_provider" => AuditAction::ProviderSweep,
        "create_tenant" => AuditAction::TenantCreate,
        "update_tenant" => AuditAction::TenantUpdate,
        "put_budget" => AuditAction::BudgetPut,
        "delete_budget" => AuditAction::BudgetDelete,
        "create_token" => AuditAction::TokenCreate,
        "revoke_token" => AuditAction::TokenRevoke,
        "report_usage" => AuditAction::UsageReport,
        "acknowledge_alarm" | "close_alarm" => AuditAction::AlarmUpdate,
        "begin_audit_anew" => AuditAction::ChainBegin,
        "begin_rekey" => AuditAction::SealRekeyBegin,
        "cancel_rekey" => AuditAction::SealRekeyCancel,
        "take_backup" => AuditAction::BackupTake,
        "release_restore" => AuditAction::RestoreRelease,
        _ => AuditAction::Read,
    }
}

/// A line that needs no token.
fn open<H, T>(path: &'static str, operation_id: &'static str, handler: H) -> Route
where
    H: Handler<T, ApiState>,
    T: 'static,
{
    let info = RouteInfo {
        method: Method::GET,
        path,
        scope: None,
        operator_only: false,
        public: true,
        operation_id,
        sample_body: None,
    };
    Route {
        info,
        handler: on(MethodFilter::GET, handler),
        audited: None,
    }
}

impl Route {
    /// For operators only.
    fn operators(mut self) -> Self {
        self.info.operator_only = true;
        self
    }

    /// With a body like this.
    fn sample(mut self, body: &'static str) -> Self {
        self.info.sample_body = Some(body);
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_route_and_no_name_stands_twice() {
        let routes = routes();
        let places: BTreeSet<_> = routes
            .iter()
            .map(|route| (route.path, route.method.to_string()))
            .collect();
        assert_eq!(places.len(), routes.len());
        let names: BTreeSet<_> = routes.iter().map(|route| route.operation_id).collect();
        assert_eq!(names.len(), routes.len());
    }

    #[test]
    fn only_a_public_route_needs_no_scope() {
        for route in routes() {
            assert_eq!(route.public, route.scope.is_none(), "{}", route.path);
        }
        let public: Vec<_> = routes()
            .iter()
            .filter(|route| route.public)
            .map(|route| route.path)
            .collect();
        assert_eq!(public, ["/healthz", "/readyz", "/metrics", "/openapi.json"]);
    }

    #[test]
    fn whoever_sends_a_body_has_a_sample() {
        for route in routes() {
            let acts_only = ["/api/alarms/", "/api/seal", "/api/backup"]
                .iter()
                .any(|prefix| route.path.starts_with(prefix))
                || route.path.ends_with("/sweep");
            let sends = matches!(route.method.as_str(), "POST" | "PUT" | "PATCH") && !acts_only;
            assert_eq!(route.sample_body.is_some(), sends, "{}", route.path);
        }
    }
}
