//! What an answer says about the key that was used.

use jiff::Timestamp;

/// How far a limit reaches. More keys inside it add no capacity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LimitScope {
    /// This key alone.
    Key,
    /// The project or workspace that the key stands in.
    Project,
    /// The whole account.
    Organization,
}

impl LimitScope {
    /// `key`, `project`, `organization`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Project => "project",
            Self::Organization => "organization",
        }
    }
}

/// A judgement on a key, made from status, headers and the code in the body together: a 403 can be
/// a valid key without a scope, a 429 can be an empty account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyVerdict {
    /// The provider knows the key.
    Valid,
    /// The provider knows the key, which may not do this.
    MissingScope {
        /// The provider's code or words, short.
        reason: String,
    },
    /// The provider does not know the key (any more). Only this ends a key.
    Invalid {
        /// The provider's code.
        reason: String,
    },
    /// The account, the address or the country is refused: another key of it does not help.
    Blocked {
        /// The provider's code.
        reason: String,
    },
    /// The key works; slow down.
    Limited {
        /// Until when, when the provider says so.
        until: Option<Timestamp>,
        /// How far it reaches.
        scope: LimitScope,
    },
    /// As many calls run at once as may: one of them has to end first.
    Crowded {
        /// How far it reaches.
        scope: LimitScope,
    },
    /// The account behind the key has no money or quota left.
    Exhausted {
        /// The provider's code.
        reason: String,
        /// Until when, when the provider says so.
        until: Option<Timestamp>,
        /// How far it reaches.
        scope: LimitScope,
    },
    /// The provider is overloaded; it says nothing of the key.
    Overloaded {
        /// Until when to wait, when the provider says so.
        until: Option<Timestamp>,
    },
    /// The answer speaks of the request: the key was recognised before.
    BadRequest {
        /// The provider's code or the status.
        reason: String,
    },
    /// The answer says nothing about the key.
    Unclear {
        /// Why not.
        reason: String,
    },
}
