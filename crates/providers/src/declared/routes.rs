//! The paths of a declared service.

use http::Method;

use super::usage::UsageReader;
use crate::{BodyKind, Classified, Metering, RefusedRoute, Route, table};

/// What we count where the answer does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    /// The characters of the text to be spoken.
    Characters,
    /// The length of the sound that was sent.
    Sound,
    /// The call itself.
    Nothing,
}

/// What becomes of a path.
#[derive(Debug, Clone)]
pub(super) enum Carry {
    Forward {
        metering: Metering,
        body: BodyKind,
        may_stream: bool,
        replay_safe: bool,
        measure: Measure,
        /// Place of its reader among the declaration's.
        usage: Option<usize>,
    },
    Refuse(RefusedRoute),
}

/// A path.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// `None` is any.
    pub(super) method: Option<String>,
    /// Without the first slash.
    pub(super) path: PathPattern,
    pub(super) operation: String,
    pub(super) carry: Carry,
}

/// A path with gaps: `*` is a whole part, a last `**` any further ones, and one `{model}` in a part
/// is the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PathPattern(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Fixed(String),
    Any,
    Rest,
    Model { before: String, after: String },
}

/// Account administration.
pub(super) const MANAGEMENT: RefusedRoute = RefusedRoute {
    forbidden: true,
    code: "management_route_refused",
    message: "The provider's management API is not reachable through the gateway. Keys and costs \
              are managed with the key manager's own API.",
};

pub(super) const SOCKET: RefusedRoute = RefusedRoute {
    forbidden: false,
    code: "websocket_not_supported",
    message: "WebSocket sessions of this service are not carried by the gateway.",
};

impl PathPattern {
    /// The pattern that a text declares, or what is wrong with it.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let path = text
            .strip_prefix('/')
            .ok_or_else(|| format!("`{text}` must begin with `/`"))?;
        let segments: Vec<&str> = path.split('/').collect();
        let mut parts = Vec::new();
        for (place, segment) in segments.iter().enumerate() {
            parts.push(match *segment {
                "" => return Err(format!("`{text}` has an empty part")),
                "*" => Part::Any,
                "**" if place + 1 == segments.len() => Part::Rest,
                segment => match segment.split_once("{model}") {
                    Some((before, after)) => Part::Model {
                        before: before.to_owned(),
                        after: after.to_owned(),
                    },
                    None => Part::Fixed(segment.to_owned()),
                },
            });
            let gap = matches!(parts.last(), Some(Part::Any | Part::Rest));
            let fixed = segment.replacen("{model}", "", 1);
            if !gap && fixed.contains(['{', '}', '*', '?', '#', ' ']) {
                return Err(format!(
                    "`{segment}` is no part of a path: `*` stands alone, `**` at the end, and \
                     `{{model}}` once in a part"
                ));
            }
        }
        Ok(Self(parts))
    }

    /// Whether a path (without its first slash) fits; the model in it.
    pub(super) fn fits<'a>(&self, path: &'a str) -> Option<Option<&'a str>> {
        let (mut segments, mut model) = (path.split('/'), None);
        for part in &self.0 {
            match part {
                Part::Rest => return Some(model),
                Part::Any => {
                    segments.next().filter(|segment| !segment.is_empty())?;
                }
                Part::Fixed(text) => {
                    segments.next().filter(|segment| segment == text)?;
                }
                Part::Model { before, after } => {
                    let segment = segments.next()?.strip_prefix(before.as_str())?;
                    let found = segment.strip_suffix(after.as_str())?;
                    model = Some(found).filter(|found| !found.is_empty());
                    model?;
                }
            }
        }
        segments.next().is_none().then_some(model)
    }
}

/// The row of a path; the first that fits counts.
pub(super) fn find<'a>(rows: &'a [Row], method: &Method, path: &str) -> Option<&'a Row> {
    let method = if method == Method::HEAD {
        "GET"
    } else {
        method.as_str()
    };
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    rows.iter().find(|row| {
        let meant = row.method.as_deref().is_none_or(|of| of == method);
        meant && row.path.fits(path).is_some()
    })
}

/// What a row is to the gateway.
pub(super) fn classified(
    row: Option<&Row>,
    operation: impl Fn(&Row) -> &'static str,
) -> Classified {
    let Some(row) = row else {
        return Classified::Forward(table::UNKNOWN);
    };
    match &row.carry {
        Carry::Refuse(refused) => Classified::Refuse(*refused),
        Carry::Forward {
            metering,
            body,
            may_stream,
            replay_safe,
            ..
        } => Classified::Forward(Route {
            operation: operation(row),
            metering: *metering,
            body: *body,
            may_stream: *may_stream,
            replay_safe: *replay_safe,
        }),
    }
}

impl Row {
    /// How its answers are read, and what is measured where they do not say.
    pub(super) fn reading<'a>(
        &self,
        readers: &'a [UsageReader],
    ) -> (Option<&'a UsageReader>, Measure) {
        match &self.carry {
            Carry::Forward { usage, measure, .. } => {
                (usage.and_then(|place| readers.get(place)), *measure)
            }
            Carry::Refuse(_) => (None, Measure::Nothing),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_found_by_its_parts_and_names_its_model() {
        let fits = |pattern: &str, path: &str| {
            let pattern = PathPattern::read(pattern).unwrap();
            pattern.fits(path).map(|model| model.map(str::to_owned))
        };
        assert_eq!(fits("/v1/chat", "v1/chat"), Some(None));
        assert_eq!(fits("/v1/chat", "v1/chat/x"), None);
        assert_eq!(fits("/v1/files/**", "v1/files"), Some(None));
        assert_eq!(fits("/v1/files/**", "v1/files/a/b"), Some(None));
        assert_eq!(fits("/v1/*/x", "v1//x"), None);
        let generate = "/v1beta/models/{model}:generateContent";
        assert_eq!(
            fits(generate, "v1beta/models/gemini-3:generateContent"),
            Some(Some("gemini-3".to_owned()))
        );
        assert_eq!(fits(generate, "v1beta/models/:generateContent"), None);
        assert_eq!(fits(generate, "v1beta/models/gemini-3:countTokens"), None);
        for bad in ["v1", "/v1//x", "/v1/**/x", "/v1/{id}", "/v1/a*b", "/v1/a b"] {
            assert!(PathPattern::read(bad).is_err(), "{bad}");
        }
    }
}
