//! The load: so many keep-alive connections that send one request again and again, in a closed
//! loop or at fixed times.

mod body;
mod connection;
mod expectation;
mod pace;
mod rate;

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Uri};
use http_body_util::Full;
use tokio::task::JoinSet;

use crate::stopwatch::Stopwatch;

pub use body::{Numbered, RequestBody};
pub use connection::Connection;
pub use expectation::Expectation;
pub use pace::{Limit, Pace};

/// The request that is sent again and again, and what its answer must be.
#[derive(Debug)]
pub struct Load {
    pub path: Uri,
    pub headers: HeaderMap,
    pub body: RequestBody,
    pub expectation: Expectation,
}

impl Load {
    fn request(&self) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.body.next()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.path.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }
}

/// What was sent and answered; every answer was the expected one. Times are in nanoseconds and
/// sorted.
#[derive(Debug)]
pub struct Sent {
    /// The time each request took to its answer's last byte: from its first byte, or, at a rate,
    /// from the time at which it should have been sent.
    pub latencies_ns: Vec<u64>,
    /// The same to the first byte of the answer's body.
    pub first_bytes_ns: Vec<u64>,
    /// From the first request's beginning to the last answer's end.
    pub elapsed: Duration,
}

impl Sent {
    /// How many requests.
    pub fn requests(&self) -> u64 {
        self.latencies_ns.len() as u64
    }
}

/// What one connection noted.
#[derive(Debug, Default)]
struct Times {
    latencies_ns: Vec<u64>,
    first_bytes_ns: Vec<u64>,
}

impl Times {
    fn note(&mut self, first_byte: Duration, latency: Duration) -> anyhow::Result<()> {
        self.first_bytes_ns
            .push(u64::try_from(first_byte.as_nanos())?);
        self.latencies_ns.push(u64::try_from(latency.as_nanos())?);
        Ok(())
    }
}

type Senders = JoinSet<anyhow::Result<(Connection, Times)>>;

/// Sends until the limit is reached, then waits for the answers that are due. Gives the connections
/// back.
///
/// # Errors
/// At the first answer that is not the expected one, with that answer.
pub async fn drive(
    connections: Vec<Connection>,
    load: &Arc<Load>,
    pace: Pace,
    limit: Limit,
) -> anyhow::Result<(Vec<Connection>, Sent)> {
    let stopwatch = Stopwatch::start();
    match (pace, limit) {
        (Pace::Rate(rate), Limit::Time(time)) => {
            let (senders, pacer) = rate::senders(connections, load, rate, time, stopwatch);
            let sent = collect(senders, stopwatch).await?;
            pacer.await.context("the pacer stopped")?;
            Ok(sent)
        }
        (Pace::Staggered(apart), _) => {
            let senders = closed_loop(connections, load, apart, limit, stopwatch);
            collect(senders, stopwatch).await
        }
        (Pace::Closed | Pace::Rate(_), _) => {
            let senders = closed_loop(connections, load, Duration::ZERO, limit, stopwatch);
            collect(senders, stopwatch).await
        }
    }
}

fn closed_loop(
    connections: Vec<Connection>,
    load: &Arc<Load>,
    apart: Duration,
    limit: Limit,
    stopwatch: Stopwatch,
) -> Senders {
    let mut senders = JoinSet::new();
    for (place, mut connection) in (0_u32..).zip(connections) {
        let load = Arc::clone(load);
        senders.spawn(async move {
            if !apart.is_zero() {
                tokio::time::sleep(apart * place).await;
            }
            let mut times = Times::default();
            let mut sent = 0;
            let mut body = Vec::new();
            connection
                .converse(async |conversation| {
                    loop {
                        let latency = Stopwatch::start();
                        let answer = conversation
                            .exchange(load.request(), &mut body, latency)
                            .await?;
                        times.note(answer.first_byte, latency.elapsed())?;
                        sent += 1;
                        load.expectation.check(answer.status, &body)?;
                        if limit.reached(sent, stopwatch.elapsed()) {
                            return Ok(());
                        }
                    }
                })
                .await?;
            anyhow::Ok((connection, times))
        });
    }
    senders
}

async fn collect(
    mut senders: Senders,
    stopwatch: Stopwatch,
) -> anyhow::Result<(Vec<Connection>, Sent)> {
    let mut connections = Vec::new();
    let mut all = Times::default();
    while let Some(sender) = senders.join_next().await {
        let (connection, times) = sender.context("a sender stopped")??;
        connections.push(connection);
        all.latencies_ns.extend(times.latencies_ns);
        all.first_bytes_ns.extend(times.first_bytes_ns);
    }
    let elapsed = stopwatch.elapsed();
    all.latencies_ns.sort_unstable();
    all.first_bytes_ns.sort_unstable();
    let sent = Sent {
        latencies_ns: all.latencies_ns,
        first_bytes_ns: all.first_bytes_ns,
        elapsed,
    };
    Ok((connections, sent))
}
