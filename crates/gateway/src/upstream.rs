//! The way to the providers.

use std::sync::Arc;

use http::{
    Uri,
    uri::{Authority, PathAndQuery, Scheme},
};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};

use rustls::{ClientConfig, RootCertStore};

use crate::{GatewayError, GatewaySettings, upload::Upload};

/// Sends requests to any provider, over pooled connections.
pub(crate) type UpstreamClient = Client<HttpsConnector<HttpConnector>, Upload>;

/// The client: HTTP/1.1 and HTTP/2, the machine's root certificates.
pub(crate) fn client(settings: &GatewaySettings) -> Result<UpstreamClient, GatewayError> {
    let mut tcp = HttpConnector::new();
    // Small requests and answers must not wait for each other's acknowledgement.
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(settings.connect_timeout));
    tcp.enforce_http(false);
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls()?)
        .https_or_http()
        .enable_all_versions()
        .wrap_connector(tcp);
    Ok(Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(settings.idle_connection_timeout)
        .pool_max_idle_per_host(settings.idle_connections_max)
        .build(connector))
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
