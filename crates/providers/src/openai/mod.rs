//! OpenAI.
//!
//! Facts are from its OpenAPI document (2.3.0, August 2026), the official Python package 3.54 and
//! its pages on error codes, streaming and API keys (developers.openai.com).

mod describe;
mod errors;
mod keys;
mod manage;
pub(crate) mod request;
mod routes;
mod socket;
mod stream;
mod tools;
mod usage;

use bytes::Bytes;
use diamond_domain::{Quantities, SecretValue, ServiceId};
use http::{HeaderMap, Method};

use crate::{
    Answer, AnswerKind, Classified, Descriptor, ErrorAnswer, KeyManagement, KeyVerdict,
    ManagementError, ModelLimits, MultipartScan, OutboundRequest, OwnError, Provider, RequestFacts,
    RequestHead, ResponseMeter, Route, ShortLived, ShortLivedSpec, SocketMeter, Step, UnusableKey,
};

/// OpenAI's API.
#[derive(Debug)]
pub struct OpenAi {
    service: ServiceId,
    descriptor: Descriptor,
}

impl OpenAi {
    /// The service `openai`.
    #[must_use]
    pub fn new() -> Self {
        #[expect(clippy::expect_used, reason = "a constant, parsed in every test")]
        let service = "openai".parse().expect("a service's name");
        Self {
            service,
            descriptor: describe::descriptor(),
        }
    }
}

impl Default for OpenAi {
    fn default() -> Self {
        Self::new()
    }
}

impl Provider for OpenAi {
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

    fn read_head(&self, route: &Route, head: &RequestHead<'_>) -> RequestFacts {
        request::read_head(route, head)
    }

    fn read_json(&self, route: &Route, _head: RequestFacts, body: &[u8]) -> RequestFacts {
        request::read_json(route, body)
    }

    fn read_multipart(
        &self,
        _route: &Route,
        _head: RequestFacts,
        form: &MultipartScan,
    ) -> RequestFacts {
        request::read_multipart(form)
    }

    fn prepare_json(&self, route: &Route, facts: &RequestFacts, body: &Bytes) -> Option<Bytes> {
        request::ask_for_usage(route, facts, body)
    }

    fn ceiling(&self, route: &Route, facts: &RequestFacts, limits: ModelLimits) -> Quantities {
        request::ceiling(route, facts, limits)
    }

    fn meter(
        &self,
        route: &Route,
        facts: &RequestFacts,
        kind: AnswerKind,
        usage_injected: bool,
    ) -> Box<dyn ResponseMeter> {
        Box::new(stream::OpenAiMeter::new(route, facts, kind, usage_injected))
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

    fn management(&self) -> Option<&dyn KeyManagement> {
        Some(&manage::OpenAiManagement)
    }

    fn short_lived(
        &self,
        key: &SecretValue,
        spec: &ShortLivedSpec,
    ) -> Result<Step<ShortLived>, ManagementError> {
        manage::short_lived(key, spec)
    }
}
