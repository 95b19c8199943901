//! Metrics. Hints for people; the ledger has the truth.

use std::time::Duration;

use diamond_domain::{CallOutcome, ServiceId};
use metrics::{counter, gauge, histogram};

/// One finished attempt.
pub(crate) struct Finished<'a> {
    pub(crate) service: &'a ServiceId,
    pub(crate) operation: &'static str,
    pub(crate) outcome: CallOutcome,
    pub(crate) duration: Duration,
    pub(crate) first_byte: Option<Duration>,
    pub(crate) request_bytes: u64,
    pub(crate) response_bytes: u64,
}

pub(crate) fn finished(call: &Finished<'_>) {
    let service = call.service.to_string();
    counter!(
        "diamond_gateway_requests_total",
        "service" => service.clone(), "operation" => call.operation, "outcome" => call.outcome.as_str()
    )
    .increment(1);
    histogram!(
        "diamond_gateway_request_duration_seconds",
        "service" => service.clone(), "operation" => call.operation
    )
    .record(call.duration);
    if let Some(first_byte) = call.first_byte {
        histogram!(
            "diamond_gateway_first_byte_seconds",
            "service" => service.clone(), "operation" => call.operation
        )
        .record(first_byte);
    }
    counter!("diamond_gateway_request_bytes_total", "service" => service.clone())
        .increment(call.request_bytes);
    counter!("diamond_gateway_response_bytes_total", "service" => service)
        .increment(call.response_bytes);
}

pub(crate) fn refused(service: &str, code: &'static str) {
    counter!("diamond_gateway_refused_total", "service" => service.to_owned(), "code" => code)
        .increment(1);
}

pub(crate) fn replayed(service: &ServiceId) {
    counter!("diamond_gateway_replays_total", "service" => service.to_string()).increment(1);
}

/// Counts a call as open until it is dropped.
pub(crate) struct Open(metrics::Gauge);

impl Open {
    pub(crate) fn new(service: &ServiceId) -> Self {
        let open = gauge!("diamond_gateway_open_calls", "service" => service.to_string());
        open.increment(1);
        Self(open)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}
