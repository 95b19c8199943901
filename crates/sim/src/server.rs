//! Listens and answers.

use std::{path::Path, sync::Arc, time::Duration};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{conn::auto, graceful::GracefulShutdown},
};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

use crate::{router, world::World};

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
/// | `POST /_sim/keys` `{service, id or value, state?, code?, scopes?, expiresAt?, requestsPerMinute?}` | adds a key or changes it; `state` is `active`, `revoked`, `expired`, `exhausted`, `restricted` or `rate_limited` |
/// | `POST /_sim/faults` `{service, operation?, keyId?, kind, times?}` | sets a fault: `refuse {status, code, retryAfter?}`, `slow {ms, headMs?}`, `cut {afterChunks or afterBytes}`, `drop`, `hang`, `gzip_sse`, `lie_length`, `error_in_stream {afterChunks?}`; `times` is a number (1) or `"forever"` |
/// | `GET /_sim/faults`, `DELETE /_sim/faults` | the faults that wait; none any more |
/// | `GET /_sim/last?operation=chat.completions[&service=]` | what was last received and sent for it |
/// | `POST /_sim/clock` `{advanceSeconds}` | moves time forward |
/// | `POST /_sim/reset` | back to the beginning |
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
        let tasks = TaskTracker::new();
        let graceful = GracefulShutdown::new();
        tokio::pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = &mut shutdown => break,
            };
            match accepted {
                Ok((stream, _)) => self.connection(stream, &tasks, &graceful),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    // Out of file handles: trying again at once would only burn the processor.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        drop(listener);
        tasks.close();
        let drained = async {
            graceful.shutdown().await;
            tasks.wait().await;
        };
        if tokio::time::timeout(DRAIN, drained).await.is_err() {
            tracing::info!("answers were still on their way at the end");
        }
    }

    fn connection(&self, stream: TcpStream, tasks: &TaskTracker, graceful: &GracefulShutdown) {
        // A stream of small events must not wait for the acknowledgement of the one before.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
        let world = Arc::clone(&self.world);
        let service = service_fn(move |request| {
            let world = Arc::clone(&world);
            async move { router::answer(&world, request).await }
        });
        let builder = auto::Builder::new(TokioExecutor::new());
        let connection = builder
            .serve_connection(TokioIo::new(stream), service)
            .into_owned();
        let connection = graceful.watch(connection);
        tasks.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
}
