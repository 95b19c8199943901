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

impl fmt::Debug for HeaderText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(text) => write!(f, "{text:?}"),
            Self::Secret(value) => write!(f, "{value:?}"),
        }
    }
}
