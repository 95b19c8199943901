//! Incident reports.

use axum::Json as Body;
use diamond_api_types::{
    IncidentParams, IncidentReportResponse, IncidentSource, IncidentSummaryResponse,
    IncidentUseResponse,
};
use diamond_app::{AuditCoverage, IncidentCursor, IncidentSubject, IncidentSummary, IncidentUse};
use diamond_domain::{SecretVersion, TimeRange, UsageEvent};
use diamond_usage::{AuditEntry, AuditOutcome};
use jiff::Timestamp;

use crate::{
    ApiState,
    audit::{action_text, coverage_response},
    errors::ApiError,
    extract::{Context, Query},
};

type State = axum::extract::State<ApiState>;

/// Report every use of what leaked
///
/// The uses of a key's version, of an access token, or from an address: what the audit chain has
/// (keys that were handed out, refusals, administration), then the calls. A tenant sees its own.
/// The first page carries a summary of all.
#[utoipa::path(
    get, path = "/api/incidents", tag = "audit", params(IncidentParams),
    responses((status = 200, description = "A page of the report.", body = IncidentReportResponse))
)]
pub async fn report_incident(
    state: State,
    Context(context): Context,
    Query(params): Query<IncidentParams>,
) -> Result<Body<IncidentReportResponse>, ApiError> {
    let limit = usize::try_from(params.limit.unwrap_or_default().get()).unwrap_or(usize::MAX);
    let range = range(&params)?;
    let after = params.cursor.as_deref().map(cursor).transpose()?;
    let subject = subject(params)?;
    let summary = match after {
        Some(_) => None,
        None => {
            let summary = state.app.incident_summary(&context, &subject, range);
            let summary = summary.await?;
            let coverage = state.app.audit_coverage().await?;
            Some(summary_response(summary, coverage))
        }
    };
    let page = state
        .app
        .incident_page(&context, &subject, range, after, limit)
        .await?;
    Ok(Body(IncidentReportResponse {
        summary,
        items: page.uses.into_iter().map(use_response).collect(),
        next_cursor: page.next.map(|next| match next {
            IncidentCursor::Audit(sequence) => format!("a{sequence}"),
            IncidentCursor::Ledger(sequence) => format!("l{sequence}"),
        }),
    }))
}

fn range(params: &IncidentParams) -> Result<Option<TimeRange>, ApiError> {
    if params.from.is_none() && params.to.is_none() {
        return Ok(None);
    }
    let range = TimeRange {
        from: params.from.unwrap_or(Timestamp::UNIX_EPOCH),
        to: params.to.unwrap_or(Timestamp::MAX),
    };
    if range.from < range.to {
        Ok(Some(range))
    } else {
        Err(invalid("`from` is before `to`"))
    }
}

fn cursor(text: &str) -> Result<IncidentCursor, ApiError> {
    let read = |digits: &str| digits.parse::<u64>().ok();
    let cursor = match text.split_at_checked(1) {
        Some(("a", digits)) => read(digits).map(IncidentCursor::Audit),
        Some(("l", digits)) => read(digits).map(IncidentCursor::Ledger),
        _ => None,
    };
    cursor.ok_or_else(|| {
        ApiError::bad_request("invalid_cursor", "the cursor is not one of this list's")
    })
}

fn subject(params: IncidentParams) -> Result<IncidentSubject, ApiError> {
    let IncidentParams {
        service,
        tenant_id,
        version,
        kind,
        token_id,
        address,
        ..
    } = params;
    match (service, tenant_id, version, token_id, address) {
        (Some(service), Some(tenant), Some(version), None, None) => Ok(IncidentSubject::Version {
            service,
            tenant,
            version: SecretVersion::new(version)
                .ok_or_else(|| invalid("`version` is at least 1"))?,
            kind,
        }),
        (None, None, None, Some(token), None) => Ok(IncidentSubject::Token(token)),
        (None, None, None, None, Some(address)) => {
            Ok(IncidentSubject::Address(address.to_canonical()))
        }
        _ => Err(invalid(
            "say what leaked: `service`, `tenantId` and `version`, or `tokenId`, or `address`",
        )),
    }
}

fn invalid(message: &str) -> ApiError {
    ApiError::bad_request("invalid_query", message)
}

fn use_response(each: IncidentUse) -> IncidentUseResponse {
    match each {
        IncidentUse::Audit { entry, lease_until } => audit_response(*entry, lease_until),
        IncidentUse::Call(event) => call_response(*event),
    }
}

fn audit_response(entry: AuditEntry, lease_until: Option<Timestamp>) -> IncidentUseResponse {
    let draft = entry.draft;
    IncidentUseResponse {
        source: IncidentSource::Audit,
        sequence: entry.sequence,
        at: draft.at,
        action: action_text(draft.action).to_owned(),
        outcome: match draft.outcome {
            AuditOutcome::Granted => "granted",
            AuditOutcome::Refused => "refused",
        }
        .to_owned(),
        request_id: Some(draft.request_id),
        event_id: None,
        token_id: draft.token_id,
        address: draft.address,
        tenant_id: draft.tenant_id,
        user_id: draft.user_id,
        service: draft.service,
        version: draft.version,
        model: None,
        purpose: draft.purpose,
        detail: draft.detail,
        count: draft.count,
        lease_until,
    }
}

fn call_response(event: UsageEvent) -> IncidentUseResponse {
    IncidentUseResponse {
        source: IncidentSource::Ledger,
        sequence: event.ledger_sequence.unwrap_or(0),
        at: event.timestamp,
        action: event.operation,
        outcome: event.outcome.to_string(),
        request_id: event.request_id.parse().ok(),
        event_id: Some(event.event_id),
        token_id: event.token_id,
        address: event.address,
        tenant_id: Some(event.tenant_id),
        user_id: Some(event.user_id),
        service: Some(event.service),
        version: event.secret_version,
        model: Some(event.model),
        purpose: None,
        detail: None,
        count: None,
        lease_until: None,
    }
}

fn summary_response(summary: IncidentSummary, coverage: AuditCoverage) -> IncidentSummaryResponse {
    IncidentSummaryResponse {
        coverage: coverage_response(coverage),
        audit_entries: summary.audit_entries,
        calls: summary.calls,
        first_seen_at: summary.first_seen_at,
        last_seen_at: summary.last_seen_at,
        tenants: summary.tenants,
        users: summary.users,
        services: summary.services,
        tokens: summary.tokens,
        addresses: summary.addresses,
        outcomes: summary.outcomes,
        leases_outstanding: summary.leases_outstanding,
        leases_until: summary.leases_until,
    }
}
