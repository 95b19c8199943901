//! The least proxy that forwards a call: hyper in, hyper out, another key in the header, bodies
//! passed frame by frame. No authentication, no record, no metering.

use std::net::SocketAddr;

use anyhow::Context;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Uri, header, uri::Scheme};
use http_body_util::{Either, Empty};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

use super::FLOOR_KEY;

/// Plays it until nobody needs it.
pub async fn play(upstream: SocketAddr) -> anyhow::Result<()> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let proxy = Proxy {
        client: Client::builder(TokioExecutor::new()).build(connector),
        authority: upstream
            .to_string()
            .parse()
            .context("the upstream has no address")?,
        key: HeaderValue::try_from(format!("Bearer {FLOOR_KEY}"))?,
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
}

impl Proxy {
    async fn forward(
        self,
        mut request: Request<Incoming>,
    ) -> Response<Either<Incoming, Empty<Bytes>>> {
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
        match self.client.request(request).await {
            Ok(answer) => answer.map(Either::Left),
            Err(_) => nothing(StatusCode::BAD_GATEWAY),
        }
    }
}

fn nothing(status: StatusCode) -> Response<Either<Incoming, Empty<Bytes>>> {
    let mut answer = Response::new(Either::Right(Empty::new()));
    *answer.status_mut() = status;
    answer
}
