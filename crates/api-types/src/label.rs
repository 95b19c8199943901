//! Short texts that people write: names, owners, purposes.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

const CHARACTERS_MAX: usize = 200;

/// 1 to 200 characters on one line, not only spaces: no control characters, which would forge logs and tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Label(String);

/// Why a text is not a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// Empty or too long.
    #[error("the text has 1 to {CHARACTERS_MAX} characters, not {0}")]
    Length(usize),
    /// Nothing but spaces.
    #[error("the text is more than spaces")]
    Blank,
    /// Line ends and the like.
    #[error("the text contains no control characters")]
    Control,
}

impl Label {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Label {
    type Err = LabelError;

    fn from_str(text: &str) -> Result<Self, LabelError> {
        let length = text.chars().count();
        if !(1..=CHARACTERS_MAX).contains(&length) {
            return Err(LabelError::Length(length));
        }
        if text.chars().any(char::is_control) {
            return Err(LabelError::Control);
        }
        if text.trim().is_empty() {
            return Err(LabelError::Blank);
        }
        Ok(Self(text.to_owned()))
    }
}

impl From<Label> for String {
    fn from(label: Label) -> Self {
        label.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Label {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl PartialSchema for Label {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(CHARACTERS_MAX))
            .pattern(Some(r"^(?=.*\S)[^\u0000-\u001f\u007f-\u009f]+$"))
            .description(Some(
                "A line of 1 to 200 characters, not only spaces, without control characters.",
            ))
            .into()
    }
}

impl ToSchema for Label {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_says_why() {
        assert_eq!("".parse::<Label>(), Err(LabelError::Length(0)));
        assert_eq!("a\nb".parse::<Label>(), Err(LabelError::Control));
        assert_eq!("  ".parse::<Label>(), Err(LabelError::Blank));
        assert_eq!(
            "é".repeat(201).parse::<Label>(),
            Err(LabelError::Length(201))
        );
        assert_eq!(
            "é".repeat(200).parse::<Label>().unwrap().as_str().len(),
            400
        );
    }
}
