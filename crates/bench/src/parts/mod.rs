//! The parts that child processes play: the provider behind everything, and the bare floors.
//!
//! A part takes a free loopback port, prints it, and ends when its standard input closes, so that
//! none outlives the benchmark.

mod appending;
pub mod floor_key;
pub mod floor_proxy;
pub mod floor_usage;
pub mod upstream;

use std::{
    convert::Infallible,
    error::Error,
    future::Future,
    io::{self, Write},
    time::Duration,
};

use anyhow::Context;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

pub use appending::{Appender, Appending};

use crate::process::READY_PREFIX;

/// The provider keys by which the provider tells who sent a call.
pub const SUBJECT_KEY: &str = "sk-bench-4f1d2c8e7b6a59403d2e1f0a9b8c7d6e5f4a3b2c1d0e9f8a";
pub const FLOOR_KEY: &str = "sk-floor-4f1d2c8e7b6a59403d2e1f0a9b8c7d6e5f4a3b2c1d0e9f8a";
pub const DIRECT_KEY: &str = "sk-plain-4f1d2c8e7b6a59403d2e1f0a9b8c7d6e5f4a3b2c1d0e9f8a";

/// How long to wait when no connection can be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Takes a free loopback port and says which.
async fn listen() -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .context("there is no free port")?;
    let mut output = io::stdout().lock();
    writeln!(output, "{READY_PREFIX}{}", listener.local_addr()?)?;
    output.flush()?;
    Ok(listener)
}

/// Returns when nobody holds the other end of standard input any more.
async fn abandoned() {
    let reading =
        tokio::task::spawn_blocking(|| io::copy(&mut io::stdin().lock(), &mut io::sink()));
    // Whatever came: there is nobody to work for any more.
    let _ = reading.await;
}

/// Answers plain HTTP/1.1 with `answer`, on nothing but hyper.
async fn serve<A, F, B>(answer: A) -> anyhow::Result<()>
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<B>> + Send,
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let listener = listen().await?;
    let connections = TaskTracker::new();
    let accepting = async {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            // Small frames of a stream must not wait for each other.
            let _ = stream.set_nodelay(true);
            let answer = answer.clone();
            connections.spawn(async move {
                let service = service_fn(move |request| {
                    let answer = answer(request);
                    async move { Ok::<_, Infallible>(answer.await) }
                });
                // A connection that ends early is the other side's error, and seen there.
                let _ = http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    };
    tokio::select! {
        () = accepting => {}
        () = abandoned() => {}
    }
    Ok(())
}
