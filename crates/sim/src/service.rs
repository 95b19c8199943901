//! The companies that are played.

use serde::{Deserialize, Serialize};

/// A company. Its text is its prefix in the address.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Service {
    #[default]
    Openai,
    Anthropic,
    Elevenlabs,
    Deepgram,
    Hume,
    Xero,
    Pagerduty,
}

impl Service {
    /// Every company.
    pub(crate) const ALL: [Self; 7] = [
        Self::Openai,
        Self::Anthropic,
        Self::Elevenlabs,
        Self::Deepgram,
        Self::Hume,
        Self::Xero,
        Self::Pagerduty,
    ];

    /// The text.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Anthropic => "anthropic",
            Self::Elevenlabs => "elevenlabs",
            Self::Deepgram => "deepgram",
            Self::Hume => "hume",
            Self::Xero => "xero",
            Self::Pagerduty => "pagerduty",
        }
    }

    /// The company with this text.
    pub(crate) fn named(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|service| service.as_str() == text)
    }

    /// The value of the key that everybody may start with. Of the length and manner of a real
    /// one, and plainly none.
    pub(crate) fn starting_key(self) -> String {
        let manner = match self {
            Self::Openai => "sk-sim-openai-0001-",
            Self::Anthropic => "sk-ant-sim-anthropic-0001-",
            Self::Elevenlabs => "sk_sim_elevenlabs_0001_",
            Self::Deepgram => "sim-deepgram-0001-",
            Self::Hume => "sim-hume-0001-",
            Self::Xero => "sim-xero-0001-",
            Self::Pagerduty => "sim-pagerduty-0001-",
        };
        format!("{manner}{}", "NotARealKey".repeat(4))
    }
}
