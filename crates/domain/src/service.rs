//! The AI services that keys belong to.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::id::impl_serde_as_text;

/// An AI provider: `openai`, `anthropic`, …: `[a-z][a-z0-9]*`, 2 to 32 characters.
///
/// No hyphen: the hyphen separates the parts of a [`crate::SecretName`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceId(Arc<str>);

/// Why a text is not a service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServiceIdError {
    /// Too short or too long.
    #[error("a service has 2 to 32 characters, not {0}")]
    Length(usize),
    /// A letter that is not allowed.
    #[error("a service is written in lower-case letters and digits, beginning with a letter")]
    Letters,
}

impl ServiceId {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ServiceId {
    type Err = ServiceIdError;

    fn from_str(text: &str) -> Result<Self, ServiceIdError> {
        if !(2..=32).contains(&text.len()) {
            return Err(ServiceIdError::Length(text.chars().count()));
        }
        let letters = text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if !letters || !text.as_bytes()[0].is_ascii_lowercase() {
            return Err(ServiceIdError::Letters);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl_serde_as_text!(ServiceId);
