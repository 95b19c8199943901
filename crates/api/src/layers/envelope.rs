//! Outermost: gives a request its names and every error its body.

use axum::{
    extract::Request,
    response::{IntoResponse, Response},
};
use diamond_domain::{Clock, RequestId, TraceId};
use http::{HeaderName, HeaderValue, header};

use crate::{errors::ApiError, extract::RequestIdentity};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Names the request.
pub fn name(request: &mut Request, clock: &dyn Clock) -> RequestIdentity {
    let trace = request
        .headers()
        .get(TRACEPARENT)
        .and_then(|value| value.to_str().ok());
    let identity = RequestIdentity {
        request_id: RequestId::generate(clock.now()),
        trace_id: trace
            .and_then(TraceId::from_traceparent)
            .unwrap_or_else(TraceId::generate),
    };
    request.extensions_mut().insert(identity);
    identity
}

/// Writes the body of whatever error comes back, and what stands in every answer.
pub fn close(mut response: Response, identity: RequestIdentity) -> Response {
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        // Keep what the error's maker said in headers (`allow`, `www-authenticate`).
        let mut headers = std::mem::take(response.headers_mut());
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::CONTENT_TYPE);
        let mut answer = error.into_envelope(identity.request_id).into_response();
        answer.headers_mut().extend(headers);
        response = answer;
    }
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::try_from(identity.request_id.to_string()) {
        headers.insert(REQUEST_ID, value);
    }
    // Answers are about a tenant's keys and money: no cache between us keeps them.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}
