//! Every refusal of a caller who is known is an entry of the audit chain.

use std::sync::{Arc, OnceLock};

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use diamond_app::{App, RefusedRequest, RequestContext};
use diamond_usage::AuditAction;
use http::StatusCode;

use crate::errors::ApiError;

/// Where the extractor leaves who is asking.
#[derive(Debug, Clone, Default)]
pub struct CallerSlot(pub Arc<OnceLock<RequestContext>>);

/// Notes a refusal; what was malformed or failed on our side is none.
pub async fn audit_refusals(
    State((app, action)): State<(App, AuditAction)>,
    mut request: Request,
    next: Next,
) -> Response {
    let slot = CallerSlot::default();
    request.extensions_mut().insert(slot.clone());
    let template = request.extensions().get::<MatchedPath>().cloned();
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    let refused = matches!(
        response.status(),
        StatusCode::FORBIDDEN
            | StatusCode::NOT_FOUND
            | StatusCode::CONFLICT
            | StatusCode::UNPROCESSABLE_ENTITY
            | StatusCode::TOO_MANY_REQUESTS
    );
    if refused
        && let Some(context) = slot.0.get()
        && let Some(error) = response.extensions().get::<ApiError>()
    {
        let named = |name| named(template.as_ref()?.as_str(), &path, name);
        let refused = RefusedRequest {
            action,
            code: error.code(),
            tenant: named("{tenantId}").and_then(|text| text.parse().ok()),
            service: named("{service}").and_then(|text| text.parse().ok()),
        };
        app.refuse(context, refused).await;
    }
    response
}

/// The part of the path that stands where the template has this name.
fn named<'a>(template: &str, path: &'a str, name: &str) -> Option<&'a str> {
    let mut parts = template.split('/').zip(path.split('/'));
    parts.find(|(part, _)| *part == name).map(|(_, text)| text)
}
