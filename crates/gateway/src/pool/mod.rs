//! Connections to the providers, kept for the next call.
//!
//! A connection of HTTP/1.1 is moved by whoever uses it: the task that waits for the answer polls
//! it, and later the answer's body does. No other task stands between, so no piece of an answer
//! waits until one is woken, and all that has arrived can be taken at once. A connection of HTTP/2
//! is shared by its calls and moved by a task of its own.

mod body;
mod line;
mod shared;

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use hyper::{
    client::conn::{TrySendError, http1, http2},
    rt::Executor,
};
use hyper_util::{
    client::legacy::connect::Connection,
    rt::{TokioExecutor, TokioTimer},
};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep, timeout};
use tower::Service;

use crate::{
    GatewaySettings,
    upload::Upload,
    upstream::{Base, Connector, PING_INTERVAL, PING_TIMEOUT, Stream},
};

pub(crate) use body::UpstreamBody;
use line::Line;
use shared::{Shared, copy_of, is_unprocessed};

/// Which provider of the pool's: the place of its base URL in the list that the pool was made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place(pub(crate) usize);

/// The connections of one runtime: they are moved by its tasks alone.
pub(crate) struct Pool {
    connector: Connector,
    /// For WebSockets, which are not kept here.
    sockets: Connector,
    connect_timeout: Duration,
    idle_timeout: Duration,
    /// Of one provider.
    idle_max: usize,
    hosts: Vec<Host>,
    /// Whether somebody looks after the idle ones.
    swept: AtomicBool,
}

struct Host {
    base: Base,
    /// Of HTTP/1.1, the one used last at the end.
    idle: Mutex<VecDeque<Idle>>,
    shared: Mutex<Option<Shared>>,
}

struct Idle {
    line: Box<Line>,
    since: Instant,
}

enum Link {
    Line(Box<Line>),
    Shared(Shared),
}

/// How often a request is sent again that the provider did not look at.
const REFUSALS_MAX: u32 = 2;

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    /// Nothing of it was sent, or the provider says that it did nothing of it.
    #[error("the provider cannot be reached")]
    Unsent(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It was sent, or a part of it.
    #[error("the provider broke off")]
    Broken(#[source] hyper::Error),
}

impl SendError {
    /// Whether the provider has done nothing of the request.
    pub(crate) const fn is_unsent(&self) -> bool {
        matches!(self, Self::Unsent(_))
    }
}

/// An answer that is on its way.
pub(crate) struct Flight(
    Pin<Box<dyn Future<Output = Result<Response<UpstreamBody>, SendError>> + Send>>,
);

impl Future for Flight {
    type Output = Result<Response<UpstreamBody>, SendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(context)
    }
}

impl Pool {
    pub(crate) fn new(
        connector: Connector,
        sockets: Connector,
        settings: &GatewaySettings,
        bases: &[Base],
    ) -> Self {
        let host = |base: &Base| Host {
            base: base.clone(),
            idle: Mutex::default(),
            shared: Mutex::default(),
        };
        Self {
            connector,
            sockets,
            connect_timeout: settings.connect_timeout,
            idle_timeout: settings.idle_connection_timeout,
            idle_max: settings.idle_connections_max,
            hosts: bases.iter().map(host).collect(),
            swept: AtomicBool::new(false),
        }
    }

    /// An empty pool for one of so many runtimes.
    pub(crate) fn another(&self, runtimes: usize) -> Self {
        Self {
            connector: self.connector.clone(),
            sockets: self.sockets.clone(),
            connect_timeout: self.connect_timeout,
            idle_timeout: self.idle_timeout,
            idle_max: self.idle_max.div_ceil(runtimes.max(1)),
            hosts: self.hosts.iter().map(Host::another).collect(),
            swept: AtomicBool::new(false),
        }
    }

    /// Sends a request, whose URI is a path of the provider's.
    pub(crate) fn send(self: &Arc<Self>, to: Place, request: Request<Upload>) -> Flight {
        Flight(Box::pin(carry(Arc::clone(self), to, request)))
    }

    /// Sends a request that asks for a WebSocket, on a connection of its own.
    pub(crate) fn open_socket(self: &Arc<Self>, to: Place, request: Request<Upload>) -> Flight {
        Flight(Box::pin(begin_socket(Arc::clone(self), to, request)))
    }

    fn take(&self, place: Place) -> Option<Link> {
        let host = &self.hosts[place.0];
        let mut shared = host.shared.lock();
        if shared.as_ref().is_some_and(Shared::is_closed) {
            *shared = None;
        }
        if let Some(shared) = &*shared {
            return Some(Link::Shared(shared.clone()));
        }
        drop(shared);
        let mut idle = host.idle.lock();
        let last = idle.pop_back()?;
        if last.since.elapsed() < self.idle_timeout {
            return Some(Link::Line(last.line));
        }
        // The others are older still.
        let old = std::mem::take(&mut *idle);
        drop(idle);
        drop(old);
        None
    }

    async fn dial(&self, place: Place) -> Result<Link, SendError> {
        let host = &self.hosts[place.0];
        let unsent = |error: hyper::Error| SendError::Unsent(Box::new(error));
        let mut connector = self.connector.clone();
        // The handshake of TLS included, which the connector does not limit by itself.
        let stream = timeout(self.connect_timeout, connector.call(host.base.origin()))
            .await
            .map_err(|late| SendError::Unsent(Box::new(late)))?
            .map_err(SendError::Unsent)?;
        if !stream.connected().is_negotiated_h2() {
            let (sender, wire) = http1::handshake(stream).await.map_err(unsent)?;
            return Ok(Link::Line(Box::new(Line::new(sender, wire))));
        }
        self.share(host, stream).await.map_err(unsent)
    }

    /// Begins a connection that all calls share.
    async fn share(&self, host: &Host, stream: Stream) -> Result<Link, hyper::Error> {
        let (sender, wire) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT)
            .keep_alive_while_idle(true)
            .handshake(stream)
            .await?;
        let mut shared = host.shared.lock();
        if let Some(known) = shared.as_ref().filter(|known| !known.is_closed()) {
            // Somebody else was faster: one is enough.
            return Ok(Link::Shared(known.clone()));
        }
        let link = Shared::new(sender);
        *shared = Some(link.clone());
        drop(shared);
        TokioExecutor::new().execute(async move {
            if let Err(error) = wire.await {
                tracing::debug!(%error, "a connection to a provider broke");
            }
        });
        Ok(Link::Shared(link))
    }

    /// Begins no more calls on a connection that takes no more.
    fn forget(&self, place: Place, gone: &Shared) {
        let mut shared = self.hosts[place.0].shared.lock();
        if shared.as_ref().is_some_and(|shared| shared.is(gone)) {
            *shared = None;
        }
    }

    /// Keeps a connection that is ready for the next request.
    fn keep(self: &Arc<Self>, place: Place, line: Box<Line>) {
        let mut idle = self.hosts[place.0].idle.lock();
        if idle.len() >= self.idle_max {
            return;
        }
        idle.push_back(Idle {
            line,
            since: Instant::now(),
        });
        drop(idle);
        if !self.swept.swap(true, Ordering::AcqRel) {
            TokioExecutor::new().execute(sweep(Arc::downgrade(self), self.idle_timeout));
        }
    }

    /// Closes what was not used for too long; whether anything is left.
    fn close_old(&self) -> bool {
        let mut left = false;
        for host in &self.hosts {
            let mut idle = host.idle.lock();
            let old = idle.partition_point(|idle| idle.since.elapsed() >= self.idle_timeout);
            let old: Vec<Idle> = idle.drain(..old).collect();
            left |= !idle.is_empty();
            drop(idle);
            drop(old);
        }
        left
    }
}

impl Host {
    fn another(&self) -> Self {
        Self {
            base: self.base.clone(),
            idle: Mutex::default(),
            shared: Mutex::default(),
        }
    }
}

/// Looks after the idle connections until there are none. Nobody polls them, so whether the
/// provider has closed one shows only when it is used or swept away.
async fn sweep(pool: Weak<Pool>, idle_timeout: Duration) {
    loop {
        sleep(idle_timeout / 2).await;
        let Some(pool) = pool.upgrade() else {
            return;
        };
        if pool.close_old() {
            continue;
        }
        pool.swept.store(false, Ordering::Release);
        // One that was kept in between saw that somebody looks after it.
        if !pool.close_old() || pool.swept.swap(true, Ordering::AcqRel) {
            return;
        }
    }
}

async fn carry(
    pool: Arc<Pool>,
    place: Place,
    mut request: Request<Upload>,
) -> Result<Response<UpstreamBody>, SendError> {
    let mut refusals = 0;
    loop {
        let (link, fresh) = match pool.take(place) {
            Some(link) => (link, false),
            None => (pool.dial(place).await?, true),
        };
        let base = &pool.hosts[place.0].base;
        let failed = match link {
            Link::Line(line) => {
                base.address_plainly(&mut request);
                match line.exchange(request).await {
                    Ok((response, line)) => {
                        let body = |incoming| UpstreamBody::of_line(incoming, line, &pool, place);
                        return Ok(response.map(body));
                    }
                    Err(failed) => failed,
                }
            }
            Link::Shared(mut shared) => {
                base.address_fully(&mut request);
                let again = copy_of(&request);
                let failed = match shared.send(request).await {
                    Ok(response) => return Ok(response.map(UpstreamBody::shared)),
                    Err(failed) => failed,
                };
                if failed.message().is_none() && is_unprocessed(failed.error()) {
                    pool.forget(place, &shared);
                    match again {
                        Some(again) if refusals < REFUSALS_MAX => {
                            refusals += 1;
                            request = again;
                            continue;
                        }
                        _ => return Err(SendError::Unsent(Box::new(failed.into_error()))),
                    }
                }
                failed
            }
        };
        request = retry(failed, fresh)?;
    }
}

/// A task of its own moves the connection until it has become a WebSocket, or its answer is read.
async fn begin_socket(
    pool: Arc<Pool>,
    place: Place,
    mut request: Request<Upload>,
) -> Result<Response<UpstreamBody>, SendError> {
    let base = &pool.hosts[place.0].base;
    let mut connector = pool.sockets.clone();
    let stream = timeout(pool.connect_timeout, connector.call(base.origin()))
        .await
        .map_err(|late| SendError::Unsent(Box::new(late)))?
        .map_err(SendError::Unsent)?;
    let (mut sender, wire) = http1::handshake(stream)
        .await
        .map_err(|error| SendError::Unsent(Box::new(error)))?;
    TokioExecutor::new().execute(async move {
        if let Err(error) = wire.with_upgrades().await {
            tracing::debug!(%error, "a connection for a WebSocket broke");
        }
    });
    base.address_plainly(&mut request);
    let response = sender.send_request(request).await;
    let response = response.map_err(SendError::Broken)?;
    Ok(response.map(UpstreamBody::shared))
}

/// The request once more, when it can be sent once more: it was not sent at all, because the
/// connection had been closed while nobody used it.
fn retry(
    mut failed: TrySendError<Request<Upload>>,
    fresh: bool,
) -> Result<Request<Upload>, SendError> {
    match failed.take_message() {
        Some(request) if !fresh => Ok(request),
        Some(_) => Err(SendError::Unsent(Box::new(failed.into_error()))),
        None => Err(SendError::Broken(failed.into_error())),
    }
}

#[cfg(test)]
mod tests;
