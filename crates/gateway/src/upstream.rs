//! The way to the providers.

use std::{sync::Arc, time::Duration};

use http::{
    Uri,
    uri::{Authority, PathAndQuery, Scheme},
};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Builder, Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};

use rustls::{ClientConfig, RootCertStore};

use crate::{GatewayError, GatewaySettings, upload::Upload};

/// Sends requests to any provider, over pooled connections.
pub(crate) type UpstreamClient = Client<HttpsConnector<HttpConnector>, Upload>;

/// After how long without a word an HTTP/2 connection is asked whether it still lives.
const PING_INTERVAL: Duration = Duration::from_secs(15);
/// How long it may take to say so. Without an answer every call on it ends at once, rather than
/// waiting for an answer that cannot come.
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// The same for any connection, by the system's own means.
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);

/// The client: HTTP/1.1 and HTTP/2, the machine's root certificates.
pub(crate) fn client(settings: &GatewaySettings) -> Result<UpstreamClient, GatewayError> {
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls()?)
        .https_or_http()
        .enable_all_versions()
        .wrap_connector(tcp(settings));
    Ok(builder(settings).build(connector))
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

fn builder(settings: &GatewaySettings) -> Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(settings.idle_connection_timeout)
        .pool_max_idle_per_host(settings.idle_connections_max)
        .http2_keep_alive_interval(PING_INTERVAL)
        .http2_keep_alive_timeout(PING_TIMEOUT)
        .http2_keep_alive_while_idle(true);
    builder
}

/// The machine's own trust. A machine without any can still reach providers on its own network.
fn tls() -> Result<ClientConfig, GatewayError> {
    let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = |crypto| {
        ClientConfig::builder_with_provider(crypto)
            .with_safe_default_protocol_versions()
            .map_err(GatewayError::Tls)
    };
    match builder(Arc::clone(&crypto))?.with_native_roots() {
        Ok(builder) => Ok(builder.with_no_client_auth()),
        Err(error) => {
            tracing::warn!(
                %error,
                "this machine has no root certificates: providers can be reached without TLS only"
            );
            let none = RootCertStore::empty();
            Ok(builder(crypto)?
                .with_root_certificates(none)
                .with_no_client_auth())
        }
    }
}

/// Where a service's API is.
#[derive(Debug, Clone)]
pub(crate) struct Base {
    scheme: Scheme,
    authority: Authority,
    /// Beginning with a slash and not ending in one, or empty.
    prefix: String,
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
        Ok(Self {
            scheme,
            authority,
            prefix,
        })
    }

    /// The URL of a provider's own path, which was checked before.
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
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(PathAndQuery::from_maybe_shared(text).ok()?);
        Uri::from_parts(parts).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes connections (the system does) and never says a word.
    #[tokio::test(start_paused = true)]
    async fn a_dead_http2_connection_ends_its_calls() {
        let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let settings = GatewaySettings::default();
        let client: Client<HttpConnector, Upload> =
            builder(&settings).http2_only(true).build(tcp(&settings));
        let mut request = http::Request::new(Upload::held(bytes::Bytes::new()));
        *request.uri_mut() = format!("http://{}/", dead.local_addr().unwrap())
            .parse()
            .unwrap();
        // The clock moves by itself when there is nothing else to wait for.
        let soon = PING_INTERVAL + PING_TIMEOUT + Duration::from_secs(1);
        let ended = tokio::time::timeout(soon, client.request(request)).await;
        assert!(ended.unwrap().is_err());
    }

    #[test]
    fn the_own_path_follows_the_prefix() {
        for (base, expected) in [
            ("https://api.openai.com", "https://api.openai.com/v1/x?a=b"),
            (
                "http://127.0.0.1:9/openai/",
                "http://127.0.0.1:9/openai/v1/x?a=b",
            ),
        ] {
            let joined = Base::parse(base)
                .unwrap()
                .join("/v1/x", Some("a=b"))
                .unwrap();
            assert_eq!(joined.to_string(), expected);
        }
    }

    #[test]
    fn bases_that_are_refused() {
        for base in ["", "ftp://x", "/openai", "http://u:p@x", "http://x/?a=b"] {
            assert!(Base::parse(base).is_err(), "{base}");
        }
    }
}
