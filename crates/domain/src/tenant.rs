//! Tenants and their tiers.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::id::impl_serde_as_text;

/// A customer organisation: 3 to 23 characters, `[a-z][a-z0-9-]*[a-z0-9]`.
///
/// No `--`, not `admin`, not ending in `-admin` or `-customer`: those endings are parts of a
/// [`crate::SecretName`], and a tenant `coaching-customer` would own the customer key of the
/// tenant `coaching`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantId(Arc<str>);

/// Why a text is not a tenant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TenantIdError {
    /// Too short or too long.
    #[error("a tenant id has 3 to 23 characters, not {0}")]
    Length(usize),
    /// A character that is not allowed, or in a place where it is not.
    #[error(
        "a tenant id is written in lower-case letters, digits and single hyphens, begins with a \
         letter and ends with a letter or digit"
    )]
    Letters,
    /// The name stands for the platform itself.
    #[error("the tenant id `admin` is reserved for the platform's own credentials")]
    Reserved,
    /// The ending is a part of a secret's name.
    #[error("a tenant id must not end in `{0}`: that ending marks a kind of secret")]
    Ending(&'static str),
}

impl TenantId {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TenantId {
    type Err = TenantIdError;

    fn from_str(text: &str) -> Result<Self, TenantIdError> {
        if !(3..=23).contains(&text.len()) {
            return Err(TenantIdError::Length(text.chars().count()));
        }
        let bytes = text.as_bytes();
        let letters = bytes
            .iter()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        let ends = bytes[0].is_ascii_lowercase() && bytes[bytes.len() - 1] != b'-';
        if !letters || !ends || text.contains("--") {
            return Err(TenantIdError::Letters);
        }
        if text == "admin" {
            return Err(TenantIdError::Reserved);
        }
        for ending in ["-admin", "-customer"] {
            if text.ends_with(ending) {
                return Err(TenantIdError::Ending(ending));
            }
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl_serde_as_text!(TenantId);

/// What a tenant bought: decides where its keys come from and its default price plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// Keys are ours; the smallest plan.
    ManagedStarter,
    /// Keys are ours; the middle plan.
    ManagedProfessional,
    /// Keys are ours; the largest plan.
    ManagedEnterprise,
    /// The customer brings its own keys and pays the providers itself.
    CustomerProvided,
}

impl Tier {
    /// Every tier, in the order of the price list.
    pub const ALL: [Self; 4] = [
        Self::ManagedStarter,
        Self::ManagedProfessional,
        Self::ManagedEnterprise,
        Self::CustomerProvided,
    ];

    /// The text, as it stands in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ManagedStarter => "managed-starter",
            Self::ManagedProfessional => "managed-professional",
            Self::ManagedEnterprise => "managed-enterprise",
            Self::CustomerProvided => "customer-provided",
        }
    }
}

/// The text names no tier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a tier is one of managed-starter, managed-professional, managed-enterprise, customer-provided"
)]
pub struct UnknownTier;

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Tier {
    type Err = UnknownTier;

    fn from_str(text: &str) -> Result<Self, UnknownTier> {
        Self::ALL
            .into_iter()
            .find(|tier| tier.as_str() == text)
            .ok_or(UnknownTier)
    }
}
