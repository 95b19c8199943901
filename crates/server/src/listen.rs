//! Accepting connections and sending each request to the gateway or to the API.

use std::{convert::Infallible, net::SocketAddr, pin::Pin, sync::Arc, task, time::Duration};

use axum::{Router, response::IntoResponse};
use bytes::Bytes;
use diamond_api::PeerAddress;
use diamond_gateway::{Gateway, GatewayBody};
use http::{Method, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Handle,
    sync::Semaphore,
};
use tokio_util::{
    sync::CancellationToken,
    task::{AbortOnDropHandle, TaskTracker},
};
use tower::ServiceExt;

use crate::workers::Workers;

/// Everything under this belongs to the gateway, which works on plain hyper.
const GATEWAY_PREFIX: &str = "/gateway/";
/// Under this keys are handed out.
const KEYS_PREFIX: &str = "/api/keys/";
/// How often an HTTP/2 client is asked whether it is still there, and how long it may take to
/// answer.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(30);
const KEEP_ALIVE_PATIENCE: Duration = Duration::from_secs(20);
/// How long to wait before accepting again when the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What requests are sent to.
#[derive(Clone)]
pub(crate) struct Front {
    pub gateway: Gateway,
    pub api: Router,
    /// Where the API's requests run that may hold a thread up.
    pub shared: Handle,
    /// Whether the address that a proxy in front names is the caller's.
    pub behind_proxy: bool,
}

/// How connections are held.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConnectionSettings {
    pub connections_max: usize,
    pub header_timeout: Duration,
    pub drain: Duration,
}

/// Serves until `stop` is cancelled, then lets open requests finish up to the drain limit. True
/// when all of them did.
pub(crate) async fn listen(
    listener: TcpListener,
    workers: &Workers<Front>,
    settings: ConnectionSettings,
    stop: CancellationToken,
) -> bool {
    let connections = TaskTracker::new();
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(settings.connections_max));
    let mut server = auto::Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.header_timeout)
        .keep_alive(true);
    server
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(256)
        .keep_alive_interval(Some(KEEP_ALIVE_EVERY))
        .keep_alive_timeout(KEEP_ALIVE_PATIENCE);
    let server = Arc::new(server);
    loop {
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => place,
            () = stop.cancelled() => break,
        };
        let Ok(place) = place else { break };
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
            () = stop.cancelled() => break,
        };
        // Small frames of a stream must not wait for each other.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps its delay");
        }
        // The thread that will hold it waits for its bytes.
        let stream = match stream.into_std() {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection was not handed over");
                continue;
            }
        };
        let (server, watcher) = (Arc::clone(&server), graceful.watcher());
        workers.spawn(&connections, |front| async move {
            let stream = match TcpStream::from_std(stream) {
                Ok(stream) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a connection was not taken over");
                    return;
                }
            };
            let begun = CancellationToken::new();
            let service = service_fn({
                let begun = begun.clone();
                move |request| {
                    begun.cancel();
                    let front = front.clone();
                    async move { Ok::<_, Infallible>(front.answer(request, peer).await) }
                }
            });
            let connection = server
                .serve_connection_with_upgrades(TokioIo::new(stream), service)
                .into_owned();
            let connection = watcher.watch(connection);
            // The head of a request has its own time limit, but only once the protocol is known:
            // whoever connects and says nothing would hold its place for ever.
            let silent = async {
                let patience = tokio::time::timeout(settings.header_timeout, begun.cancelled());
                if patience.await.is_ok() {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                ended = connection => if let Err(error) = ended {
                    tracing::debug!(error = %error, "a connection ended early");
                },
                () = silent => tracing::debug!("a connection said nothing and was closed"),
            }
            drop(place);
        });
    }
    drop(listener);
    connections.close();
    tracing::info!(connections.open = connections.len(), "draining");
    let drained = tokio::time::timeout(settings.drain, async {
        graceful.shutdown().await;
        connections.wait().await;
    });
    drained.await.is_ok()
}

impl Front {
    async fn answer(self, mut request: Request<Incoming>, peer: SocketAddr) -> Response<FrontBody> {
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
        let hands_out =
            request.method() == Method::POST && request.uri().path().starts_with(KEYS_PREFIX);
        let answer = self.api.oneshot(request.map(axum::body::Body::new));
        let answered = if hands_out {
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
