//! Metrics. Hints for people; the ledger has the truth.

use std::{collections::HashMap, time::Duration};

use diamond_domain::{CallOutcome, ServiceId};
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use parking_lot::RwLock;

/// One finished attempt.
pub(crate) struct Finished {
    pub(crate) operation: &'static str,
    pub(crate) outcome: CallOutcome,
    pub(crate) duration: Duration,
    pub(crate) first_byte: Option<Duration>,
    pub(crate) request_bytes: u64,
    pub(crate) response_bytes: u64,
}

/// The metrics of one service, found once: looking one up by its labels costs more than counting.
pub(crate) struct ServiceMetrics {
    service: String,
    open_calls: Gauge,
    request_bytes: Counter,
    response_bytes: Counter,
    /// As many as the service has operations.
    operations: RwLock<HashMap<&'static str, Operation>>,
}

struct Operation {
    /// In the order of [`CallOutcome::ALL`].
    requests: Vec<Counter>,
    duration: Histogram,
    first_byte: Histogram,
}

impl ServiceMetrics {
    pub(crate) fn new(service: &ServiceId) -> Self {
        let service = service.to_string();
        Self {
            open_calls: gauge!("diamond_gateway_open_calls", "service" => service.clone()),
            request_bytes: counter!(
                "diamond_gateway_request_bytes_total", "service" => service.clone()
            ),
            response_bytes: counter!(
                "diamond_gateway_response_bytes_total", "service" => service.clone()
            ),
            operations: RwLock::default(),
            service,
        }
    }

    /// Counts a call as open until the guard is dropped.
    pub(crate) fn open(&self) -> Open {
        self.open_calls.increment(1);
        Open(self.open_calls.clone())
    }

    pub(crate) fn finished(&self, call: &Finished) {
        self.request_bytes.increment(call.request_bytes);
        self.response_bytes.increment(call.response_bytes);
        if let Some(operation) = self.operations.read().get(call.operation) {
            return operation.finished(call);
        }
        let mut operations = self.operations.write();
        operations
            .entry(call.operation)
            .or_insert_with(|| Operation::find(&self.service, call.operation))
            .finished(call);
    }
}

impl Operation {
    fn find(service: &str, operation: &'static str) -> Self {
        let requests = |outcome: &CallOutcome| {
            counter!(
                "diamond_gateway_requests_total",
                "service" => service.to_owned(), "operation" => operation,
                "outcome" => outcome.as_str()
            )
        };
        Self {
            requests: CallOutcome::ALL.iter().map(requests).collect(),
            duration: histogram!(
                "diamond_gateway_request_duration_seconds",
                "service" => service.to_owned(), "operation" => operation
            ),
            first_byte: histogram!(
                "diamond_gateway_first_byte_seconds",
                "service" => service.to_owned(), "operation" => operation
            ),
        }
    }

    fn finished(&self, call: &Finished) {
        let place = CallOutcome::ALL
            .iter()
            .position(|outcome| *outcome == call.outcome);
        if let Some(requests) = place.and_then(|place| self.requests.get(place)) {
            requests.increment(1);
        }
        self.duration.record(call.duration);
        if let Some(first_byte) = call.first_byte {
            self.first_byte.record(first_byte);
        }
    }
}

pub(crate) fn refused(service: &str, code: &'static str) {
    counter!("diamond_gateway_refused_total", "service" => service.to_owned(), "code" => code)
        .increment(1);
}

pub(crate) fn replayed(service: &ServiceId) {
    counter!("diamond_gateway_replays_total", "service" => service.to_string()).increment(1);
}

pub(crate) fn fell_back(service: &ServiceId) {
    counter!("diamond_gateway_fallbacks_total", "service" => service.to_string()).increment(1);
}

/// Counts a call as open until it is dropped.
pub(crate) struct Open(Gauge);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}
