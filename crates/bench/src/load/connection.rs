//! One keep-alive HTTP/1.1 connection.

use std::{net::SocketAddr, pin::pin, time::Duration};

use anyhow::{Context, anyhow};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::stopwatch::Stopwatch;

/// An open connection. Its bytes move while [`Connection::converse`] runs, in the same task: no
/// time is spent on handing over.
#[derive(Debug)]
pub struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    wire: http1::Connection<TokioIo<TcpStream>, Full<Bytes>>,
}

/// The side of a connection that sends.
#[derive(Debug)]
pub struct Conversation<'a>(&'a mut http1::SendRequest<Full<Bytes>>);

/// The head of an answer whose body was read.
#[derive(Debug, Clone, Copy)]
pub struct Answered {
    pub status: StatusCode,
    /// When the first byte of the body was there, by the stopwatch that was given.
    pub first_byte: Duration,
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)
            .await
            .with_context(|| format!("{address} cannot be reached"))?;
        stream.set_nodelay(true)?;
        let (sender, wire) = http1::handshake(TokioIo::new(stream)).await?;
        Ok(Self { sender, wire })
    }

    /// Runs `talk` and moves its bytes.
    pub async fn converse<T>(
        &mut self,
        talk: impl AsyncFnOnce(&mut Conversation<'_>) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let mut conversation = Conversation(&mut self.sender);
        let mut talk = pin!(talk(&mut conversation));
        let ended = tokio::select! {
            biased;
            outcome = &mut talk => return outcome,
            ended = &mut self.wire => ended,
        };
        // The talk knows better what was cut; without a wire it cannot go on.
        let cut = talk
            .await
            .err()
            .unwrap_or_else(|| anyhow!("it was the last answer"));
        Err(match ended {
            Ok(()) => cut.context("the server closed a connection"),
            Err(error) => cut.context(error).context("a connection broke"),
        })
    }
}

impl Conversation<'_> {
    /// Sends one request and reads its whole answer into `body`, which is emptied first.
    pub async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
        body: &mut Vec<u8>,
        stopwatch: Stopwatch,
    ) -> anyhow::Result<Answered> {
        body.clear();
        self.0
            .ready()
            .await
            .context("no further request can be sent")?;
        let mut answer = self
            .0
            .send_request(request)
            .await
            .context("a request has no answer")?;
        let mut first_byte = None;
        while let Some(frame) = answer.body_mut().frame().await {
            let frame = frame.context("an answer was cut")?;
            if let Some(data) = frame.data_ref() {
                first_byte.get_or_insert_with(|| stopwatch.elapsed());
                body.extend_from_slice(data);
            }
        }
        Ok(Answered {
            status: answer.status(),
            first_byte: first_byte.unwrap_or_else(|| stopwatch.elapsed()),
        })
    }
}
