//! Where a caller's credential stands, and how the key takes its place.
//!
//! A caller may put our token wherever the provider takes a key. The key itself always travels in
//! a header: an address is written down by too many on the way.

use std::borrow::Cow;

use bytes::Bytes;
use diamond_domain::SecretValue;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{COOKIE, SEC_WEBSOCKET_PROTOCOL},
};

use crate::{Placement, UnusableKey};

/// The credential in the first of these places that holds one.
pub(crate) fn presented<'a>(
    placements: &[Placement],
    headers: &'a HeaderMap,
    query: Option<&'a str>,
) -> Option<Cow<'a, str>> {
    placements.iter().find_map(|placement| match placement {
        Placement::Header { name, scheme } => {
            let text = headers.get(name.as_ref())?.to_str().ok()?.trim();
            let token = match scheme {
                None => text,
                Some(scheme) => {
                    let (said, token) = text.split_once(' ')?;
                    said.eq_ignore_ascii_case(scheme).then(|| token.trim())?
                }
            };
            (!token.is_empty()).then_some(Cow::Borrowed(token))
        }
        Placement::Query { name } => {
            let (_, value) = parameters(query?).find(|(said, _)| said == name)?;
            (!value.is_empty()).then_some(value)
        }
        Placement::Subprotocol { before } => subprotocol(headers, before).map(Cow::Borrowed),
    })
}

/// Takes the caller's credential out of every one of these places and puts the key into the first
/// header among them.
pub(crate) fn place(
    placements: &[Placement],
    headers: &mut HeaderMap,
    key: &SecretValue,
) -> Result<(), UnusableKey> {
    take_out(placements, headers);
    let first = placements.iter().find_map(|placement| match placement {
        Placement::Header { name, scheme } => Some((name, scheme.as_deref())),
        Placement::Query { .. } | Placement::Subprotocol { .. } => None,
    });
    let (name, scheme) = first.ok_or(UnusableKey)?;
    let name = name.parse::<HeaderName>().map_err(|_| UnusableKey)?;
    set(headers, name, scheme, key)
}

/// Puts the key into a header, marked sensitive.
pub(crate) fn set(
    headers: &mut HeaderMap,
    name: HeaderName,
    scheme: Option<&str>,
    key: &SecretValue,
) -> Result<(), UnusableKey> {
    let scheme = scheme.unwrap_or("");
    let mut text = Vec::with_capacity(scheme.len() + 1 + key.expose().len());
    if !scheme.is_empty() {
        text.extend_from_slice(scheme.as_bytes());
        text.push(b' ');
    }
    text.extend_from_slice(key.expose().as_bytes());
    let mut value = HeaderValue::from_maybe_shared(Bytes::from(text)).map_err(|_| UnusableKey)?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}

/// Takes the caller's credential out of the headers.
pub(crate) fn take_out(placements: &[Placement], headers: &mut HeaderMap) {
    headers.remove(COOKIE);
    for placement in placements {
        match placement {
            Placement::Header { name, .. } => {
                headers.remove(name.as_ref());
            }
            Placement::Query { .. } => {}
            Placement::Subprotocol { before } => take_out_subprotocol(headers, before),
        }
    }
}

/// The query without the caller's credential; what else stands there stays as it is.
pub(crate) fn without<'a>(placements: &[Placement], query: &'a str) -> Cow<'a, str> {
    let is_credential = |pair: &str| {
        let name = pair.split_once('=').map_or(pair, |(name, _)| name);
        let name = decoded(name);
        placements.iter().any(
            |placement| matches!(placement, Placement::Query { name: known } if *known == name),
        )
    };
    if !query.split('&').any(is_credential) {
        return Cow::Borrowed(query);
    }
    let kept: Vec<&str> = query
        .split('&')
        .filter(|pair| !is_credential(pair))
        .collect();
    Cow::Owned(kept.join("&"))
}

/// Names and values of a query, decoded.
pub(crate) fn parameters(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        })
}

/// Undoes percent escapes and `+` (WHATWG URL, `application/x-www-form-urlencoded`). What is no
/// escape stays as it is.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let digit = |at: usize| char::from(*bytes.get(at)?).to_digit(16);
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escaped = (byte == b'%')
            .then(|| u8::try_from(digit(at + 1)? * 16 + digit(at + 2)?).ok())
            .flatten();
        match (byte, escaped) {
            (_, Some(escaped)) => {
                plain.push(escaped);
                at += 2;
            }
            (b'+', None) => plain.push(b' '),
            (byte, None) => plain.push(byte),
        }
        at += 1;
    }
    Cow::Owned(String::from_utf8_lossy(&plain).into_owned())
}

/// The words of `sec-websocket-protocol`, in order.
fn words(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

/// Behind `before` in one word (`openai-insecure-api-key.KEY`), or in the word after it
/// (`token, KEY`).
fn subprotocol<'a>(headers: &'a HeaderMap, before: &str) -> Option<&'a str> {
    let mut words = words(headers);
    let token = if before.ends_with('.') {
        words.find_map(|word| word.strip_prefix(before))
    } else {
        words.find(|word| word.eq_ignore_ascii_case(before))?;
        words.next()
    };
    token.filter(|token| !token.is_empty())
}

fn take_out_subprotocol(headers: &mut HeaderMap, before: &str) {
    if subprotocol(headers, before).is_none() {
        return;
    }
    let mut kept = Vec::new();
    let mut skip_next = false;
    for word in words(headers) {
        let is_token = std::mem::take(&mut skip_next);
        let carries = before.ends_with('.') && word.starts_with(before);
        if !is_token && !carries {
            // The word before a separate token stays: the server must answer with it.
            kept.push(word);
        }
        skip_next = !is_token && !before.ends_with('.') && word.eq_ignore_ascii_case(before);
    }
    let text = kept.join(", ");
    headers.remove(SEC_WEBSOCKET_PROTOCOL);
    if let (false, Ok(value)) = (text.is_empty(), HeaderValue::try_from(text)) {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn header(name: &'static str, scheme: Option<&'static str>) -> Placement {
        Placement::Header {
            name: Cow::Borrowed(name),
            scheme: match scheme {
                Some(scheme) => Some(Cow::Borrowed(scheme)),
                None => None,
            },
        }
    }

    fn everywhere() -> Vec<Placement> {
        vec![
            header("x-api-key", None),
            header("authorization", Some("Token")),
            Placement::Query { name: "key".into() },
            Placement::Subprotocol {
                before: "token".into(),
            },
            Placement::Subprotocol {
                before: "insecure.".into(),
            },
        ]
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                let name = HeaderName::from_static(name);
                (name, HeaderValue::from_static(value))
            })
            .collect()
    }

    #[test]
    fn a_token_is_found_wherever_the_service_takes_a_key() {
        let places = everywhere();
        for (pairs, query) in [
            (vec![("x-api-key", " dmd_1 ")], None),
            (vec![("authorization", "token dmd_1")], Some("a=b")),
            (
                vec![("authorization", "Basic abc")],
                Some("a=b&key=dmd%5F1"),
            ),
            (
                vec![("sec-websocket-protocol", "token, dmd_1")],
                Some("key="),
            ),
            (
                vec![("sec-websocket-protocol", "realtime,insecure.dmd_1")],
                None,
            ),
        ] {
            let headers = headers(&pairs);
            let found = presented(&places, &headers, query);
            assert_eq!(found.as_deref(), Some("dmd_1"), "{pairs:?} {query:?}");
        }
        let nothing = headers(&[("authorization", "Basic abc"), ("x-api-key", "")]);
        assert_eq!(presented(&places, &nothing, Some("key")), None);
    }

    #[test]
    fn nothing_of_the_caller_is_left_and_the_key_stands_in_a_header() {
        let places = everywhere();
        let mut headers = headers(&[
            ("authorization", "Token dmd_1"),
            ("x-api-key", "dmd_2"),
            ("cookie", "a=b"),
            (
                "sec-websocket-protocol",
                "realtime, token, dmd_1, insecure.dmd_2",
            ),
        ]);
        place(&places, &mut headers, &SecretValue::new("real".into())).unwrap();
        assert_eq!(headers["x-api-key"], "real");
        assert!(headers["x-api-key"].is_sensitive());
        assert_eq!(headers["sec-websocket-protocol"], "realtime, token");
        assert_eq!(headers.len(), 2);
        assert_eq!(without(&places, "a=1&k%65y=dmd_1&b"), "a=1&b");
        assert_eq!(without(&places, "a=1&keys=2"), "a=1&keys=2");
    }

    #[test]
    fn a_key_with_a_line_end_is_refused() {
        let key = SecretValue::new("sk\r\nx: y".into());
        let placed = place(&everywhere(), &mut HeaderMap::new(), &key);
        assert_eq!(placed, Err(UnusableKey));
    }
}
