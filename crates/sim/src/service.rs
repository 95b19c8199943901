//! The companies that are played.

use serde::{Deserialize, Serialize};

use crate::keys::{DEFAULT_ORGANIZATION, DEFAULT_PROJECT, Key, KeyKind};

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
    Groq,
    Mistral,
    Xai,
    Cohere,
    Openrouter,
    Assemblyai,
    Cartesia,
    Gemini,
    Xero,
    Pagerduty,
}

impl Service {
    /// Every company.
    pub(crate) const ALL: [Self; 15] = [
        Self::Openai,
        Self::Anthropic,
        Self::Elevenlabs,
        Self::Deepgram,
        Self::Hume,
        Self::Groq,
        Self::Mistral,
        Self::Xai,
        Self::Cohere,
        Self::Openrouter,
        Self::Assemblyai,
        Self::Cartesia,
        Self::Gemini,
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
            Self::Groq => "groq",
            Self::Mistral => "mistral",
            Self::Xai => "xai",
            Self::Cohere => "cohere",
            Self::Openrouter => "openrouter",
            Self::Assemblyai => "assemblyai",
            Self::Cartesia => "cartesia",
            Self::Gemini => "gemini",
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

    /// How the value of an ordinary key begins.
    pub(crate) const fn key_prefix(self) -> &'static str {
        match self {
            Self::Openai => "sk-sim-",
            Self::Anthropic => "sk-ant-sim-",
            Self::Elevenlabs => "sk_sim_",
            Self::Groq => "gsk_sim_",
            Self::Xai => "xai-sim-",
            Self::Openrouter => "sk-or-v1-sim-",
            Self::Cartesia => "sk_car_sim_",
            Self::Gemini => "AQ.sim-",
            Self::Deepgram
            | Self::Hume
            | Self::Mistral
            | Self::Cohere
            | Self::Assemblyai
            | Self::Xero
            | Self::Pagerduty => "sim-",
        }
    }

    /// How the value of a key begins that manages others; `None` where the company has no API for
    /// that, or no key apart.
    pub(crate) const fn admin_key_prefix(self) -> Option<&'static str> {
        match self {
            Self::Openai => Some("sk-admin-sim-"),
            Self::Anthropic => Some("sk-ant-admin-sim-"),
            Self::Elevenlabs => Some("sk_admin_sim_"),
            Self::Deepgram => Some("admin-sim-"),
            Self::Openrouter => Some("sk-or-v1-admin-sim-"),
            _ => None,
        }
    }

    /// The project in which an organization begins, where the company has projects that every key
    /// belongs to.
    pub(crate) fn first_project(self, organization: &str) -> Option<String> {
        match self {
            Self::Openai | Self::Deepgram if organization == DEFAULT_ORGANIZATION => {
                Some(DEFAULT_PROJECT.to_owned())
            }
            Self::Openai | Self::Deepgram => Some(format!("proj_{organization}")),
            _ => None,
        }
    }

    /// The keys that everybody may start with. Of the length and manner of real ones, and plainly
    /// none.
    pub(crate) fn starting_keys(self, now: i64) -> Vec<Key> {
        let joint = if self.key_prefix().ends_with('_') {
            '_'
        } else {
            '-'
        };
        let key = |id: String, beginning: &str, kind, name: &str| Key {
            id,
            value: format!(
                "{beginning}{}{joint}0001{joint}{}",
                self.as_str(),
                "NotARealKey".repeat(4)
            ),
            service: self,
            kind,
            name: name.to_owned(),
            organization_id: DEFAULT_ORGANIZATION.to_owned(),
            project_id: self
                .first_project(DEFAULT_ORGANIZATION)
                .filter(|_| kind == KeyKind::Project || self == Self::Deepgram),
            created_at: now,
            ..Key::default()
        };
        let name = self.as_str();
        let ordinary = key(
            format!("key_{name}_0001"),
            self.key_prefix(),
            KeyKind::Project,
            "starting key",
        );
        let admin = self.admin_key_prefix().map(|beginning| {
            key(
                format!("key_{name}_admin_0001"),
                beginning,
                KeyKind::Admin,
                "starting admin key",
            )
        });
        std::iter::once(ordinary).chain(admin).collect()
    }
}
