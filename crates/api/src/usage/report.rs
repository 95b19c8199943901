//! Reporting usage.

use axum::{Json as Body, extract::Request};
use diamond_api_types::{
    ReportUsageCloudEventsRequest, ReportUsageRequest, ReportUsageResponse, ReportVerdict,
    UsageCloudEvent, UsageReport, UsageVerdictResponse,
};
use diamond_app::ReportOutcome;
use diamond_domain::{Quantities, Scope};

use super::body::{Form, NotAReport};
use crate::{
    ApiState,
    errors::ApiError,
    extract::{Context, check_depth, content_type, read_body},
};

type State = axum::extract::State<ApiState>;

/// Report usage
///
/// For calls that do not pass through the gateway. Answered when everything accepted is durable,
/// with a verdict for each report: one bad report does not stop the others. Sending the same
/// again is safe.
#[utoipa::path(
    post, path = "/api/usage", tag = "usage",
    request_body(content(
        (ReportUsageRequest = "application/json"),
        (UsageCloudEvent = "application/cloudevents+json"),
        (ReportUsageCloudEventsRequest = "application/cloudevents-batch+json"),
    )),
    responses((status = 200, description = "The verdicts.", body = ReportUsageResponse))
)]
pub async fn report_usage(
    state: State,
    Context(context): Context,
    request: Request,
) -> Result<Body<ReportUsageResponse>, ApiError> {
    // A batch of nothing but refuse would ask no use case, so the scope is asked here as well.
    if !context.caller.has(Scope::UsageWrite) && !context.caller.has(Scope::UsageImport) {
        return Err(ApiError::forbidden(
            "missing_scope",
            "the token does not have the scope `usage:write`",
        ));
    }
    let form = Form::of(content_type(request.headers()).as_deref())?;
    let body = read_body(request.into_body(), state.settings.usage_body_bytes_max).await?;
    check_depth(&body, state.settings.json_depth_max)?;
    let mut reports = Vec::new();
    let mut refused = Vec::new();
    for parsed in form.read(&body)? {
        refused.push(
            parsed
                .map(|report| reports.push(use_case_report(report)))
                .err(),
        );
    }
    let taken = state.app.report_usage(&context, reports).await?;
    let mut taken = taken.into_iter().map(verdict_response);
    let items: Vec<_> = refused
        .into_iter()
        .filter_map(|problem| problem.map(invalid).or_else(|| taken.next()))
        .collect();
    let kept = |item: &&UsageVerdictResponse| {
        matches!(
            item.verdict,
            ReportVerdict::Accepted | ReportVerdict::Duplicate
        )
    };
    let taken = u64::try_from(items.iter().filter(kept).count()).unwrap_or(u64::MAX);
    let all = u64::try_from(items.len()).unwrap_or(u64::MAX);
    Ok(Body(ReportUsageResponse {
        taken,
        refused: all.saturating_sub(taken),
        items,
    }))
}

fn use_case_report(report: UsageReport) -> diamond_app::UsageReport {
    diamond_app::UsageReport {
        id: report.id,
        source: report.source,
        tenant_id: report.tenant_id,
        user_id: report.user_id,
        service: report.service,
        model: report.model,
        operation: report.operation,
        service_tier: report.service_tier,
        timestamp: report.timestamp,
        // Drops the zeros: a meter that counted nothing is absent.
        quantities: report.quantities.iter().collect::<Quantities>(),
        cost_usd: report.cost_usd,
        duration_ms: report.duration_ms,
        status: report.status,
        provider_request_id: report.provider_request_id,
        trace_id: report.trace_id,
        tags: report.tags,
    }
}

fn verdict_response(verdict: diamond_app::ReportVerdict) -> UsageVerdictResponse {
    UsageVerdictResponse {
        id: Some(verdict.id),
        event_id: verdict.event_id,
        verdict: match verdict.outcome {
            ReportOutcome::Accepted => ReportVerdict::Accepted,
            ReportOutcome::Duplicate => ReportVerdict::Duplicate,
            ReportOutcome::Conflict => ReportVerdict::Conflict,
            ReportOutcome::TooOld => ReportVerdict::TooOld,
            ReportOutcome::Invalid => ReportVerdict::Invalid,
        },
        cost_usd: verdict.cost_usd,
        cost_basis: verdict.cost_basis,
        message: verdict.message,
    }
}

fn invalid(problem: NotAReport) -> UsageVerdictResponse {
    UsageVerdictResponse {
        id: problem.id,
        event_id: None,
        verdict: ReportVerdict::Invalid,
        cost_usd: None,
        cost_basis: None,
        message: Some(problem.message),
    }
}
