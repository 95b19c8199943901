//! For whoever runs the process. These need no token: they name no tenant and no secret.

use std::sync::LazyLock;

use axum::{Json as Body, response::IntoResponse};
use diamond_api_types::{HealthResponse, ReadinessCheck, ReadinessResponse};
use http::{HeaderName, StatusCode, header};

use crate::{ApiState, openapi::openapi_json};

type State = axum::extract::State<ApiState>;

/// Whether the process lives
#[utoipa::path(
    get, path = "/healthz", tag = "operations",
    responses((status = 200, description = "It does.", body = HealthResponse))
)]
pub async fn get_health() -> Body<HealthResponse> {
    Body(HealthResponse {
        status: "ok".to_owned(),
    })
}

/// Whether work can be sent here
#[utoipa::path(
    get, path = "/readyz", tag = "operations",
    responses(
        (status = 200, description = "It can.", body = ReadinessResponse),
        (status = 503, description = "It cannot; `checks` says why.", body = ReadinessResponse),
    )
)]
pub async fn get_readiness(state: State) -> (StatusCode, Body<ReadinessResponse>) {
    let readiness = state.app.readiness().await;
    let status = if readiness.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let checks = readiness
        .checks
        .into_iter()
        .map(|check| ReadinessCheck {
            name: check.name.to_owned(),
            ok: check.ok,
            detail: check.detail,
        })
        .collect();
    (
        status,
        Body(ReadinessResponse {
            ready: readiness.ready,
            checks,
        }),
    )
}

/// Metrics for Prometheus
#[utoipa::path(
    get, path = "/metrics", tag = "operations",
    responses((status = 200, description = "The metrics.", body = String,
        content_type = "text/plain; version=0.0.4; charset=utf-8"))
)]
pub async fn get_metrics(state: State) -> impl IntoResponse {
    const TEXT: [(HeaderName, &str); 1] = [(
        header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    )];
    (TEXT, state.metrics.render())
}

/// This document
#[utoipa::path(
    get, path = "/openapi.json", tag = "operations",
    responses((status = 200, description = "The OpenAPI document.", body = Object,
        content_type = "application/json"))
)]
pub async fn get_openapi() -> impl IntoResponse {
    static DOCUMENT: LazyLock<String> = LazyLock::new(openapi_json);
    const JSON: [(HeaderName, &str); 1] = [(header::CONTENT_TYPE, "application/json")];
    (JSON, DOCUMENT.as_str())
}
