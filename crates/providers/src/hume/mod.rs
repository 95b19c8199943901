//! Hume: the platform since October 2026 (expression measurement, audio decisions), and the voice
//! platform (speech, EVI) that ended on 2026-11-13 and goes on at private hosts.
//!
//! Facts are from its pages (dev.hume.ai) and the official Python packages `hume` 0.14 and
//! `hume-expression-measurement` 0.1. Neither platform has an API for keys: a person makes one in
//! the portal and puts it here.

mod describe;
mod errors;
mod keys;
mod request;
mod routes;
mod socket;
mod stream;
mod usage;

use diamond_domain::{Quantities, SecretValue, ServiceId};
use http::{HeaderMap, Method};

use crate::{
    Answer, AnswerKind, Classified, Descriptor, ErrorAnswer, KeyVerdict, ManagementError,
    ModelLimits, MultipartScan, OutboundRequest, OwnError, Provider, RequestFacts, RequestHead,
    ResponseMeter, Route, ShortLived, ShortLivedSpec, SocketMeter, Step, UnusableKey,
};

/// Hume's APIs.
#[derive(Debug)]
pub struct Hume {
    service: ServiceId,
    descriptor: Descriptor,
}

impl Hume {
    /// The service `hume`.
    #[must_use]
    pub fn new() -> Self {
        #[expect(clippy::expect_used, reason = "a constant, parsed in every test")]
        let service = "hume".parse().expect("a service's name");
        Self {
            service,
            descriptor: describe::descriptor(),
        }
    }
}

impl Default for Hume {
    fn default() -> Self {
        Self::new()
    }
}

impl Provider for Hume {
    fn service(&self) -> &ServiceId {
        &self.service
    }

    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn classify(&self, method: &Method, path: &str) -> Classified {
        routes::classify(method, path)
    }

    fn classify_socket(&self, path: &str) -> Classified {
        routes::classify_socket(path)
    }

    fn place_key(&self, headers: &mut HeaderMap, key: &SecretValue) -> Result<(), UnusableKey> {
        keys::place_key(&self.descriptor.placements, headers, key)
    }

    fn read_head(&self, route: &Route, _head: &RequestHead<'_>) -> RequestFacts {
        RequestFacts {
            model: request::model_of(route),
            ..RequestFacts::default()
        }
    }

    fn read_json(&self, route: &Route, head: RequestFacts, body: &[u8]) -> RequestFacts {
        request::read_json(route, head, body)
    }

    fn read_multipart(
        &self,
        _route: &Route,
        head: RequestFacts,
        form: &MultipartScan,
    ) -> RequestFacts {
        request::read_multipart(head, form)
    }

    fn ceiling(&self, route: &Route, facts: &RequestFacts, _limits: ModelLimits) -> Quantities {
        request::ceiling(route, facts)
    }

    fn meter(
        &self,
        route: &Route,
        facts: &RequestFacts,
        kind: AnswerKind,
        _usage_injected: bool,
    ) -> Box<dyn ResponseMeter> {
        Box::new(stream::HumeMeter::new(route, facts, kind))
    }

    fn socket_meter(&self, route: &Route, facts: &RequestFacts) -> Box<dyn SocketMeter> {
        socket::meter(route, facts)
    }

    fn provider_request_id<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        headers.get("x-request-id")?.to_str().ok()
    }

    fn classify_failure(&self, answer: &Answer<'_>) -> KeyVerdict {
        errors::classify_failure(answer)
    }

    fn own_error(&self, error: &OwnError) -> ErrorAnswer {
        errors::own_error(error)
    }

    fn validation(&self, key: &SecretValue) -> Option<OutboundRequest> {
        Some(keys::validation(key))
    }

    fn read_validation(&self, answer: &Answer<'_>) -> KeyVerdict {
        keys::read_validation(answer)
    }

    fn short_lived(
        &self,
        key: &SecretValue,
        spec: &ShortLivedSpec,
    ) -> Result<Step<ShortLived>, ManagementError> {
        keys::short_lived(key, spec)
    }
}
