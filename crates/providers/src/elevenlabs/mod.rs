//! ElevenLabs.
//!
//! Facts are from its published API description (August 2026), the official Python package 2.78
//! and its pages on errors, models and service accounts (elevenlabs.io/docs).

mod describe;
mod errors;
mod keys;
mod manage;
mod request;
mod routes;
mod socket;
mod stream;
mod usage;

use diamond_domain::{Quantities, SecretValue, ServiceId};
use http::{HeaderMap, Method};

use crate::{
    Answer, AnswerKind, Classified, Descriptor, ErrorAnswer, KeyManagement, KeyVerdict,
    ManagementError, ModelLimits, MultipartScan, OutboundRequest, OwnError, Provider, RequestFacts,
    RequestHead, ResponseMeter, Route, ShortLived, ShortLivedSpec, SocketMeter, Step,
};

/// ElevenLabs' API.
#[derive(Debug)]
pub struct ElevenLabs {
    service: ServiceId,
    descriptor: Descriptor,
}

impl ElevenLabs {
    /// The service `elevenlabs`.
    #[must_use]
    pub fn new() -> Self {
        #[expect(clippy::expect_used, reason = "a constant, parsed in every test")]
        let service = "elevenlabs".parse().expect("a service's name");
        Self {
            service,
            descriptor: describe::descriptor(),
        }
    }
}

impl Default for ElevenLabs {
    fn default() -> Self {
        Self::new()
    }
}

impl Provider for ElevenLabs {
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

    fn read_head(&self, route: &Route, head: &RequestHead<'_>) -> RequestFacts {
        request::read_head(route, head)
    }

    fn read_json(&self, route: &Route, head: RequestFacts, body: &[u8]) -> RequestFacts {
        request::read_json(route, head, body)
    }

    fn read_multipart(
        &self,
        route: &Route,
        head: RequestFacts,
        form: &MultipartScan,
    ) -> RequestFacts {
        request::read_multipart(route, head, form)
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
        Box::new(stream::ElevenLabsMeter::new(route, facts, kind))
    }

    fn socket_meter(&self, route: &Route, facts: &RequestFacts) -> Box<dyn SocketMeter> {
        socket::meter(route, facts)
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

    fn read_validation(&self, answer: &Answer<'_>) -> KeyVerdict {
        keys::read_validation(answer)
    }

    fn management(&self) -> Option<&dyn KeyManagement> {
        Some(&manage::ElevenLabsManagement)
    }

    fn short_lived(
        &self,
        key: &SecretValue,
        spec: &ShortLivedSpec,
    ) -> Result<Step<ShortLived>, ManagementError> {
        manage::short_lived(key, spec)
    }
}
