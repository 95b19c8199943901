//! What an answer says about the key that was used.

use std::time::Duration;

/// A judgement on a key, made from status, headers and the code in the body together: a 403 can be
/// a valid key without a scope, a 429 can be an empty account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyVerdict {
    /// The provider knows the key.
    Valid,
    /// The provider knows the key, which may not do this.
    ValidWithoutScope,
    /// The provider does not know the key (any more).
    Invalid {
        /// The provider's code.
        reason: String,
    },
    /// The key works; slow down.
    Limited {
        /// For how long, when the provider says so.
        retry_after: Option<Duration>,
    },
    /// The account behind the key has no money or quota left.
    Exhausted {
        /// The provider's code.
        reason: String,
    },
    /// The answer says nothing about the key.
    Unclear {
        /// Why not.
        reason: String,
    },
}
