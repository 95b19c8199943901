//! Accepting connections.

mod connection;
mod front;

use std::{sync::Arc, time::Duration};

use hyper_util::{
    rt::{TokioExecutor, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{patience::Patience, tls::Handshakes, workers::Workers};
use connection::Connection;
pub(crate) use front::Front;

/// How often an HTTP/2 client is asked whether it is still there, and how long it may take to
/// answer.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(30);
const KEEP_ALIVE_PATIENCE: Duration = Duration::from_secs(20);
/// How many headers HTTP/1 takes without being told.
const HTTP1_HEADERS: usize = 100;
/// How long to wait before accepting again when the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How connections are held.
#[derive(Clone)]
pub(crate) struct ConnectionSettings {
    pub connections_max: usize,
    pub header_timeout: Duration,
    pub patience: Patience,
    /// HTTP/2: requests at a time on one connection.
    pub streams_max: u32,
    /// HTTP/2: how large the headers of a request may be.
    pub header_bytes_max: u32,
    /// HTTP/1: how many headers a request may have.
    pub headers_max: usize,
    pub drain: Duration,
    /// TLS, unless connections are plain.
    pub tls: Option<Handshakes>,
}

/// How long calls that were cut may take to write down their ends and to say so.
const CUT_PATIENCE: Duration = Duration::from_secs(10);

/// When to stop.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop {
    /// Take nothing new, and let what is under way finish up to the drain limit.
    pub gently: CancellationToken,
    /// Do not wait for the drain limit.
    pub at_once: CancellationToken,
}

/// Serves until told to stop, then lets open requests, and the `conversations` that some became,
/// finish up to the drain limit and has the rest `cut`. True when none had to be.
pub(crate) async fn listen(
    listener: TcpListener,
    workers: &Workers<Front>,
    settings: ConnectionSettings,
    stop: Stop,
    conversations: impl Future<Output = ()>,
    cut: impl FnOnce() -> u64,
) -> bool {
    let connections = TaskTracker::new();
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(settings.connections_max));
    let server = Arc::new(server(&settings));
    loop {
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => place,
            () = stop.gently.cancelled() => break,
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
            () = stop.gently.cancelled() => break,
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
        let connection = Connection {
            server: Arc::clone(&server),
            watcher: graceful.watcher(),
            header_timeout: settings.header_timeout,
            patience: settings.patience,
            tls: settings.tls.clone(),
            peer,
            place: Arc::new(place),
        };
        workers.spawn(&connections, |front| async move {
            match TcpStream::from_std(stream) {
                Ok(stream) => connection.serve(stream, front).await,
                Err(error) => tracing::warn!(%error, "a connection was not taken over"),
            }
        });
    }
    drop(listener);
    connections.close();
    tracing::info!(connections.open = connections.len(), "draining");
    let finished = async {
        graceful.shutdown().await;
        connections.wait().await;
        conversations.await;
    };
    tokio::pin!(finished);
    tokio::select! {
        () = &mut finished => return true,
        () = tokio::time::sleep(settings.drain) => {}
        () = stop.at_once.cancelled() => {}
    }
    let calls = cut();
    tracing::warn!(calls.cut = calls, "the time for open requests is over");
    if tokio::time::timeout(CUT_PATIENCE, finished).await.is_err() {
        tracing::warn!(
            connections.open = connections.len(),
            "some connections do not end"
        );
    }
    false
}

/// HTTP/1.1 and HTTP/2, by what a connection begins with.
fn server(settings: &ConnectionSettings) -> auto::Builder<TokioExecutor> {
    let mut server = auto::Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.header_timeout)
        .keep_alive(true);
    // Asking for the library's own number would cost it its buffer on the stack.
    if settings.headers_max != HTTP1_HEADERS {
        server.http1().max_headers(settings.headers_max);
    }
    server
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(settings.streams_max)
        .max_header_list_size(settings.header_bytes_max)
        .keep_alive_interval(Some(KEEP_ALIVE_EVERY))
        .keep_alive_timeout(KEEP_ALIVE_PATIENCE);
    server
}
