//! What a caller tells us about a call: user, tags, trace, tenant.

use diamond_domain::{Tags, TenantId, TraceId, UserId};
use diamond_providers::Fault;
use http::HeaderMap;

use crate::failure::Failure;

/// What the `x-diamond-*` headers and `traceparent` say.
#[derive(Debug)]
pub(crate) struct Labels {
    pub(crate) user: Option<UserId>,
    pub(crate) tags: Tags,
    pub(crate) trace_id: Option<TraceId>,
}

pub(crate) const USER: &str = "x-diamond-user";
pub(crate) const TAGS: &str = "x-diamond-tags";
pub(crate) const TENANT: &str = "x-diamond-tenant";

/// Reads them. A malformed one is refused: silently dropping it would put cost in the wrong place.
pub(crate) fn read(headers: &HeaderMap) -> Result<Labels, Failure> {
    let user = match text(headers, USER)? {
        None => None,
        Some(text) => Some(
            text.parse::<UserId>()
                .map_err(|error| malformed(USER, &error))?,
        ),
    };
    let tags = match text(headers, TAGS)? {
        None => Tags::new(),
        Some(text) => parse_tags(text)?,
    };
    // Whatever else stands there is somebody else's tracing: a new trace begins.
    let trace_id = headers
        .get("traceparent")
        .and_then(|value| value.to_str().ok())
        .and_then(TraceId::from_traceparent);
    Ok(Labels {
        user,
        tags,
        trace_id,
    })
}

/// The tenant that an operator's call names.
pub(crate) fn tenant(headers: &HeaderMap) -> Result<Option<TenantId>, Failure> {
    text(headers, TENANT)?
        .map(|text| text.parse().map_err(|error| malformed(TENANT, &error)))
        .transpose()
}

fn text<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, Failure> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(malformed(name, &"it stands there twice"));
    }
    // Names of people are not ASCII everywhere.
    let text = std::str::from_utf8(value.as_bytes()).map_err(|error| malformed(name, &error))?;
    Ok(Some(text.trim()))
}

/// `key=value,key2=value2`; at most 16, keys of 1 to 64 bytes, values of up to 256.
fn parse_tags(text: &str) -> Result<Tags, Failure> {
    let mut tags = Tags::new();
    for pair in text
        .split(',')
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
    {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(malformed(TAGS, &"each tag is key=value, joined by commas"));
        };
        let (key, value) = (key.trim(), value.trim());
        if key.is_empty() || key.len() > 64 || value.len() > 256 {
            let limits = "a key has 1 to 64 bytes, a value at most 256";
            return Err(malformed(TAGS, &limits));
        }
        if key.chars().chain(value.chars()).any(char::is_control) {
            return Err(malformed(TAGS, &"tags contain no control characters"));
        }
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(malformed(TAGS, &"a key stands there twice"));
        }
    }
    if tags.len() > 16 {
        return Err(malformed(TAGS, &"there are at most 16 tags"));
    }
    Ok(tags)
}

fn malformed(header: &str, reason: &dyn std::fmt::Display) -> Failure {
    Failure::own(
        Fault::BadRequest,
        "malformed_header",
        &format!("The header `{header}` cannot be read: {reason}."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags() {
        let tags = parse_tags(" team = blue ,feature=a=b,").unwrap();
        assert_eq!(tags.get("team").map(String::as_str), Some("blue"));
        assert_eq!(tags.get("feature").map(String::as_str), Some("a=b"));
        let many: Vec<String> = (0..17).map(|n| format!("k{n}=v")).collect();
        for text in [
            "a",
            "=b",
            "a=1,a=2",
            &format!("{}=x", "k".repeat(65)),
            &many.join(","),
        ] {
            assert!(parse_tags(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_user_may_have_any_letters() {
        let mut headers = HeaderMap::new();
        headers.insert(
            USER,
            http::HeaderValue::from_bytes("Zoë".as_bytes()).unwrap(),
        );
        headers.insert("traceparent", "garbage".parse().unwrap());
        let labels = read(&headers).unwrap();
        assert_eq!(labels.user.unwrap().as_str(), "Zoë");
        assert!(labels.trace_id.is_none());
        headers.append(USER, "other".parse().unwrap());
        assert!(read(&headers).is_err());
        headers.insert(USER, "x".repeat(129).parse().unwrap());
        assert!(read(&headers).is_err());
    }
}
