//! Users: whoever acts inside a tenant, person or agent.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::id::impl_serde_as_text;

/// An opaque name of at most 128 bytes without control characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(Arc<str>);

/// Why a text is not a user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UserIdError {
    /// Nothing there.
    #[error("a user id is not empty")]
    Empty,
    /// Too long.
    #[error("a user id has at most 128 bytes, not {0}")]
    TooLong(usize),
    /// Line ends and other control characters would forge headers and logs.
    #[error("a user id contains no control characters")]
    Control,
}

impl UserId {
    /// Who a call belongs to when nobody said.
    #[must_use]
    pub fn unknown() -> Self {
        Self("unknown".into())
    }

    /// Use of a revealed key that nobody reported, found by reconciliation.
    #[must_use]
    pub fn unattributed() -> Self {
        Self("unattributed".into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UserId {
    type Err = UserIdError;

    fn from_str(text: &str) -> Result<Self, UserIdError> {
        if text.is_empty() {
            return Err(UserIdError::Empty);
        }
        if text.len() > 128 {
            return Err(UserIdError::TooLong(text.len()));
        }
        if text.chars().any(char::is_control) {
            return Err(UserIdError::Control);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl_serde_as_text!(UserId);

/// Who said which user it was; strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserSource {
    /// The access token is bound to the user.
    Token,
    /// Header `x-diamond-user`.
    Header,
    /// The body's `userId`.
    Body,
    /// The provider's own user field in the request.
    Provider,
    /// Nobody.
    Unknown,
}
