//! Where something stands in JSON: `usage.prompt_tokens`, `choices.*.delta.content`; `.` is all of
//! it, `*` every element of a list.

use serde_json::Value;

/// Deeper than any honest answer.
const DEPTH_MAX: usize = 16;

/// A place in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct JsonPath(Vec<String>);

impl JsonPath {
    /// The place that a text names, or what is wrong with the text.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        if text == "." {
            return Ok(Self::default());
        }
        let parts: Vec<String> = text.split('.').map(str::to_owned).collect();
        if parts.iter().any(String::is_empty) {
            return Err(format!(
                "`{text}` is no place in JSON: names with dots between them, such as \
                 `usage.prompt_tokens`, or `.` for all of it"
            ));
        }
        if parts.len() > DEPTH_MAX {
            return Err(format!("`{text}` is deeper than {DEPTH_MAX} names"));
        }
        Ok(Self(parts))
    }

    pub(super) fn parts(&self) -> &[String] {
        &self.0
    }

    /// The values that stand there.
    pub(super) fn find<'a>(&self, body: &'a Value) -> Vec<&'a Value> {
        let mut found = vec![body];
        for part in &self.0 {
            found = found
                .into_iter()
                .flat_map(|value| match (part.as_str(), value) {
                    ("*", Value::Array(items)) => items.iter().collect::<Vec<_>>(),
                    (name, value) => value.get(name).into_iter().collect(),
                })
                .collect();
        }
        found
    }

    /// The first value that stands there, `null` not counted.
    pub(super) fn first<'a>(&self, body: &'a Value) -> Option<&'a Value> {
        self.find(body).into_iter().find(|value| !value.is_null())
    }

    /// The first value as a text; numbers and truths as JSON writes them.
    pub(super) fn text(&self, body: &Value) -> Option<String> {
        self.first(body).and_then(text_of)
    }
}

/// A text, a number or a truth as a text.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}
