//! Anthropic.
//!
//! Facts are from the official Python package 2.12, Anthropic's pages on errors, usage and its
//! Admin API (platform.claude.com), and answers that people have published.

mod describe;
mod errors;
mod keys;
mod manage;
mod request;
mod routes;
mod stream;
mod usage;

use diamond_domain::{Quantities, SecretValue, ServiceId};
use http::{HeaderMap, Method};

use crate::{
    Answer, AnswerKind, Classified, Descriptor, ErrorAnswer, KeyManagement, KeyVerdict,
    ModelLimits, MultipartScan, OutboundRequest, OwnError, Provider, RequestFacts, ResponseMeter,
    Route, UnusableKey,
};

/// Anthropic's API.
#[derive(Debug)]
pub struct Anthropic {
    service: ServiceId,
    descriptor: Descriptor,
}

impl Anthropic {
    /// The service `anthropic`.
    #[must_use]
    pub fn new() -> Self {
        #[expect(clippy::expect_used, reason = "a constant, parsed in every test")]
        let service = "anthropic".parse().expect("a service's name");
        Self {
            service,
            descriptor: describe::descriptor(),
        }
    }
}

impl Default for Anthropic {
    fn default() -> Self {
        Self::new()
    }
}

impl Provider for Anthropic {
    fn service(&self) -> &ServiceId {
        &self.service
    }

    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn classify(&self, method: &Method, path: &str) -> Classified {
        routes::classify(method, path)
    }

    fn place_key(&self, headers: &mut HeaderMap, key: &SecretValue) -> Result<(), UnusableKey> {
        keys::place_key(&self.descriptor.placements, headers, key)
    }

    fn read_json(&self, _route: &Route, head: RequestFacts, body: &[u8]) -> RequestFacts {
        request::read_json(head, body)
    }

    fn read_multipart(
        &self,
        _route: &Route,
        head: RequestFacts,
        form: &MultipartScan,
    ) -> RequestFacts {
        // Forms carry files for later calls only.
        RequestFacts {
            body_bytes: form.total_bytes(),
            ..head
        }
    }

    fn ceiling(&self, route: &Route, facts: &RequestFacts, limits: ModelLimits) -> Quantities {
        request::ceiling(route, facts, limits)
    }

    fn meter(
        &self,
        route: &Route,
        facts: &RequestFacts,
        kind: AnswerKind,
        _usage_injected: bool,
    ) -> Box<dyn ResponseMeter> {
        Box::new(stream::AnthropicMeter::new(route, facts, kind))
    }

    fn provider_request_id<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        headers.get("request-id")?.to_str().ok()
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

    fn management(&self) -> Option<&dyn KeyManagement> {
        Some(&manage::AnthropicManagement)
    }
}
