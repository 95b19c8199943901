//! Looking up usage events.

use axum::Json as Body;
use diamond_api_types::{ListUsageEventsParams, ListUsageEventsResponse, UsageEventResponse};
use diamond_domain::{CostBasis, UsageEvent};
use diamond_usage::{EventFilter, LedgerCursor};
use serde_json::value::RawValue;

use crate::{
    ApiState,
    analytics::range,
    errors::ApiError,
    extract::{Context, Query},
};

type State = axum::extract::State<ApiState>;

/// List usage events
///
/// A tenant's, or everybody's for an operator who names none; in the ledger's order.
#[utoipa::path(
    get, path = "/api/usage/events", tag = "usage", params(ListUsageEventsParams),
    responses((status = 200, description = "A page of events.", body = ListUsageEventsResponse))
)]
pub async fn list_usage_events(
    state: State,
    Context(context): Context,
    Query(query): Query<ListUsageEventsParams>,
) -> Result<Body<ListUsageEventsResponse>, ApiError> {
    let after = query
        .cursor
        .as_deref()
        .unwrap_or("0")
        .parse()
        .map(LedgerCursor)
        .map_err(|_| {
            ApiError::bad_request("invalid_cursor", "the cursor is not one of this list's")
        })?;
    let limit = usize::try_from(query.limit.unwrap_or_default().get()).unwrap_or(usize::MAX);
    let filter = EventFilter {
        range: match (query.from, query.to) {
            (None, None) => None,
            (Some(from), Some(to)) => Some(range(from, to)?),
            _ => {
                return Err(ApiError::bad_request(
                    "invalid_query",
                    "`from` and `to` go together",
                ));
            }
        },
        user: query.user,
        service: query.service,
        model: query.model,
        event: query.event_id,
        request_id: query.request_id,
        provider_request_id: query.provider_request_id,
        ..EventFilter::default()
    };
    let tenant = query.tenant_id.as_ref();
    let page = state
        .app
        .usage_events(&context, tenant, filter, after, limit)
        .await?;
    let see_cost = state.app.may_see_cost(&context);
    let items = page
        .events
        .into_iter()
        .map(|event| event_response(event, see_cost))
        .collect();
    let next_cursor = page.next.map(|LedgerCursor(sequence)| sequence.to_string());
    Ok(Body(ListUsageEventsResponse { items, next_cursor }))
}

fn event_response(event: UsageEvent, see_cost: bool) -> UsageEventResponse {
    let priced = event.cost_basis != CostBasis::Unpriced;
    UsageEventResponse {
        event_id: event.event_id,
        ledger_sequence: event.ledger_sequence,
        kind: event.kind,
        corrects: event.corrects,
        operation_id: event.operation_id,
        timestamp: event.timestamp,
        ingested_at: event.ingested_at,
        trace_id: event.trace_id,
        tenant_id: event.tenant_id,
        user_id: event.user_id,
        user_source: event.user_source,
        service: event.service,
        model: event.model,
        operation: event.operation,
        secret_version: event.secret_version,
        payer: event.payer,
        quantities: event.quantities,
        cost_usd: (see_cost && priced).then_some(event.cost_usd),
        cost_basis: event.cost_basis,
        price_id: event.price_id.filter(|_| see_cost),
        duration_ms: event.duration_ms,
        first_byte_ms: event.first_byte_ms,
        status: event.status,
        outcome: event.outcome,
        partial: event.partial,
        region: event.region,
        source: event.source,
        request_id: event.request_id,
        provider_request_id: event.provider_request_id,
        tags: event.tags,
        // The provider's object may say what it charged.
        provider_usage: event
            .provider_usage
            .filter(|_| see_cost)
            .and_then(|text| RawValue::from_string(text).ok()),
    }
}
