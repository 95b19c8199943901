//! Paging: lists take `?limit&cursor` and answer `{items, nextCursor}`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de};
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, Type},
};

/// How many items a list answers when not told.
pub const LIMIT_DEFAULT: u32 = 100;
/// How many items a list answers at most.
pub const LIMIT_MAX: u32 = 1_000;

/// How many items a list may answer: 1 to 1,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Limit(u32);

/// The number is not a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a limit is a whole number from 1 to {LIMIT_MAX}")]
pub struct LimitError;

impl Limit {
    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(LIMIT_DEFAULT)
    }
}

impl FromStr for Limit {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        let number = text.parse().map_err(|_| LimitError)?;
        (1..=LIMIT_MAX)
            .contains(&number)
            .then_some(Self(number))
            .ok_or(LimitError)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

// Only query strings carry a limit, and they carry text.
impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl PartialSchema for Limit {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int32)))
            .minimum(Some(1))
            .maximum(Some(LIMIT_MAX))
            .default(Some(LIMIT_DEFAULT.into()))
            .description(Some("At most so many items."))
            .into()
    }
}

impl ToSchema for Limit {}

/// Which part of a list.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageParams {
    /// At most so many items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<Limit>, inline)]
    pub limit: Option<Limit>,
    /// Where to go on: the `nextCursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(min_length = 1)]
    pub cursor: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_has_bounds() {
        assert_eq!("1".parse::<Limit>().unwrap().get(), 1);
        assert_eq!("1000".parse::<Limit>().unwrap().get(), 1_000);
        for text in ["0", "1001", "-1", "ten", ""] {
            assert_eq!(text.parse::<Limit>(), Err(LimitError), "{text}");
        }
    }
}
