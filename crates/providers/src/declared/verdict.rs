//! What an answer says about the key, by the rules of a declaration; the first that fits counts.

use serde_json::Value;

use super::json_path::{JsonPath, text_of};
use crate::{Answer, KeyVerdict, LimitScope};

/// Words longer than this are no code.
const REASON_LETTERS: usize = 64;

/// What a rule says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Valid,
    MissingScope,
    Invalid,
    Blocked,
    Limited,
    Crowded,
    Exhausted,
    Overloaded,
    BadRequest,
    Unclear,
}

impl Kind {
    /// Every word.
    pub(super) const ALL: [(&'static str, Self); 10] = [
        ("valid", Self::Valid),
        ("missing_scope", Self::MissingScope),
        ("invalid", Self::Invalid),
        ("blocked", Self::Blocked),
        ("limited", Self::Limited),
        ("crowded", Self::Crowded),
        ("exhausted", Self::Exhausted),
        ("overloaded", Self::Overloaded),
        ("bad_request", Self::BadRequest),
        ("unclear", Self::Unclear),
    ];
}

/// Every word for how far a limit reaches.
pub(super) const SCOPES: [(&str, LimitScope); 3] = [
    ("key", LimitScope::Key),
    ("project", LimitScope::Project),
    ("organization", LimitScope::Organization),
];

/// A rule.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    /// None is any.
    pub(super) status: Vec<u16>,
    /// Where a text stands that must be there; `.` is the whole body, whatever it is.
    pub(super) path: Option<JsonPath>,
    /// What the text is, or holds; none of both is anything.
    pub(super) is: Vec<String>,
    pub(super) contains: Vec<String>,
    pub(super) kind: Kind,
    pub(super) scope: LimitScope,
}

impl Rule {
    /// Whether the rule is for an answer; what it was found by.
    fn fits(&self, answer: &Answer<'_>, body: Option<&Value>) -> Option<String> {
        if !self.status.is_empty() && !self.status.contains(&answer.status) {
            return None;
        }
        let Some(path) = &self.path else {
            return Some(format!("status {}", answer.status));
        };
        let whole = path.parts().is_empty();
        let texts: Vec<String> = if whole {
            vec![String::from_utf8_lossy(answer.body).into_owned()]
        } else {
            let found = path.find(body?);
            found.into_iter().filter_map(text_of).collect()
        };
        let fits = |text: &String| {
            let anything = self.is.is_empty() && self.contains.is_empty();
            anything
                || self.is.contains(text)
                || self.contains.iter().any(|part| text.contains(part))
        };
        let found = texts.into_iter().find(fits)?;
        // Of a whole body only its status is told: it may hold anything.
        Some(if whole || found.chars().count() > REASON_LETTERS {
            format!("status {}", answer.status)
        } else {
            found
        })
    }
}

/// The verdict of the first rule that fits; `None` when none does.
pub(super) fn by_rules(rules: &[Rule], answer: &Answer<'_>) -> Option<KeyVerdict> {
    let body = serde_json::from_slice::<Value>(answer.body).ok();
    let (rule, reason) = rules
        .iter()
        .find_map(|rule| Some((rule, rule.fits(answer, body.as_ref())?)))?;
    let (scope, until) = (rule.scope, answer.retry_after());
    Some(match rule.kind {
        Kind::Valid => KeyVerdict::Valid,
        Kind::MissingScope => KeyVerdict::MissingScope { reason },
        Kind::Invalid => KeyVerdict::Invalid { reason },
        Kind::Blocked => KeyVerdict::Blocked { reason },
        Kind::Limited => KeyVerdict::Limited { until, scope },
        Kind::Crowded => KeyVerdict::Crowded { scope },
        Kind::Exhausted => KeyVerdict::Exhausted {
            reason,
            until,
            scope,
        },
        Kind::Overloaded => KeyVerdict::Overloaded { until },
        Kind::BadRequest => KeyVerdict::BadRequest { reason },
        Kind::Unclear => KeyVerdict::Unclear { reason },
    })
}

/// What a status means where no rule speaks of it. A key never ends by that.
pub(super) fn by_status(answer: &Answer<'_>) -> KeyVerdict {
    let reason = format!("status {}", answer.status);
    match answer.status {
        200..=299 => KeyVerdict::Valid,
        429 => KeyVerdict::Limited {
            until: answer.retry_after(),
            scope: LimitScope::Organization,
        },
        500 | 502 | 503 | 504 | 529 => KeyVerdict::Overloaded {
            until: answer.retry_after(),
        },
        400 | 404 | 405 | 409 | 413 | 415 | 422 => KeyVerdict::BadRequest { reason },
        _ => KeyVerdict::Unclear { reason },
    }
}
