//! The least proxy that forwards a call: hyper in, hyper out, another key in the header, bodies
//! passed frame by frame. No authentication, no metering; no record either, unless it is told to
//! write one before it forwards and one before the answer's last byte.

use std::{
    future::Future,
    net::SocketAddr,
    pin::Pin,
    task::{self, Poll, ready},
};

use anyhow::Context;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Uri, header, uri::Scheme};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{Either, Empty};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

use super::{Appender, Appending, FLOOR_KEY};

/// Plays it until nobody needs it.
pub async fn play(upstream: SocketAddr, appending: Appending) -> anyhow::Result<()> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let proxy = Proxy {
        client: Client::builder(TokioExecutor::new()).build(connector),
        authority: upstream
            .to_string()
            .parse()
            .context("the upstream has no address")?,
        key: HeaderValue::try_from(format!("Bearer {FLOOR_KEY}"))?,
        appender: appending.open()?,
    };
    super::serve(move |request| {
        let proxy = proxy.clone();
        async move { proxy.forward(request).await }
    })
    .await
}

#[derive(Clone)]
struct Proxy {
    client: Client<HttpConnector, Incoming>,
    authority: http::uri::Authority,
    key: HeaderValue,
    appender: Appender,
}

type Answer = Response<Either<Either<Incoming, Recorded>, Empty<Bytes>>>;

impl Proxy {
    async fn forward(self, mut request: Request<Incoming>) -> Answer {
        let mut target = std::mem::take(request.uri_mut()).into_parts();
        target.scheme = Some(Scheme::HTTP);
        target.authority = Some(self.authority);
        let Ok(target) = Uri::from_parts(target) else {
            return nothing(StatusCode::BAD_REQUEST);
        };
        *request.uri_mut() = target;
        let headers = request.headers_mut();
        headers.remove(header::HOST);
        headers.insert(header::AUTHORIZATION, self.key);
        if !self.appender.open() {
            return nothing(StatusCode::SERVICE_UNAVAILABLE);
        }
        let Ok(answer) = self.client.request(request).await else {
            return nothing(StatusCode::BAD_GATEWAY);
        };
        let appender = self.appender;
        answer.map(|body| {
            Either::Left(if appender.writes() {
                Either::Right(Recorded::new(body, appender))
            } else {
                Either::Left(body)
            })
        })
    }
}

/// A body whose end waits until its record is durable: the last frame where its length is known,
/// else the mark that ends it.
struct Recorded {
    body: Incoming,
    /// What waits for the record.
    held: Option<Bytes>,
    record: Record,
}

enum Record {
    Due(Appender),
    Writing(Pin<Box<dyn Future<Output = bool> + Send>>),
    Durable,
}

impl Recorded {
    fn new(body: Incoming, appender: Appender) -> Self {
        Self {
            body,
            held: None,
            record: Record::Due(appender),
        }
    }

    fn poll_record(&mut self, context: &mut task::Context<'_>) -> Poll<bool> {
        if let Record::Due(appender) = &self.record {
            let appender = appender.clone();
            self.record = Record::Writing(Box::pin(async move { appender.close().await }));
        }
        if let Record::Writing(write) = &mut self.record {
            if !ready!(write.as_mut().poll(context)) {
                return Poll::Ready(false);
            }
            self.record = Record::Durable;
        }
        Poll::Ready(true)
    }
}

impl Body for Recorded {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        if this.held.is_none() && !matches!(this.record, Record::Writing(_)) {
            match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                Some(Ok(frame)) if !this.body.is_end_stream() => {
                    return Poll::Ready(Some(Ok(frame)));
                }
                Some(Ok(frame)) => this.held = frame.into_data().ok(),
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None => {}
            }
        }
        if !ready!(this.poll_record(context)) {
            return Poll::Ready(Some(Err("the record is not durable".into())));
        }
        Poll::Ready(this.held.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.record, Record::Durable) && self.held.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.held {
            Some(held) => SizeHint::with_exact(held.len() as u64),
            None => self.body.size_hint(),
        }
    }
}

fn nothing(status: StatusCode) -> Answer {
    let mut answer = Response::new(Either::Right(Empty::new()));
    *answer.status_mut() = status;
    answer
}
