//! How a connection becomes a WebSocket (RFC 6455, section 4.2).

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::STANDARD};

use crate::request::Request;

/// What the standard adds to the client's key before it is hashed.
const SALT: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Whether a request asks to become a WebSocket.
pub(crate) fn is_asked_for(request: &Request) -> bool {
    let protocol = request.header("upgrade");
    protocol.is_some_and(|protocol| protocol.eq_ignore_ascii_case("websocket"))
}

/// What the answer must prove; `None` when the request is no whole handshake.
pub(crate) fn accepted(request: &Request) -> Option<String> {
    let key = request.header("sec-websocket-key")?;
    let fits = request.header("sec-websocket-version") == Some("13")
        && STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == 16);
    // The standard's own choice; nothing is kept secret by it.
    let hash = || {
        digest::digest(
            &digest::SHA1_FOR_LEGACY_USE_ONLY,
            format!("{key}{SALT}").as_bytes(),
        )
    };
    fits.then(|| STANDARD.encode(hash()))
}
