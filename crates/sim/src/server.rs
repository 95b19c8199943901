//! Listens and answers.

use std::{path::Path, sync::Arc, time::Duration};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{router, socket::Waiting, world::World};

/// How long a shutdown waits for answers that are on their way. A hanging one never ends.
const DRAIN: Duration = Duration::from_secs(3);

/// The simulated world, ready to be served. A clone is the same world.
///
/// Beside the companies it answers, in JSON:
///
/// | call | for |
/// |---|---|
/// | `GET /_sim/bill?service=openai[&keyId=]` | `{totalCostUsd, calls, refused, unbilled}` |
/// | `GET /_sim/keys?service=openai` | `{keys: [{id, value, state, kind, …}]}` |
/// | `POST /_sim/keys` `{service, id?, value?, kind?, organizationId?, projectId?, state?, code?, scopes?, expiresAt?, requestsPerMinute?}` | changes the key that is named, or adds one; `kind` is `project` or `admin`, `state` is `active`, `disabled`, `revoked`, `expired`, `exhausted`, `restricted` or `rate_limited` |
/// | `GET /_sim/minted[?service=&live=&namePrefix=]` | `{now, keys: [{id, name, live, createdAt, deletedAt, callsReceived, callsRefused, …}]}`: every key that there ever was, without its value |
/// | `POST /_sim/limits` `{service, organizationId or projectId?, concurrency?, serviceAccounts?, keys?, exhausted?, code?, until?}` | sets what many keys share |
/// | `GET /_sim/limits?service=` | `{limits, concurrency: [{of, running, mostSeen}]}` |
/// | `POST /_sim/faults` `{service, operation?, keyId?, projectId?, organizationId?, kind, after?, times?}` | sets a fault; `operation` may end in `*`, `after` lets so many calls pass first, `times` is a number (1) or `"forever"` |
/// | `GET /_sim/faults`, `DELETE /_sim/faults` | the faults that wait; none any more |
/// | `GET /_sim/last?operation=chat.completions[&service=]` | what was last received and sent for it |
/// | `POST /_sim/clock` `{advanceSeconds}` | moves time forward |
/// | `POST /_sim/reset` | back to the beginning |
///
/// Conversations over WebSockets are played where the companies have them: OpenAI's `realtime`,
/// Deepgram's `listen`, ElevenLabs' `stream-input`, Hume's chat and expression. Each is one line on
/// the bill that grows while it goes on; `cut`, `slow` and `error_in_stream` count its messages.
///
/// Faults, on calls of models and of the administration alike:
///
/// | kind | what happens |
/// |---|---|
/// | `refuse` `{status, code?, retryAfter?}` | nothing is done |
/// | `act_then_refuse` `{status, code?}` | it is done, and the answer says that it failed |
/// | `drop` | it is done, and the answer is lost |
/// | `hang` | neither an action nor an answer |
/// | `revoke` | the key of the call is deleted first |
/// | `late` `{uses?, seconds?, lists?}` | what the call does to keys is not seen by so many uses and lists, nor for so long |
/// | `slow` `{ms, headMs?}`, `cut` `{afterChunks or afterBytes}`, `gzip_sse`, `lie_length`, `error_in_stream` `{afterChunks?}` | the answer is slow, broken, compressed, shorter than it says, or fails in its middle |
#[derive(Clone)]
pub struct Simulator {
    world: Arc<World>,
}

impl Simulator {
    /// A world in which nothing has happened: every company has one key to start with.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self {
            world: Arc::new(World::new()?),
        })
    }

    /// Takes up the keys and the bill of an earlier run; a missing file is an empty one.
    ///
    /// # Errors
    /// When the file cannot be read or is none of ours.
    pub fn load(&self, file: &Path) -> anyhow::Result<()> {
        self.world.load(file)
    }

    /// Writes keys and bill for the next run.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, file: &Path) -> anyhow::Result<()> {
        self.world.save(file)
    }

    /// Serves connections until `shutdown` is ready, then lets the answers on their way end, for
    /// a few seconds at most. HTTP/1.1, and HTTP/2 to whoever begins with it.
    pub async fn serve(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        self.listen(listener, None, shutdown).await;
    }

    /// The same behind TLS.
    pub async fn serve_tls(
        &self,
        listener: TcpListener,
        tls: Arc<rustls::ServerConfig>,
        shutdown: impl Future<Output = ()>,
    ) {
        self.listen(listener, Some(TlsAcceptor::from(tls)), shutdown)
            .await;
    }

    async fn listen(
        &self,
        listener: TcpListener,
        tls: Option<TlsAcceptor>,
        shutdown: impl Future<Output = ()>,
    ) {
        let tasks = TaskTracker::new();
        let stopping = CancellationToken::new();
        tokio::pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = &mut shutdown => break,
            };
            match accepted {
                Ok((stream, _)) => self.accepted(stream, tls.clone(), &tasks, &stopping),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    // Out of file handles: trying again at once would only burn the processor.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        drop(listener);
        tasks.close();
        stopping.cancel();
        if tokio::time::timeout(DRAIN, tasks.wait()).await.is_err() {
            tracing::info!("answers were still on their way at the end");
        }
    }

    fn accepted(
        &self,
        stream: TcpStream,
        tls: Option<TlsAcceptor>,
        tasks: &TaskTracker,
        stopping: &CancellationToken,
    ) {
        // A stream of small events must not wait for the acknowledgement of the one before.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
        let (world, stopping) = (Arc::clone(&self.world), stopping.clone());
        tasks.spawn(async move {
            let Some(tls) = tls else {
                return connection(world, stream, stopping).await;
            };
            match tls.accept(stream).await {
                Ok(stream) => connection(world, stream, stopping).await,
                Err(error) => tracing::debug!(%error, "a handshake failed"),
            }
        });
    }
}

async fn connection<S>(world: Arc<World>, stream: S, stopping: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let waiting = Waiting::default();
    let service = service_fn(|request| {
        let (world, waiting) = (Arc::clone(&world), Arc::clone(&waiting));
        async move { router::answer(&world, request, waiting).await }
    });
    let builder = auto::Builder::new(TokioExecutor::new());
    let connection = builder
        .serve_connection_with_upgrades(TokioIo::new(stream), service)
        .into_owned();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
    // It became a conversation, if one waits: that ends at the end of everything at the latest.
    let course = waiting.lock().take();
    if let Some(course) = course {
        tokio::select! {
            () = course.run() => {}
            () = stopping.cancelled() => {}
        }
    }
}
