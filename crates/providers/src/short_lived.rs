//! Tokens of a provider that end soon by themselves: handed out in the place of a key.

use std::time::Duration;

use diamond_domain::SecretValue;
use jiff::Timestamp;

/// What a short-lived token is wanted for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ShortLivedSpec {
    /// The provider's word for what it opens, where there are several: `realtime_scribe`.
    pub kind: Option<String>,
    /// How long it shall live; `None` for the provider's own length.
    pub lifetime: Option<Duration>,
}

/// A token that ends soon.
#[derive(Debug, Clone)]
pub struct ShortLived {
    /// The token itself.
    pub value: SecretValue,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Whether its first use ends it.
    pub single_use: bool,
}
