//! Takes a request's address apart and refuses what could lead elsewhere.

use diamond_providers::Fault;
use http::{Method, Version, header, request::Parts};

use crate::failure::Failure;

/// `/gateway/{service}` and the provider's own path, which begins with a slash.
pub(crate) fn split(path: &str) -> Option<(&str, &str)> {
    let rest = path.strip_prefix("/gateway/")?;
    let end = rest.find('/')?;
    Some((&rest[..end], &rest[end..]))
}

/// Refuses requests that a proxy must not carry; `converses` is whether it asks, as it should, for a
/// WebSocket.
pub(crate) fn check_form(parts: &Parts, converses: bool) -> Result<(), Failure> {
    let refuse = |code, message: &str| Err(Failure::own(Fault::BadRequest, code, message));
    if parts.method == Method::CONNECT || parts.method == Method::TRACE {
        return refuse("method_not_supported", "CONNECT and TRACE are not carried.");
    }
    // HTTP/2 always has a scheme; in HTTP/1 it means that somebody takes us for a forward proxy.
    if parts.version <= Version::HTTP_11 && parts.uri.scheme().is_some() {
        return refuse(
            "absolute_uri",
            "Ask for a path, not for a whole URL: this is no forward proxy.",
        );
    }
    if parts.headers.contains_key(header::UPGRADE) && !converses {
        return refuse(
            "upgrade_not_supported",
            "Upgrades other than whole handshakes for a WebSocket are not carried.",
        );
    }
    Ok(())
}

/// Refuses a provider's path that two servers could read differently: dot segments, slashes and
/// letters in disguise, empty segments.
pub(crate) fn check_own_path(path: &str) -> Result<(), Failure> {
    if is_plain(path) {
        return Ok(());
    }
    Err(Failure::own(
        Fault::BadRequest,
        "path_not_plain",
        "The path has dot segments, empty segments, or percent escapes of characters that need \
         none or could be read as separators. Write it plainly.",
    ))
}

fn is_plain(path: &str) -> bool {
    let last = path.matches('/').count();
    for (place, segment) in path.split('/').enumerate() {
        let is_edge = place == 0 || place == last;
        if (segment.is_empty() && !is_edge) || segment == "." || segment == ".." {
            return false;
        }
    }
    let bytes = path.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' | b'#' | 0..=0x20 | 0x7f..=0xff => return false,
            b'%' => {
                let Some(decoded) = hex(bytes.get(at + 1)).zip(hex(bytes.get(at + 2))) else {
                    return false;
                };
                let decoded = decoded.0 << 4 | decoded.1;
                let needless =
                    decoded.is_ascii_alphanumeric() || matches!(decoded, b'-' | b'.' | b'_' | b'~');
                let separator = matches!(decoded, b'/' | b'\\' | b'%' | b'?' | b'#' | b';');
                if needless || separator || decoded.is_ascii_control() {
                    return false;
                }
                at += 2;
            }
            _ => {}
        }
        at += 1;
    }
    true
}

fn hex(byte: Option<&u8>) -> Option<u8> {
    let digit = char::from(*byte?).to_digit(16)?;
    u8::try_from(digit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        assert_eq!(
            split("/gateway/openai/v1/models"),
            Some(("openai", "/v1/models"))
        );
        assert_eq!(split("/gateway/openai"), None);
        assert_eq!(split("/api/x"), None);
        for plain in [
            "/v1/models",
            "/v1/models/",
            "/v1/models/ft:gpt-4o:org::id",
            "/v1/a%20b",
            "/",
        ] {
            assert!(check_own_path(plain).is_ok(), "{plain}");
        }
        for trick in [
            "/v1/../organization",
            "/v1/./x",
            "/v1/%2e%2e/organization",
            "/v1/%2E./organization",
            "/v1//organization",
            "/v1%2forganization",
            "/v1/%5corganization",
            "/v1/%6frganization/costs",
            "/v1/%252e%252e/x",
            "/v1/x%00",
            "/v1/x%",
            "/v1/x%zz",
            "/v1/models\\..\\organization",
            "/v1/models%3Borganization",
        ] {
            assert!(check_own_path(trick).is_err(), "{trick}");
        }
    }
}
