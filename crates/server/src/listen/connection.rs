//! One connection, from its handshake to its end.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use diamond_gateway::Kept;
use http::{Request, Response, header::UPGRADE};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{conn::auto, graceful::Watcher},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    sync::OwnedSemaphorePermit,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{Front, front::FrontBody};
use crate::{
    patience::{Overdue, Patience, Traffic, Watched},
    tls::{HandshakeError, Handshakes},
};

/// What a client hears that speaks plain HTTP where TLS is spoken.
const TLS_REQUIRED: &str = concat!(
    r#"{"error":{"code":"tls_required","message":"#,
    r#""this address speaks HTTPS only: use https://","requestId":""}}"#
);

/// How a connection is served.
pub(super) struct Connection {
    pub(super) server: Arc<auto::Builder<TokioExecutor>>,
    pub(super) watcher: Watcher,
    /// How long a client may take for its handshake, and to begin its first request.
    pub(super) header_timeout: Duration,
    /// How long it may keep its place without using it.
    pub(super) patience: Patience,
    pub(super) tls: Option<Handshakes>,
    pub(super) peer: SocketAddr,
    /// Its place among all. A WebSocket that it becomes keeps it.
    pub(super) place: Arc<OwnedSemaphorePermit>,
}

impl Connection {
    /// Serves it to its end.
    pub(super) async fn serve(self, stream: TcpStream, front: Front) {
        let Some(tls) = &self.tls else {
            return self.requests(stream, front).await;
        };
        match timeout(self.header_timeout, tls.shake(stream)).await {
            Ok(Ok(stream)) => self.requests(stream, front).await,
            Ok(Err(HandshakeError::Plain(stream))) => {
                let _ = timeout(self.header_timeout, point_to_tls(stream)).await;
            }
            Ok(Err(error)) => tracing::debug!(%error, "a connection did not become one of TLS"),
            Err(_) => tracing::debug!("a handshake took too long"),
        }
    }

    async fn requests<S>(self, stream: S, front: Front)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (begun, peer) = (CancellationToken::new(), self.peer);
        let traffic = Traffic::default();
        let place = self.place;
        let service = service_fn({
            let (begun, traffic) = (begun.clone(), traffic.clone());
            move |mut request: Request<Incoming>| {
                begun.cancel();
                if request.headers().contains_key(UPGRADE) {
                    let kept = Kept(Arc::clone(&place) as Arc<dyn Send + Sync>);
                    request.extensions_mut().insert(kept);
                }
                let (open, version) = (traffic.begin(), request.version());
                let front = front.clone();
                async move {
                    let answer = front.answer(request, peer).await;
                    Ok::<Response<Watched<FrontBody>>, Infallible>(open.answer(version, answer))
                }
            }
        });
        let connection = self
            .server
            .serve_connection_with_upgrades(TokioIo::new(traffic.count(stream)), service)
            .into_owned();
        let connection = self.watcher.watch(connection);
        // The head of a request has its own time limit, but only once the protocol is known:
        // whoever connects and says nothing would hold its place for ever.
        let silent = async {
            if timeout(self.header_timeout, begun.cancelled())
                .await
                .is_ok()
            {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            ended = connection => if let Err(error) = ended {
                tracing::debug!(error = %error, "a connection ended early");
            },
            () = silent => tracing::debug!("a connection said nothing and was closed"),
            overdue = traffic.overdue(self.patience) => match overdue {
                Overdue::Idle => tracing::debug!("an idle connection was closed"),
                Overdue::Unread => tracing::info!(
                    peer.address = %peer.ip(),
                    "a connection was cut, its client takes nothing of its answer"
                ),
            },
        }
    }
}

/// Answers a request that came without TLS. What it says is not read: it may be a secret, but it
/// has been sent in clear already.
async fn point_to_tls(mut stream: TcpStream) -> std::io::Result<()> {
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{TLS_REQUIRED}",
        TLS_REQUIRED.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    // Closing while bytes wait unread would reset the connection, and the answer with it.
    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
    Ok(())
}
