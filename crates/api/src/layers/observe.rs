//! One log line and two metrics for each request. No query value, no header but the client's own
//! request id, no tenant in a metric.

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use http::HeaderMap;

use super::LayerState;
use crate::extract::{PeerAddress, RequestIdentity};

const CLIENT_REQUEST_ID_BYTES_MAX: usize = 128;

/// Logs and counts.
pub async fn observe(State(state): State<LayerState>, request: Request, next: Next) -> Response {
    let started = state.clock.monotonic_nanos();
    // The template, not the path: paths hold names, and their number has no end.
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    let method = method_label(request.method());
    let identity = request.extensions().get::<RequestIdentity>().copied();
    let peer = request.extensions().get::<PeerAddress>().copied();
    let client_request_id = client_request_id(request.headers());
    let response = next.run(request).await;
    let status = response.status().as_u16();
    let nanos = state.clock.monotonic_nanos().saturating_sub(started);
    tracing::info!(
        request.id = identity.map(|identity| tracing::field::display(identity.request_id)),
        trace.id = identity.map(|identity| tracing::field::display(identity.trace_id)),
        client.request_id = client_request_id,
        peer.address = peer.map(|PeerAddress(address)| tracing::field::display(address)),
        http.method = method,
        http.route = route,
        http.status = status,
        duration_us = nanos / 1_000,
        "answered a request"
    );
    let status = status.to_string();
    metrics::counter!(
        "diamond_http_requests_total",
        "method" => method, "route" => route.clone(), "status" => status
    )
    .increment(1);
    #[expect(
        clippy::cast_precision_loss,
        reason = "a metric is a floating-point hint"
    )]
    let seconds = nanos as f64 / 1e9;
    metrics::histogram!(
        "diamond_http_request_duration_seconds", "method" => method, "route" => route
    )
    .record(seconds);
    response
}

/// A closed set: a client could otherwise make as many series as it can think of methods.
fn method_label(method: &http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

/// What the client calls its request, if that is a short visible text: recorded, never trusted.
fn client_request_id(headers: &HeaderMap) -> Option<String> {
    let text = headers.get("x-request-id")?.to_str().ok()?;
    let sound = text.len() <= CLIENT_REQUEST_ID_BYTES_MAX
        && text.bytes().all(|byte| byte.is_ascii_graphic());
    sound.then(|| text.to_owned())
}
