//! A request that somebody else will send.

use std::fmt;

use bytes::Bytes;
use diamond_domain::SecretValue;

/// A request to a provider, relative to its base URL.
#[derive(Debug, Clone)]
pub struct OutboundRequest {
    /// The method.
    pub method: http::Method,
    /// Path and query behind the base URL, beginning with `/`.
    pub path_and_query: String,
    /// Headers, in order.
    pub headers: Vec<(http::HeaderName, HeaderText)>,
    /// The body; empty for none.
    pub body: Bytes,
}

/// A header's text.
#[derive(Clone)]
pub enum HeaderText {
    /// Anybody may see it.
    Plain(String),
    /// It carries a credential: shown to nobody, sent as a sensitive header.
    Secret(SecretValue),
}

impl OutboundRequest {
    /// A request without a body.
    #[must_use]
    pub fn new(method: http::Method, path_and_query: impl Into<String>) -> Self {
        Self {
            method,
            path_and_query: path_and_query.into(),
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// A GET.
    #[must_use]
    pub fn get(path_and_query: impl Into<String>) -> Self {
        Self::new(http::Method::GET, path_and_query)
    }

    /// A POST with a JSON body.
    #[must_use]
    pub fn post_json(path_and_query: impl Into<String>, body: &serde_json::Value) -> Self {
        Self::new(http::Method::POST, path_and_query).with_json(body)
    }

    /// The same with a JSON body.
    #[must_use]
    pub fn with_json(mut self, body: &serde_json::Value) -> Self {
        self.body = Bytes::from(body.to_string());
        self.with_header(http::header::CONTENT_TYPE, "application/json")
    }

    /// The same with a header that anybody may see.
    #[must_use]
    pub fn with_header(mut self, name: http::HeaderName, text: impl Into<String>) -> Self {
        self.headers.push((name, HeaderText::Plain(text.into())));
        self
    }

    /// The same with a header that carries a credential.
    #[must_use]
    pub fn with_secret(mut self, name: http::HeaderName, value: SecretValue) -> Self {
        self.headers.push((name, HeaderText::Secret(value)));
        self
    }
}

impl fmt::Debug for HeaderText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(text) => write!(f, "{text:?}"),
            Self::Secret(value) => write!(f, "{value:?}"),
        }
    }
}
