//! The way to the providers.

use std::time::Duration;

use http::{
    HeaderValue, Request, Uri,
    header::HOST,
    uri::{Authority, PathAndQuery, Scheme},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::{client::legacy::connect::HttpConnector, rt::TokioIo};
use tokio::net::TcpStream;

use crate::{GatewayError, GatewaySettings, trust};

/// Connects to any provider.
pub(crate) type Connector = HttpsConnector<HttpConnector>;

/// A connection's bytes.
pub(crate) type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// After how long without a word an HTTP/2 connection is asked whether it still lives.
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(15);
/// How long it may take to say so. Without an answer every call on it ends at once, rather than
/// waiting for an answer that cannot come.
pub(crate) const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// The same for any connection, by the system's own means.
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);

/// HTTP/1.1 and HTTP/2, the machine's root certificates.
pub(crate) fn connector(settings: &GatewaySettings) -> Result<Connector, GatewayError> {
    Ok(HttpsConnectorBuilder::new()
        .with_tls_config(trust::client_config(&settings.authorities)?)
        .https_or_http()
        .enable_all_versions()
        .wrap_connector(tcp(settings)))
}

/// HTTP/1.1 alone: a WebSocket takes a connection for itself.
pub(crate) fn socket_connector(settings: &GatewaySettings) -> Result<Connector, GatewayError> {
    Ok(HttpsConnectorBuilder::new()
        .with_tls_config(trust::client_config(&settings.authorities)?)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp(settings)))
}

fn tcp(settings: &GatewaySettings) -> HttpConnector {
    let mut tcp = HttpConnector::new();
    // Small requests and answers must not wait for each other's acknowledgement.
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(settings.connect_timeout));
    tcp.set_keepalive(Some(TCP_KEEPALIVE));
    tcp.set_keepalive_interval(Some(PING_TIMEOUT));
    tcp.set_keepalive_retries(Some(3));
    tcp.enforce_http(false);
    tcp
}

/// Where a service's API is.
#[derive(Debug, Clone)]
pub(crate) struct Base {
    scheme: Scheme,
    authority: Authority,
    /// Beginning with a slash and not ending in one, or empty.
    prefix: String,
    /// What the `host` header says.
    host: HeaderValue,
}

impl Base {
    /// Reads a base URL; the error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let uri: Uri = text.parse().map_err(|_| "it is not a URL".to_owned())?;
        let scheme = uri
            .scheme()
            .filter(|scheme| **scheme == Scheme::HTTP || **scheme == Scheme::HTTPS);
        let scheme = scheme
            .ok_or("it must begin with http:// or https://")?
            .clone();
        let authority = uri.authority().ok_or("it names no host")?.clone();
        if authority.as_str().contains('@') {
            return Err("it must not carry a user name or password".into());
        }
        if uri.query().is_some() {
            return Err("it must not have a query".into());
        }
        let prefix = uri.path().trim_end_matches('/').to_owned();
        let default_port = if scheme == Scheme::HTTPS { 443 } else { 80 };
        let named = match authority.port_u16() {
            Some(port) if port == default_port => authority.host(),
            _ => authority.as_str(),
        };
        let host = HeaderValue::try_from(named).map_err(|_| "its host is no text".to_owned())?;
        Ok(Self {
            scheme,
            authority,
            prefix,
            host,
        })
    }

    /// The URL that a provider's own path, which was checked before, has there.
    pub(crate) fn join(&self, own_path: &str, query: Option<&str>) -> Option<Uri> {
        let mut text = String::with_capacity(
            self.prefix.len() + own_path.len() + query.map_or(0, |query| query.len() + 1),
        );
        text.push_str(&self.prefix);
        text.push_str(own_path);
        if let Some(query) = query {
            text.push('?');
            text.push_str(query);
        }
        Some(PathAndQuery::from_maybe_shared(text).ok()?.into())
    }

    /// Where to connect to.
    pub(crate) fn origin(&self) -> Uri {
        self.whole(PathAndQuery::from_static("/"))
    }

    /// Writes the address as HTTP/1.1 has it: the path, and the host in a header.
    pub(crate) fn address_plainly<B>(&self, request: &mut Request<B>) {
        let path = take_path(request);
        *request.uri_mut() = path.into();
        request.headers_mut().insert(HOST, self.host.clone());
    }

    /// Writes the address as HTTP/2 has it: the whole URL.
    pub(crate) fn address_fully<B>(&self, request: &mut Request<B>) {
        let path = take_path(request);
        *request.uri_mut() = self.whole(path);
        request.headers_mut().remove(HOST);
    }

    fn whole(&self, path: PathAndQuery) -> Uri {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(path);
        // Three parts that are valid and all there are a valid URL.
        Uri::from_parts(parts).unwrap_or_default()
    }
}

fn take_path<B>(request: &mut Request<B>) -> PathAndQuery {
    let path = std::mem::take(request.uri_mut())
        .into_parts()
        .path_and_query;
    path.unwrap_or_else(|| PathAndQuery::from_static("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_path_follows_the_prefix() {
        for (base, expected) in [
            ("https://api.openai.com", "https://api.openai.com/v1/x?a=b"),
            (
                "http://127.0.0.1:9/openai/",
                "http://127.0.0.1:9/openai/v1/x?a=b",
            ),
        ] {
            let base = Base::parse(base).unwrap();
            let mut request = Request::new(());
            *request.uri_mut() = base.join("/v1/x", Some("a=b")).unwrap();
            base.address_fully(&mut request);
            assert_eq!(request.uri().to_string(), expected);
            base.address_plainly(&mut request);
            let (_, path) = expected.split_once("/openai").unwrap_or(("", expected));
            assert!(request.uri().to_string().starts_with('/'), "{path}");
        }
    }

    #[test]
    fn bases_that_are_refused() {
        for base in ["", "ftp://x", "/openai", "http://u:p@x", "http://x/?a=b"] {
            assert!(Base::parse(base).is_err(), "{base}");
        }
    }
}
