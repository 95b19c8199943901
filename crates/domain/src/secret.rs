//! Names, versions and values of provider credentials.

use std::{fmt, num::NonZeroU32, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use zeroize::Zeroizing;

use crate::{ServiceId, ServiceIdError, TenantId, TenantIdError, id::impl_serde_as_text};

/// What a secret is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretKind {
    /// The platform's key for one tenant.
    Dedicated,
    /// The customer's own key.
    Customer,
    /// The platform's management credential at the service.
    PlatformAdmin,
    /// A customer's own management credential: its keys are minted in the customer's account.
    TenantAdmin,
}

/// The name of a provider credential. Name and parts are in bijection; see [`TenantId`] for the
/// tenant ids that this excludes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecretName {
    /// `ai-{service}-{tenant}`
    Dedicated {
        /// Whose key it is.
        service: ServiceId,
        /// Who uses it.
        tenant: TenantId,
    },
    /// `ai-{service}-{tenant}-customer`
    Customer {
        /// Whose key it is.
        service: ServiceId,
        /// Who supplied it.
        tenant: TenantId,
    },
    /// `ai-{service}-admin`
    PlatformAdmin {
        /// Whose management API it opens.
        service: ServiceId,
    },
    /// `ai-{service}-{tenant}-admin`
    TenantAdmin {
        /// Whose management API it opens.
        service: ServiceId,
        /// Whose account it manages.
        tenant: TenantId,
    },
}

/// Why a text is not a secret's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretNameError {
    /// It does not begin with `ai-`.
    #[error("a secret's name begins with `ai-`")]
    Prefix,
    /// No hyphen behind the service.
    #[error(
        "a secret's name is `ai-SERVICE-TENANT`, `ai-SERVICE-TENANT-customer`, \
             `ai-SERVICE-TENANT-admin` or `ai-SERVICE-admin`"
    )]
    Parts,
    /// The service part is not one.
    #[error(transparent)]
    Service(#[from] ServiceIdError),
    /// The tenant part is not one.
    #[error(transparent)]
    Tenant(#[from] TenantIdError),
}

impl SecretName {
    /// The service that the credential opens.
    #[must_use]
    pub const fn service(&self) -> &ServiceId {
        match self {
            Self::Dedicated { service, .. }
            | Self::Customer { service, .. }
            | Self::PlatformAdmin { service }
            | Self::TenantAdmin { service, .. } => service,
        }
    }

    /// The tenant whose secret it is; `None` for the platform's own.
    #[must_use]
    pub const fn tenant(&self) -> Option<&TenantId> {
        match self {
            Self::Dedicated { tenant, .. }
            | Self::Customer { tenant, .. }
            | Self::TenantAdmin { tenant, .. } => Some(tenant),
            Self::PlatformAdmin { .. } => None,
        }
    }

    /// What the secret is for.
    #[must_use]
    pub const fn kind(&self) -> SecretKind {
        match self {
            Self::Dedicated { .. } => SecretKind::Dedicated,
            Self::Customer { .. } => SecretKind::Customer,
            Self::PlatformAdmin { .. } => SecretKind::PlatformAdmin,
            Self::TenantAdmin { .. } => SecretKind::TenantAdmin,
        }
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dedicated { service, tenant } => write!(f, "ai-{service}-{tenant}"),
            Self::Customer { service, tenant } => write!(f, "ai-{service}-{tenant}-customer"),
            Self::PlatformAdmin { service } => write!(f, "ai-{service}-admin"),
            Self::TenantAdmin { service, tenant } => write!(f, "ai-{service}-{tenant}-admin"),
        }
    }
}

impl fmt::Debug for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for SecretName {
    type Err = SecretNameError;

    fn from_str(text: &str) -> Result<Self, SecretNameError> {
        let rest = text.strip_prefix("ai-").ok_or(SecretNameError::Prefix)?;
        // The service has no hyphen, so the first one ends it.
        let (service, owner) = rest.split_once('-').ok_or(SecretNameError::Parts)?;
        let service = service.parse()?;
        if owner == "admin" {
            return Ok(Self::PlatformAdmin { service });
        }
        // No tenant ends in these, so at most one reading is possible.
        if let Some(tenant) = owner.strip_suffix("-admin") {
            return Ok(Self::TenantAdmin {
                service,
                tenant: tenant.parse()?,
            });
        }
        if let Some(tenant) = owner.strip_suffix("-customer") {
            return Ok(Self::Customer {
                service,
                tenant: tenant.parse()?,
            });
        }
        Ok(Self::Dedicated {
            service,
            tenant: owner.parse()?,
        })
    }
}

impl_serde_as_text!(SecretName);

/// The number of an immutable value of a secret, from 1. Reads name the number, never "latest".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretVersion(NonZeroU32);

impl SecretVersion {
    /// The first version of every secret.
    pub const FIRST: Self = Self(NonZeroU32::MIN);

    /// The version with this number; `None` for 0.
    #[must_use]
    pub const fn new(number: u32) -> Option<Self> {
        match NonZeroU32::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0.get()
    }

    /// The one after this; `None` when the numbers are used up.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }
}

impl fmt::Display for SecretVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for SecretVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

/// Where a version is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VersionState {
    /// Stored, not yet handed to anybody.
    Pending,
    /// The one that new requests use.
    Active,
    /// A newer one is active; requests that pinned this one finish with it.
    Retiring,
    /// Never used again.
    Revoked,
}

impl VersionState {
    /// The text, as it stands in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Retiring => "retiring",
            Self::Revoked => "revoked",
        }
    }
}

impl FromStr for VersionState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Pending, Self::Active, Self::Retiring, Self::Revoked]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a state of a key version"))
    }
}

/// What is known of a key at its provider. Never "dead until restart": every verdict but `Invalid`
/// passes by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum KeyHealth {
    /// Works, as far as we know.
    #[default]
    Ok,
    /// The provider asks us to slow down until then.
    Limited {
        /// When to try again.
        until: jiff::Timestamp,
    },
    /// The account behind the key is empty until then.
    Exhausted {
        /// When to try again.
        until: jiff::Timestamp,
    },
    /// Refused once in a way that may pass.
    Suspect,
    /// The provider does not know the key any more.
    Invalid,
}

/// A provider's key in memory. It has no `Display` and no `Serialize`, its `Debug` is a blank,
/// and its bytes are wiped when it is dropped.
#[derive(Clone)]
pub struct SecretValue(Zeroizing<String>);

impl SecretValue {
    /// Takes the text into custody.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The value, for the last line before the wire.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn service() -> impl Strategy<Value = ServiceId> {
        "[a-z][a-z0-9]{1,31}".prop_map(|text| text.parse().unwrap())
    }

    fn tenant() -> impl Strategy<Value = TenantId> {
        // Made of the words that could be confused with the endings, and of ordinary ones.
        proptest::collection::vec(
            prop_oneof![
                Just("admin".to_owned()),
                Just("customer".to_owned()),
                Just("ai".to_owned()),
                "[a-z][a-z0-9]{0,7}"
            ],
            1..4,
        )
        .prop_map(|words| words.join("-"))
        .prop_filter_map("not a tenant id", |text| text.parse().ok())
    }

    fn name() -> impl Strategy<Value = SecretName> {
        prop_oneof![
            (service(), tenant())
                .prop_map(|(service, tenant)| SecretName::Dedicated { service, tenant }),
            (service(), tenant())
                .prop_map(|(service, tenant)| SecretName::Customer { service, tenant }),
            service().prop_map(|service| SecretName::PlatformAdmin { service }),
            (service(), tenant())
                .prop_map(|(service, tenant)| SecretName::TenantAdmin { service, tenant }),
        ]
    }

    proptest! {
        #[test]
        fn parts_survive_the_name(name in name()) {
            prop_assert_eq!(name.to_string().parse::<SecretName>().unwrap(), name);
        }

        #[test]
        fn a_text_that_parses_is_the_name_of_its_parts(text in "ai-[a-z0-9-]{2,40}") {
            if let Ok(name) = text.parse::<SecretName>() {
                prop_assert_eq!(name.to_string(), text);
            }
        }

        #[test]
        fn two_names_are_two_texts(one in name(), other in name()) {
            prop_assert_eq!(one == other, one.to_string() == other.to_string());
        }
    }

    #[test]
    fn traps_are_refused_with_a_reason() {
        for (text, reason) in [
            ("coaching-customer", TenantIdError::Ending("-customer")),
            ("coaching-admin", TenantIdError::Ending("-admin")),
            ("admin", TenantIdError::Reserved),
            ("a--b", TenantIdError::Letters),
            ("-abc", TenantIdError::Letters),
            ("abc-", TenantIdError::Letters),
            ("1abc", TenantIdError::Letters),
            ("Abc", TenantIdError::Letters),
            ("ab", TenantIdError::Length(2)),
            ("abcdefghijklmnopqrstuvwx", TenantIdError::Length(24)),
        ] {
            assert_eq!(text.parse::<TenantId>(), Err(reason), "{text}");
        }
        assert_eq!("open-ai".parse::<ServiceId>(), Err(ServiceIdError::Letters));
    }

    #[test]
    fn a_value_does_not_print_itself() {
        let value = SecretValue::new("sk-very-secret".into());
        assert!(!format!("{value:?}").contains("secret"));
    }
}
