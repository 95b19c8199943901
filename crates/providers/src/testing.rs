//! What the services' tests share.

use diamond_domain::SecretValue;
use http::HeaderMap;
use jiff::Timestamp;

use crate::{
    Answer, HeaderText, KeyVerdict, ManagementError, MintSpec, Place, ResponseMeter, SseScan, Step,
};

/// The time in every recorded answer.
pub(crate) fn now() -> Timestamp {
    "2026-11-28T10:00:00Z".parse().unwrap()
}

/// Carries a conversation on prepared answers; what was asked, and how it ended. Every request
/// must carry its credential as one.
pub(crate) fn carry<T>(
    step: Step<T>,
    answers: &[(u16, &str)],
) -> (Vec<String>, Result<T, ManagementError>) {
    let mut asked = Vec::new();
    let mut answers = answers.iter();
    let mut step = Ok(step);
    loop {
        match step {
            Ok(Step::Done(value)) => {
                assert_eq!(answers.len(), 0, "answers are left: asked {asked:?}");
                return (asked, Ok(value));
            }
            Err(error) => return (asked, Err(error)),
            Ok(Step::Ask(ask)) => {
                let request = &ask.request;
                let secret = |text: &HeaderText| matches!(text, HeaderText::Secret(_));
                let carries = request.headers.iter().any(|(_, text)| secret(text));
                assert!(carries, "{request:?}");
                let body = String::from_utf8_lossy(&request.body);
                let line = format!("{} {} {body}", request.method, request.path_and_query);
                asked.push(line.trim_end().to_owned());
                let (status, body) = answers
                    .next()
                    .unwrap_or_else(|| panic!("no answer is left for {asked:?}"));
                step = ask.answered(&answer(*status, &HeaderMap::new(), body.as_bytes()));
            }
        }
    }
}

pub(crate) fn answer<'a>(status: u16, headers: &'a HeaderMap, body: &'a [u8]) -> Answer<'a> {
    Answer {
        status,
        headers,
        body,
        now: now(),
    }
}

pub(crate) fn header_map(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| {
            let name = http::HeaderName::from_static(name);
            (name, value.parse().unwrap())
        })
        .collect()
}

/// Feeds a whole stream to a meter, in pieces of this size.
pub(crate) fn feed(
    meter: &mut dyn ResponseMeter,
    stream: &[u8],
    piece: usize,
) -> Vec<crate::EventRole> {
    let mut scan = SseScan::new();
    let mut roles = Vec::new();
    for chunk in stream.chunks(piece) {
        scan.push(chunk, |event| {
            roles.push(meter.event(event.name, event.data));
        });
    }
    roles
}

/// A verdict's kind, for tables of them.
pub(crate) fn word(verdict: &KeyVerdict) -> &'static str {
    match verdict {
        KeyVerdict::Valid => "valid",
        KeyVerdict::MissingScope { .. } => "missing_scope",
        KeyVerdict::Invalid { .. } => "invalid",
        KeyVerdict::Blocked { .. } => "blocked",
        KeyVerdict::Limited { .. } => "limited",
        KeyVerdict::Crowded { .. } => "crowded",
        KeyVerdict::Exhausted { .. } => "exhausted",
        KeyVerdict::Overloaded { .. } => "overloaded",
        KeyVerdict::BadRequest { .. } => "bad_request",
        KeyVerdict::Unclear { .. } => "unclear",
    }
}

pub(crate) fn mint_spec(place: Option<Place>) -> MintSpec {
    MintSpec {
        key_name: "ukm-i-zaxon-r-1".into(),
        place_name: "ukm-i-zaxon".into(),
        place,
        permissions: Vec::new(),
        lifetime: None,
        usage_limit: None,
        addresses: Vec::new(),
        tags: Vec::new(),
    }
}

pub(crate) fn admin() -> SecretValue {
    SecretValue::new("admin-test".to_owned())
}
