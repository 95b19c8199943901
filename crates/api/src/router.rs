//! From the table of routes to a service.

use axum::{Router, middleware};

use crate::{
    ApiState,
    errors::ApiError,
    layers::{self, LayerState, Surround, database},
    routes,
};

/// The API over this state. Whoever serves it puts a [`crate::PeerAddress`] into each request's
/// extensions.
pub fn router(state: ApiState) -> Router {
    let layer_state = LayerState {
        clock: state.clock.clone(),
        request_timeout: state.settings.request_timeout,
    };
    let routes = routes::table()
        .into_iter()
        .fold(Router::new(), |router, route| {
            let path = route.info.path;
            // Only where the database is asked: the others do without what it costs.
            let handler = if database::is_asked(&route.info.method, path) {
                let app = state.app.clone();
                let give_up = database::give_up_when_lost;
                route
                    .handler
                    .layer(middleware::from_fn_with_state(app, give_up))
            } else {
                route.handler
            };
            let handler = match route.audited {
                // Who is refused leaves a trace, whatever the handler does.
                Some(action) => handler.layer(middleware::from_fn_with_state(
                    (state.app.clone(), action),
                    layers::audit_refusals,
                )),
                None => handler,
            };
            router.route(path, handler)
        });
    with_layers(routes, layer_state).with_state(state)
}

/// What happens around every handler. (Bodies are limited where they are read, because their limits
/// differ: `extract::read_body`.)
fn with_layers<S: Clone + Send + Sync + 'static>(
    routes: Router<S>,
    state: LayerState,
) -> Router<S> {
    routes
        // Before the layer, so that what matches no route is logged and answered like the rest.
        .fallback(async || ApiError::route_not_found())
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
        .layer(Surround::new(state))
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use axum::{
        body::{Body, to_bytes},
        routing::{get, post},
    };
    use diamond_domain::ManualClock;
    use http::{Request, StatusCode};
    use jiff::Timestamp;
    use serde::Deserialize;
    use tower::ServiceExt as _;

    use super::*;
    use crate::extract::{Path, Query};

    #[derive(Debug, Deserialize)]
    struct Part {
        tenant: diamond_domain::TenantId,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Parameters {
        limit: Option<diamond_api_types::Limit>,
    }

    async fn panicking() {
        panic!("canary in a panic");
    }

    fn router(request_timeout: Duration) -> Router {
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let routes = Router::new()
            .route("/fine", post(async || "fine"))
            .route("/panic", get(panicking))
            .route("/hang", get(std::future::pending::<()>))
            .route(
                "/internal",
                get(async || ApiError::internal("canary in a cause")),
            )
            .route(
                "/tenants/{tenant}",
                get(async |Path(part): Path<Part>| part.tenant.to_string()),
            )
            .route(
                "/list",
                get(async |Query(query): Query<Parameters>| {
                    query.limit.unwrap_or_default().to_string()
                }),
            );
        with_layers(
            routes,
            LayerState {
                clock,
                request_timeout,
            },
        )
    }

    async fn call(request_timeout: Duration, uri: &str) -> (StatusCode, http::HeaderMap, String) {
        let request = Request::get(uri)
            .header("x-request-id", "theirs")
            .body(Body::empty());
        let response = router(request_timeout)
            .oneshot(request.unwrap())
            .await
            .unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        (
            parts.status,
            parts.headers,
            String::from_utf8(body.to_vec()).unwrap(),
        )
    }

    async fn refusal(uri: &str) -> (StatusCode, String, String) {
        let (status, headers, body) = call(Duration::from_secs(60), uri).await;
        assert_eq!(headers["content-type"], "application/json", "{uri}: {body}");
        assert_eq!(headers["cache-control"], "no-store");
        let body: diamond_api_types::ErrorResponse = serde_json::from_str(&body).unwrap();
        assert_eq!(headers["x-request-id"], body.error.request_id.as_str());
        assert!(body.error.request_id.starts_with("req_"));
        (status, body.error.code, body.error.message)
    }

    #[tokio::test]
    async fn every_error_has_the_one_envelope() {
        for (uri, status, code) in [
            ("/nowhere", 404, "route_not_found"),
            ("/fine", 405, "method_not_allowed"),
            ("/panic", 500, "internal"),
            ("/internal", 500, "internal"),
            ("/tenants/coaching-customer", 400, "invalid_path"),
            ("/tenants/%ff", 400, "invalid_path"),
            ("/list?limit=0", 400, "invalid_query"),
            ("/list?limit=1&limit=2", 400, "invalid_query"),
            ("/list?limits=1", 400, "invalid_query"),
        ] {
            let (seen_status, seen_code, message) = refusal(uri).await;
            assert_eq!(
                (seen_status.as_u16(), seen_code.as_str()),
                (status, code),
                "{uri}"
            );
            assert!(!message.contains("canary"), "{uri}: {message}");
        }
    }

    #[tokio::test]
    async fn a_refusal_says_which_rule_was_broken() {
        let (_, _, message) = refusal("/tenants/coaching-customer").await;
        assert!(message.contains("must not end in `-customer`"), "{message}");
        let (_, _, message) = refusal("/list?limit=1001").await;
        assert!(message.contains("from 1 to 1000"), "{message}");
    }

    #[tokio::test]
    async fn a_wrong_method_is_told_the_right_ones() {
        let (_, headers, _) = call(Duration::from_secs(60), "/fine").await;
        assert_eq!(headers["allow"], "POST");
    }

    #[tokio::test]
    async fn a_handler_that_hangs_is_given_up() {
        let (status, headers, body) = call(Duration::ZERO, "/hang").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(headers["retry-after"], "1");
        assert!(body.contains("\"timeout\""), "{body}");
    }

    #[tokio::test]
    async fn what_is_right_passes() {
        let (status, headers, body) = call(Duration::from_secs(60), "/tenants/zaxon").await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, "zaxon"));
        assert_ne!(headers["x-request-id"], "theirs");
        let (_, _, body) = call(Duration::from_secs(60), "/list").await;
        assert_eq!(body, "100");
    }
}
