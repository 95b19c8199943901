//! Who is asking.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use diamond_app::RequestContext;
use diamond_domain::{RequestId, TraceId};
use http::{HeaderMap, header, request::Parts};

use crate::{ApiState, errors::ApiError, layers::CallerSlot};

/// The address at the other end, which whoever accepts connections puts into the request's
/// extensions: the socket's own or, behind a trusted proxy, the one that the proxy names. A
/// request without it is refused, because tokens may be bound to addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddress(pub IpAddr);

/// The names of a request, given by the outermost layer.
#[derive(Debug, Clone, Copy)]
pub struct RequestIdentity {
    /// Ours.
    pub request_id: RequestId,
    /// The caller's trace, or one made for it.
    pub trace_id: TraceId,
}

/// A caller who has proven who they are. A handler that takes it refuses strangers with 401.
#[derive(Debug)]
pub struct Context(pub RequestContext);

impl FromRequestParts<ApiState> for Context {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        let identity = parts.extensions.get::<RequestIdentity>();
        let peer = parts.extensions.get::<PeerAddress>();
        let (Some(identity), Some(PeerAddress(address))) = (identity, peer) else {
            return Err(ApiError::internal(
                "a request arrived without its id or peer address",
            ));
        };
        let presented = bearer(&parts.headers);
        let caller = state.app.authenticate(presented, *address);
        let caller = caller.inspect_err(|refusal| {
            let (id, code) = (identity.request_id, refusal.code());
            state.app.refuse_stranger(id, presented, *address, code);
        })?;
        let context = RequestContext {
            request_id: identity.request_id,
            trace_id: identity.trace_id,
            caller,
            address: *address,
        };
        if let Some(CallerSlot(slot)) = parts.extensions.get() {
            let _ = slot.set(context.clone());
        }
        Ok(Self(context))
    }
}

/// The token in `Authorization: Bearer …`. Two such headers contradict each other and count as
/// none.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next()?;
    if values.next().is_some() {
        return None;
    }
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_one_bearer_token_counts() {
        let mut headers = HeaderMap::new();
        assert_eq!(bearer(&headers), None);
        headers.insert(
            header::AUTHORIZATION,
            HeaderValue::from_static("bearer dmd_1"),
        );
        assert_eq!(bearer(&headers), Some("dmd_1"));
        headers.append(
            header::AUTHORIZATION,
            HeaderValue::from_static("Bearer dmd_2"),
        );
        assert_eq!(bearer(&headers), None);
        headers.insert(
            header::AUTHORIZATION,
            HeaderValue::from_static("Basic dmd_1"),
        );
        assert_eq!(bearer(&headers), None);
    }
}
