//! What somebody should look at.

use axum::Json as Body;
use diamond_api_types::{AlarmResponse, AlarmState, ListAlarmsParams, ListAlarmsResponse};
use diamond_app::AlarmRow;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    ApiState,
    errors::ApiError,
    extract::{Context, Path, Query},
};

/// Which alarm.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Path)]
pub struct AlarmPath {
    /// The alarm's name.
    #[param(max_length = 64)]
    alarm_id: String,
}

type State = axum::extract::State<ApiState>;

/// List alarms
///
/// A tenant's, or everybody's and the platform's for an operator who names none; the latest first.
#[utoipa::path(
    get, path = "/api/alarms", tag = "alarms", params(ListAlarmsParams),
    responses((status = 200, description = "The alarms.", body = ListAlarmsResponse))
)]
pub async fn list_alarms(
    state: State,
    Context(context): Context,
    Query(query): Query<ListAlarmsParams>,
) -> Result<Body<ListAlarmsResponse>, ApiError> {
    let wanted = query.state.map(|state| match state {
        AlarmState::Open => diamond_app::AlarmState::Open,
        AlarmState::Acknowledged => diamond_app::AlarmState::Acknowledged,
        AlarmState::Closed => diamond_app::AlarmState::Closed,
    });
    let limit = query.limit.unwrap_or_default().get();
    let alarms = state
        .app
        .list_alarms(&context, query.tenant_id.as_ref(), wanted, limit)
        .await?;
    let items = alarms.into_iter().map(alarm_response).collect();
    Ok(Body(ListAlarmsResponse {
        items,
        next_cursor: None,
    }))
}

/// Acknowledge an alarm
///
/// Somebody looks at it; repeats are counted on.
#[utoipa::path(
    post, path = "/api/alarms/{alarmId}/acknowledge", tag = "alarms", params(AlarmPath),
    responses((status = 200, description = "The alarm.", body = AlarmResponse))
)]
pub async fn acknowledge_alarm(
    state: State,
    Context(context): Context,
    Path(path): Path<AlarmPath>,
) -> Result<Body<AlarmResponse>, ApiError> {
    let wanted = diamond_app::AlarmState::Acknowledged;
    let alarm = state
        .app
        .set_alarm_state(&context, &path.alarm_id, wanted)
        .await?;
    Ok(Body(alarm_response(alarm)))
}

/// Close an alarm
///
/// It is over; the same thing again is a new alarm.
#[utoipa::path(
    post, path = "/api/alarms/{alarmId}/close", tag = "alarms", params(AlarmPath),
    responses((status = 200, description = "The alarm.", body = AlarmResponse))
)]
pub async fn close_alarm(
    state: State,
    Context(context): Context,
    Path(path): Path<AlarmPath>,
) -> Result<Body<AlarmResponse>, ApiError> {
    let wanted = diamond_app::AlarmState::Closed;
    let alarm = state
        .app
        .set_alarm_state(&context, &path.alarm_id, wanted)
        .await?;
    Ok(Body(alarm_response(alarm)))
}

fn alarm_response(row: AlarmRow) -> AlarmResponse {
    AlarmResponse {
        id: row.id,
        code: row.code,
        tenant_id: row.tenant,
        subject: row.subject,
        detail: row.detail,
        first_seen_at: row.first_seen_at,
        last_seen_at: row.last_seen_at,
        count: row.count,
        state: match row.state {
            diamond_app::AlarmState::Open => AlarmState::Open,
            diamond_app::AlarmState::Acknowledged => AlarmState::Acknowledged,
            diamond_app::AlarmState::Closed => AlarmState::Closed,
        },
    }
}
