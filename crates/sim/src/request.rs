//! A request that has been read to its end.

use bytes::Bytes;
use http::{HeaderMap, Method, Version};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;

use crate::socket::Line;

/// The longest request body.
const MOST_BYTES: usize = 256 << 20;

/// A request.
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) version: Version,
    /// The whole path, prefix included, and the query as they came.
    pub(crate) path_and_query: String,
    /// The path's parts behind the company's prefix, decoded.
    pub(crate) segments: Vec<String>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) line: Line,
}

impl Request {
    /// Reads a request; `None` when the client left or sent too much.
    pub(crate) async fn read(
        request: http::Request<Incoming>,
        line: Line,
    ) -> Option<(String, Self)> {
        let (head, body) = request.into_parts();
        let body = Limited::new(body, MOST_BYTES)
            .collect()
            .await
            .ok()?
            .to_bytes();
        let mut segments = head.uri.path().split('/').skip(1).map(decode);
        let prefix = segments.next().unwrap_or_default();
        let request = Self {
            method: head.method,
            version: head.version,
            path_and_query: match head.uri.path_and_query() {
                Some(own) => own.to_string(),
                None => head.uri.to_string(),
            },
            segments: segments.collect(),
            query: read_query(head.uri.query().unwrap_or_default()),
            headers: head.headers,
            body,
            line,
        };
        Some((prefix, request))
    }

    /// The first value of a query parameter.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    /// Every value of a query parameter that may be repeated, with or without `[]`.
    pub(crate) fn query_list(&self, name: &str) -> Vec<&str> {
        let meant = |found: &str| found.strip_suffix("[]").unwrap_or(found) == name;
        let values = self.query.iter().filter(|(found, _)| meant(found));
        values.flat_map(|(_, value)| value.split(',')).collect()
    }

    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

fn read_query(text: &str) -> Vec<(String, String)> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (
                decode(&name.replace('+', " ")),
                decode(&value.replace('+', " ")),
            )
        })
        .collect()
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}
