//! The load: so many keep-alive connections, each sending its next request when it has the whole
//! answer to the one before.

mod connection;
mod expectation;

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Uri};
use http_body_util::Full;
use tokio::task::JoinSet;

use crate::stopwatch::Stopwatch;

pub use connection::Connection;
pub use expectation::Expectation;

/// The one request that is sent again and again, and what its answer must be.
#[derive(Debug)]
pub struct Load {
    pub path: Uri,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub expectation: Expectation,
}

impl Load {
    fn request(&self) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.path.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }
}

/// What was sent and answered; every answer was the expected one.
#[derive(Debug)]
pub struct Sent {
    /// The time each request took from its first byte to its answer's last, in nanoseconds, sorted.
    pub latencies_ns: Vec<u64>,
    /// From the first request's beginning to the last answer's end.
    pub elapsed: Duration,
}

impl Sent {
    /// How many requests.
    pub fn requests(&self) -> u64 {
        self.latencies_ns.len() as u64
    }
}

/// Sends until the time is up, then waits for the answers that are due. Gives the connections back.
///
/// # Errors
/// At the first answer that is not the expected one, with that answer.
pub async fn drive(
    connections: Vec<Connection>,
    load: &Arc<Load>,
    time: Duration,
) -> anyhow::Result<(Vec<Connection>, Sent)> {
    let stopwatch = Stopwatch::start();
    let mut senders = JoinSet::new();
    for mut connection in connections {
        let load = Arc::clone(load);
        senders.spawn(async move {
            let mut latencies = Vec::new();
            let mut body = Vec::new();
            connection
                .converse(async |conversation| {
                    loop {
                        let latency = Stopwatch::start();
                        let status = conversation.exchange(load.request(), &mut body).await?;
                        latencies.push(u64::try_from(latency.elapsed().as_nanos())?);
                        load.expectation.check(status, &body)?;
                        if stopwatch.elapsed() >= time {
                            return Ok(());
                        }
                    }
                })
                .await?;
            anyhow::Ok((connection, latencies))
        });
    }
    let mut connections = Vec::new();
    let mut latencies_ns = Vec::new();
    while let Some(sender) = senders.join_next().await {
        let (connection, latencies) = sender.context("a sender stopped")??;
        connections.push(connection);
        latencies_ns.extend(latencies);
    }
    let elapsed = stopwatch.elapsed();
    latencies_ns.sort_unstable();
    Ok((
        connections,
        Sent {
            latencies_ns,
            elapsed,
        },
    ))
}
