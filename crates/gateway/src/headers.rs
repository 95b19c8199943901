//! Which headers pass, in both directions.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, FORWARDED, HOST,
        PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, VIA,
    },
};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Headers that speak of one connection only (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// What is the gateway's to say, or tells of the caller's network.
const NOT_FORWARDED: [HeaderName; 10] = [
    HOST,
    CONTENT_LENGTH,
    EXPECT,
    COOKIE,
    FORWARDED,
    VIA,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-real-ip"),
    // An upstream that gave it back would let a caller choose the name of a call.
    HeaderName::from_static("x-request-id"),
];

const OURS: &str = "x-diamond-";

/// Encodings that can be metered.
const DECODABLE: [&str; 5] = ["gzip", "x-gzip", "deflate", "br", "identity"];

/// Takes out of a request what must not reach the provider.
pub(crate) fn clean_request(headers: &mut HeaderMap) {
    remove_named_by_connection(headers);
    remove_all(headers, |name| {
        HOP_BY_HOP.contains(name) || NOT_FORWARDED.contains(name) || is_ours(name)
    });
}

/// Takes out of an answer what speaks of the provider's connection.
pub(crate) fn clean_response(headers: &mut HeaderMap) {
    remove_named_by_connection(headers);
    remove_all(headers, |name| HOP_BY_HOP.contains(name) || is_ours(name));
}

/// Asks for what can be metered only: nothing but plain bytes when a chunk must be taken out.
pub(crate) fn limit_encodings(headers: &mut HeaderMap, plain_only: bool) {
    let asked = if plain_only {
        None
    } else {
        Some(headers.get_all(ACCEPT_ENCODING))
    };
    let kept: Vec<&str> = asked
        .into_iter()
        .flatten()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|item| {
            let name = item.split(';').next().unwrap_or("").trim();
            DECODABLE
                .iter()
                .any(|known| name.eq_ignore_ascii_case(known))
        })
        .collect();
    let value = if kept.is_empty() {
        HeaderValue::from_static("identity")
    } else {
        HeaderValue::try_from(kept.join(", "))
            .unwrap_or_else(|_| HeaderValue::from_static("identity"))
    };
    headers.insert(ACCEPT_ENCODING, value);
}

fn remove_named_by_connection(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|name| name.trim().parse().ok())
            .collect();
        for name in named {
            headers.remove(name);
        }
    }
}

fn is_ours(name: &HeaderName) -> bool {
    name.as_str().starts_with(OURS)
}

/// Looks at what is there, which is less than what could be.
fn remove_all(headers: &mut HeaderMap, goes: impl Fn(&HeaderName) -> bool) {
    while let Some(name) = headers.keys().find(|name| goes(name)).cloned() {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn what_a_connection_header_names_goes_with_it() {
        let mut request = headers(&[
            ("connection", "keep-alive, x-secret-hop"),
            ("x-secret-hop", "1"),
            ("x-diamond-user", "u"),
            ("x-diamond-anything", "u"),
            ("cookie", "a=b"),
            ("te", "trailers"),
            ("host", "gateway"),
            ("content-type", "application/json"),
        ]);
        clean_request(&mut request);
        assert_eq!(request, headers(&[("content-type", "application/json")]));
    }

    #[test]
    fn encodings_are_limited_to_what_can_be_read() {
        for (asked, plain_only, expected) in [
            ("gzip, deflate, br, zstd", false, "gzip, deflate, br"),
            ("gzip;q=0.5, *", false, "gzip;q=0.5"),
            ("zstd", false, "identity"),
            ("gzip", true, "identity"),
        ] {
            let mut request = headers(&[("accept-encoding", asked)]);
            limit_encodings(&mut request, plain_only);
            assert_eq!(request[ACCEPT_ENCODING], expected);
        }
        let mut request = HeaderMap::new();
        limit_encodings(&mut request, false);
        assert_eq!(request[ACCEPT_ENCODING], "identity");
    }
}
