//! Deepgram.
//!
//! Facts are from its published API descriptions (July 2026, CC BY 4.0), the official Python
//! package 7.17 and its pages on authentication, errors and limits (developers.deepgram.com).

mod describe;
mod errors;
mod keys;
mod manage;
mod query;
mod request;
mod routes;
mod socket;
mod stream;
mod usage;

use std::borrow::Cow;

use diamond_domain::{Quantities, SecretValue, ServiceId, TenantId};
use http::{HeaderMap, Method};

use crate::{
    Answer, AnswerKind, Classified, Descriptor, ErrorAnswer, KeyManagement, KeyVerdict,
    ManagementError, Metering, ModelLimits, MultipartScan, OutboundRequest, OwnError, Provider,
    RequestFacts, RequestHead, ResponseMeter, Route, ShortLived, ShortLivedSpec, SocketMeter, Step,
    UnusableKey, credential,
};

/// Deepgram's API.
#[derive(Debug)]
pub struct Deepgram {
    service: ServiceId,
    descriptor: Descriptor,
}

impl Deepgram {
    /// The service `deepgram`.
    #[must_use]
    pub fn new() -> Self {
        #[expect(clippy::expect_used, reason = "a constant, parsed in every test")]
        let service = "deepgram".parse().expect("a service's name");
        Self {
            service,
            descriptor: describe::descriptor(),
        }
    }
}

impl Default for Deepgram {
    fn default() -> Self {
        Self::new()
    }
}

impl Provider for Deepgram {
    fn service(&self) -> &ServiceId {
        &self.service
    }

    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn second_base_url(&self, base_url: &str) -> Option<&'static str> {
        describe::agent_base_url(base_url)
    }

    fn is_at_second(&self, route: &Route) -> bool {
        route.operation.starts_with("agent")
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

    fn query_to_send<'a>(
        &self,
        route: &Route,
        query: Option<&'a str>,
        tenant: &TenantId,
    ) -> Option<Cow<'a, str>> {
        let kept = query.map(|query| credential::without(&self.descriptor.placements, query));
        if route.metering != Metering::Usage {
            return kept;
        }
        Some(Cow::Owned(query::tagged(kept, tenant)))
    }

    fn read_head(&self, route: &Route, head: &RequestHead<'_>) -> RequestFacts {
        request::read_head(route, head)
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
        // It takes no forms.
        RequestFacts {
            body_bytes: form.total_bytes(),
            ..head
        }
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
        Box::new(stream::DeepgramMeter::new(route, facts, kind))
    }

    fn socket_meter(&self, route: &Route, facts: &RequestFacts) -> Box<dyn SocketMeter> {
        socket::meter(route, facts)
    }

    fn provider_request_id<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        headers.get("dg-request-id")?.to_str().ok()
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
        Some(&manage::DeepgramManagement)
    }

    fn short_lived(
        &self,
        key: &SecretValue,
        spec: &ShortLivedSpec,
    ) -> Result<Step<ShortLived>, ManagementError> {
        manage::short_lived(key, spec)
    }
}
