//! Server-sent events as OpenAI writes them.

use bytes::Bytes;
use serde_json::Value;

/// An event without a name.
pub(super) fn data(body: &Value) -> Bytes {
    format!("data: {body}\n\n").into()
}

/// An event named by its own `type`.
pub(crate) fn typed(body: &Value) -> Bytes {
    let name = body["type"].as_str().unwrap_or_default();
    format!("event: {name}\ndata: {body}\n\n").into()
}
