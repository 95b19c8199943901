//! One log line and two metrics for each request. No query value, no header but the client's own
//! request id, no tenant in a metric.

use std::{collections::HashMap, fmt};

use axum::extract::{MatchedPath, Request};
use diamond_domain::Clock;
use http::{HeaderMap, StatusCode};
use metrics::{Counter, Histogram};
use parking_lot::RwLock;

use crate::extract::{PeerAddress, RequestIdentity};

const CLIENT_REQUEST_ID_BYTES_MAX: usize = 128;
const UNMATCHED: &str = "unmatched";

/// What is known of a request before it is handled.
pub struct Observation {
    began_nanos: u64,
    /// The template, not the path: paths hold names, and their number has no end.
    route: Option<MatchedPath>,
    method: &'static str,
    identity: RequestIdentity,
    peer: Option<PeerAddress>,
    client_request_id: Option<String>,
}

impl Observation {
    /// Looks at the request.
    pub fn begin(request: &Request, identity: RequestIdentity, clock: &dyn Clock) -> Self {
        Self {
            began_nanos: clock.monotonic_nanos(),
            route: request.extensions().get::<MatchedPath>().cloned(),
            method: method_label(request.method()),
            identity,
            peer: request.extensions().get::<PeerAddress>().copied(),
            client_request_id: client_request_id(request.headers()),
        }
    }

    /// Logs and counts.
    pub fn end(self, status: StatusCode, clock: &dyn Clock, series: &Series) {
        let nanos = clock.monotonic_nanos().saturating_sub(self.began_nanos);
        let route = self.route.as_ref().map_or(UNMATCHED, MatchedPath::as_str);
        tracing::info!(
            request.id = %self.identity.request_id,
            trace.id = %self.identity.trace_id,
            client.request_id = self.client_request_id,
            peer.address = self.peer.map(|PeerAddress(address)| tracing::field::display(address)),
            http.method = self.method,
            http.route = route,
            http.status = status.as_u16(),
            duration_us = nanos / 1_000,
            "answered a request"
        );
        series.count(self.method, route, status, nanos);
    }
}

/// The metrics of each route that was asked for, found once: looking one up by its labels costs
/// more than counting. There are as many as routes, methods and statuses.
#[derive(Default)]
pub struct Series(RwLock<HashMap<String, Vec<Counted>>>);

struct Counted {
    method: &'static str,
    status: StatusCode,
    requests: Counter,
    seconds: Histogram,
}

impl Series {
    fn count(&self, method: &'static str, route: &str, status: StatusCode, nanos: u64) {
        {
            let known = self.0.read();
            let of_route = known.get(route).map_or(&[][..], Vec::as_slice);
            let mut counted = of_route.iter();
            if let Some(counted) =
                counted.find(|counted| counted.method == method && counted.status == status)
            {
                return counted.add(nanos);
            }
        }
        let counted = Counted::find(method, route, status);
        counted.add(nanos);
        self.0
            .write()
            .entry(route.to_owned())
            .or_default()
            .push(counted);
    }
}

impl fmt::Debug for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Series")
    }
}

impl Counted {
    fn find(method: &'static str, route: &str, status: StatusCode) -> Self {
        let route = route.to_owned();
        Self {
            method,
            status,
            requests: metrics::counter!(
                "diamond_http_requests_total",
                "method" => method, "route" => route.clone(),
                "status" => status.as_u16().to_string()
            ),
            seconds: metrics::histogram!(
                "diamond_http_request_duration_seconds", "method" => method, "route" => route
            ),
        }
    }

    fn add(&self, nanos: u64) {
        self.requests.increment(1);
        #[expect(
            clippy::cast_precision_loss,
            reason = "a metric is a floating-point hint"
        )]
        self.seconds.record(nanos as f64 / 1e9);
    }
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
