//! Sending each request to the gateway or to the API.

use std::{net::SocketAddr, pin::Pin, task};

use axum::{Router, response::IntoResponse};
use bytes::Bytes;
use diamond_api::PeerAddress;
use diamond_gateway::{Gateway, GatewayBody};
use http::{Method, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;
use tower::ServiceExt;

use crate::head::HeadLimits;

/// Everything under this belongs to the gateway, which works on plain hyper.
const GATEWAY_PREFIX: &str = "/gateway/";
/// Under this keys are handed out.
const KEYS_PREFIX: &str = "/api/keys/";
/// Where usage is reported.
const USAGE_PATH: &str = "/api/usage";
/// A report as long as this is many reports.
const LIGHT_BYTES_MAX: u64 = 16 << 10;

/// What requests are sent to.
#[derive(Clone)]
pub(crate) struct Front {
    pub gateway: Gateway,
    pub api: Router,
    /// Where the API's requests run that may hold a thread up.
    pub shared: Handle,
    /// Whether the address that a proxy in front names is the caller's.
    pub behind_proxy: bool,
    /// How large a request's head may be.
    pub head: HeadLimits,
}

impl Front {
    pub(super) async fn answer(
        self,
        mut request: Request<Incoming>,
        peer: SocketAddr,
    ) -> Response<FrontBody> {
        if let Err(oversized) = self.head.check(&request) {
            return oversized.answer().map(FrontBody::Api);
        }
        let peer = if self.behind_proxy {
            forwarded_peer(&request, peer)
        } else {
            peer
        };
        if request.uri().path().starts_with(GATEWAY_PREFIX) {
            return self
                .gateway
                .handle(request, peer)
                .await
                .map(FrontBody::Gateway);
        }
        request.extensions_mut().insert(PeerAddress(peer.ip()));
        let light = is_light(&request);
        let answer = self.api.oneshot(request.map(axum::body::Body::new));
        let answered = if light {
            answer.await
        } else {
            // It ends with the connection that waits for it.
            match AbortOnDropHandle::new(self.shared.spawn(answer)).await {
                Ok(answered) => answered,
                Err(_) => Ok(StatusCode::INTERNAL_SERVER_ERROR.into_response()),
            }
        };
        match answered {
            Ok(response) => response.map(FrontBody::Api),
            Err(never) => match never {},
        }
    }
}

/// Whether a request of the API takes so little that it holds up nobody's stream, and comes so
/// often that handing it to another thread would cost more than answering it.
fn is_light<B: Body>(request: &Request<B>) -> bool {
    let path = request.uri().path();
    let is_short = || {
        let length = request.body().size_hint().upper();
        length.is_some_and(|length| length <= LIGHT_BYTES_MAX)
    };
    request.method() == Method::POST
        && (path.starts_with(KEYS_PREFIX) || path == USAGE_PATH && is_short())
}

/// The caller's address behind a proxy: the last one in `x-forwarded-for`, which the proxy itself
/// added; what stands before it is the caller's own claim. Without the header it is the proxy.
fn forwarded_peer<B>(request: &Request<B>, proxy: SocketAddr) -> SocketAddr {
    let named = request
        .headers()
        .get_all("x-forwarded-for")
        .iter()
        .next_back()
        .and_then(|value| value.to_str().ok())
        .and_then(|list| list.rsplit(',').next())
        .and_then(|address| address.trim().parse().ok());
    named.map_or(proxy, |address| SocketAddr::new(address, proxy.port()))
}

/// The body of either side.
pub(crate) enum FrontBody {
    Gateway(GatewayBody),
    Api(axum::body::Body),
}

impl Body for FrontBody {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
    ) -> task::Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.get_mut() {
            Self::Gateway(body) => Pin::new(body)
                .poll_frame(cx)
                .map(|frame| frame.map(|f| f.map_err(Into::into))),
            Self::Api(body) => Pin::new(body)
                .poll_frame(cx)
                .map(|frame| frame.map(|f| f.map_err(Into::into))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Gateway(body) => body.is_end_stream(),
            Self::Api(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Gateway(body) => body.size_hint(),
            Self::Api(body) => body.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proxys_own_word_counts_not_the_callers() {
        let proxy: SocketAddr = "10.0.0.5:4711".parse().unwrap();
        let peer = |lines: &[&str]| {
            let mut request = Request::builder();
            for line in lines {
                request = request.header("x-forwarded-for", *line);
            }
            forwarded_peer(&request.body(()).unwrap(), proxy)
                .ip()
                .to_string()
        };
        assert_eq!(peer(&["192.0.2.1, 198.51.100.7"]), "198.51.100.7");
        assert_eq!(peer(&["192.0.2.1", "2001:db8::1"]), "2001:db8::1");
        assert_eq!(peer(&[]), "10.0.0.5");
        assert_eq!(peer(&["nonsense"]), "10.0.0.5");
    }
}
