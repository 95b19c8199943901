//! What the gateway and the use cases know of an AI service.

use std::borrow::Cow;

use bytes::Bytes;
use diamond_domain::{Quantities, SecretValue, ServiceId, TenantId};
use http::{HeaderMap, Method};

use crate::{
    Answer, AnswerKind, Classified, Descriptor, ErrorAnswer, KeyManagement, KeyVerdict,
    ManagementError, MultipartScan, OutboundRequest, OwnError, RefusedRoute, RequestFacts,
    RequestHead, ResponseMeter, Route, ShortLived, ShortLivedSpec, SocketMeter, Step, credential,
    socket,
};

/// An AI service. Pure: it builds requests and reads answers, someone else sends bytes.
pub trait Provider: Send + Sync {
    /// Which service it is.
    fn service(&self) -> &ServiceId;

    /// What it is and what it can do.
    fn descriptor(&self) -> &Descriptor;

    /// A second address that a part of the API has beside this one; `None` at hosts that answer
    /// everything.
    fn second_base_url(&self, base_url: &str) -> Option<&'static str> {
        let _ = base_url;
        None
    }

    /// Whether a route is answered at the second address, where there is one.
    fn is_at_second(&self, route: &Route) -> bool {
        let _ = route;
        false
    }

    /// What a method and path (beginning with `/`, without query) are. Every path has a class.
    fn classify(&self, method: &Method, path: &str) -> Classified;

    /// What the path of a WebSocket is. Those that nobody knows are refused: what passes there
    /// could not be counted.
    fn classify_socket(&self, path: &str) -> Classified {
        let _ = path;
        Classified::Refuse(NO_SOCKET)
    }

    /// The access token, in whichever place the provider's SDK puts its key.
    fn presented_token<'a>(
        &self,
        headers: &'a HeaderMap,
        query: Option<&'a str>,
    ) -> Option<Cow<'a, str>> {
        credential::presented(&self.descriptor().placements, headers, query)
    }

    /// Takes the caller's credential and whatever else selects an account out of the headers, and
    /// puts the key in, marked sensitive.
    ///
    /// # Errors
    /// [`UnusableKey`] when the key cannot stand in a header.
    fn place_key(&self, headers: &mut HeaderMap, key: &SecretValue) -> Result<(), UnusableKey> {
        credential::place(&self.descriptor().placements, headers, key)
    }

    /// The query to send: without the caller's credential, with what makes the tenant visible in
    /// the provider's reports where it has words for that.
    fn query_to_send<'a>(
        &self,
        route: &Route,
        query: Option<&'a str>,
        tenant: &TenantId,
    ) -> Option<Cow<'a, str>> {
        let _ = (route, tenant);
        let query = query?;
        let kept = credential::without(&self.descriptor().placements, query);
        (!kept.is_empty() || query.is_empty()).then_some(kept)
    }

    /// Reads what stands before a body: a model in the path, an option in the query.
    fn read_head(&self, route: &Route, head: &RequestHead<'_>) -> RequestFacts {
        let _ = (route, head);
        RequestFacts::default()
    }

    /// Reads a JSON body; `head` is what [`Provider::read_head`] gave.
    fn read_json(&self, route: &Route, head: RequestFacts, body: &[u8]) -> RequestFacts;

    /// Reads a form, as far as it has passed; `head` is what [`Provider::read_head`] gave, or what
    /// an earlier reading of the same form did.
    fn read_multipart(
        &self,
        route: &Route,
        head: RequestFacts,
        form: &MultipartScan,
    ) -> RequestFacts;

    /// The body to send instead, when metering needs a change to it; every byte that is not part
    /// of the change stays as it is. With a change, the meter must be told.
    fn prepare_json(&self, route: &Route, facts: &RequestFacts, body: &Bytes) -> Option<Bytes> {
        let _ = (route, facts, body);
        None
    }

    /// The most that the call can use, as far as that can be told.
    fn ceiling(&self, route: &Route, facts: &RequestFacts, limits: ModelLimits) -> Quantities;

    /// A meter for the answer of a call that succeeded. `usage_injected` is whether
    /// [`Provider::prepare_json`] changed the request, so that what it caused must be hidden.
    fn meter(
        &self,
        route: &Route,
        facts: &RequestFacts,
        kind: AnswerKind,
        usage_injected: bool,
    ) -> Box<dyn ResponseMeter>;

    /// A meter for a conversation over a WebSocket.
    fn socket_meter(&self, route: &Route, facts: &RequestFacts) -> Box<dyn SocketMeter> {
        Box::new(socket::Timed::new(route, facts))
    }

    /// The provider's name for the call.
    fn provider_request_id<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str>;

    /// What a failed answer says about the key: decided on status, headers and code together.
    fn classify_failure(&self, answer: &Answer<'_>) -> KeyVerdict;

    /// An error of ours in the provider's shape.
    fn own_error(&self, error: &OwnError) -> ErrorAnswer;

    /// The cheapest call that proves a key; `None` when the service has none.
    fn validation(&self, key: &SecretValue) -> Option<OutboundRequest>;

    /// Reads the answer to [`Provider::validation`].
    fn read_validation(&self, answer: &Answer<'_>) -> KeyVerdict {
        if answer.is_success() {
            KeyVerdict::Valid
        } else {
            self.classify_failure(answer)
        }
    }

    /// Its management API; `None` when it has none that could do anything for keys.
    fn management(&self) -> Option<&dyn KeyManagement> {
        None
    }

    /// Exchanges a key for a token that ends soon.
    ///
    /// # Errors
    /// [`ManagementError::NotPossible`] where the service has no such tokens, or not of this kind.
    fn short_lived(
        &self,
        key: &SecretValue,
        spec: &ShortLivedSpec,
    ) -> Result<Step<ShortLived>, ManagementError> {
        let _ = (key, spec);
        Err(ManagementError::NotPossible {
            reason: "this service has no short-lived tokens",
        })
    }
}

/// No WebSocket of the service is known by this path.
pub(crate) const NO_SOCKET: RefusedRoute = RefusedRoute {
    forbidden: false,
    code: "websocket_not_supported",
    message: "No WebSocket is carried at this path.",
};

/// The key has characters that cannot stand in a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key has characters that cannot stand in a header")]
pub struct UnusableKey;

/// The limits of a model, where they are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ModelLimits {
    /// The most input tokens of a call.
    pub max_input_tokens: Option<u64>,
    /// The most output tokens of a call.
    pub max_output_tokens: Option<u64>,
}
