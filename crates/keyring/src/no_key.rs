//! Why there is no key to use.

use std::fmt;

use diamond_domain::{SecretName, SecretVersion, ServiceId, TenantId};
use jiff::Timestamp;

/// What was found where a key could have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceState {
    /// Nothing.
    Absent,
    /// Versions that are stored but not yet in use.
    Pending {
        /// The newest.
        version: SecretVersion,
    },
    /// Versions that were all revoked.
    Revoked {
        /// The newest.
        version: SecretVersion,
    },
    /// A version that the provider refuses.
    Invalid {
        /// Which.
        version: SecretVersion,
    },
    /// A version whose account is empty.
    Exhausted {
        /// Which.
        version: SecretVersion,
        /// When to try again.
        until: Timestamp,
    },
}

impl SourceState {
    /// Whether the search goes on behind it. A key that is there but does not work ends the search:
    /// going on to the next would silently make somebody else pay.
    pub(crate) const fn goes_on(self) -> bool {
        matches!(
            self,
            Self::Absent | Self::Pending { .. } | Self::Revoked { .. }
        )
    }
}

impl fmt::Display for SourceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("there is none"),
            Self::Pending { version } => write!(f, "version {version} is not activated yet"),
            Self::Revoked { version } => write!(f, "version {version} was revoked"),
            Self::Invalid { version } => write!(f, "the provider refuses version {version}"),
            Self::Exhausted { version, until } => {
                write!(f, "the account of version {version} is empty until {until}")
            }
        }
    }
}

/// Everything that was tried, in the order of resolution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// For which service.
    pub service: ServiceId,
    /// For which tenant.
    pub tenant: TenantId,
    /// The secrets that were looked at, each with what was found.
    pub sources: Vec<(SecretName, SourceState)>,
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, state)) in self.sources.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{name}: {state}")?;
        }
        Ok(())
    }
}

/// Why a tenant has no key to use for a service. The text says what was tried and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoKey {
    /// Nobody ever supplied one.
    #[error(
        "the tenant `{}` has no key for `{}` ({tried}): put one with \
         `diamond ai keys:put {} {}`", tried.tenant, tried.service, tried.service, tried.tenant
    )]
    NotConfigured {
        /// What was tried.
        tried: Tried,
    },
    /// One is stored but not yet in use.
    #[error(
        "the key of the tenant `{}` for `{}` is not activated yet ({tried}): try again when it is",
        tried.tenant, tried.service
    )]
    Pending {
        /// What was tried.
        tried: Tried,
    },
    /// The last one was revoked.
    #[error(
        "the key of the tenant `{}` for `{}` was revoked ({tried}): put a new one with \
         `diamond ai keys:put {} {}`", tried.tenant, tried.service, tried.service, tried.tenant
    )]
    Revoked {
        /// What was tried.
        tried: Tried,
    },
    /// The provider refuses it.
    #[error(
        "`{}` refuses the key of the tenant `{}` ({tried}): put a new one with \
         `diamond ai keys:put {} {}`", tried.service, tried.tenant, tried.service, tried.tenant
    )]
    Invalid {
        /// The secret.
        name: SecretName,
        /// The version that is refused.
        version: SecretVersion,
        /// What was tried.
        tried: Tried,
    },
    /// The account behind it is empty.
    #[error(
        "the account of the tenant `{}` at `{}` is empty ({tried}): add credit there, or try \
         again after {until}", tried.tenant, tried.service
    )]
    Exhausted {
        /// The secret.
        name: SecretName,
        /// The version whose account it is.
        version: SecretVersion,
        /// When to try again.
        until: Timestamp,
        /// What was tried.
        tried: Tried,
    },
}

impl NoKey {
    /// The reason that decides, out of everything that was tried: what ended the search, else the
    /// one that is nearest to a working key.
    pub(crate) fn from_tried(tried: Tried) -> Self {
        let mut reason = SourceState::Absent;
        for (name, state) in &tried.sources {
            match *state {
                SourceState::Invalid { version } => {
                    let name = name.clone();
                    return Self::Invalid {
                        name,
                        version,
                        tried,
                    };
                }
                SourceState::Exhausted { version, until } => {
                    let name = name.clone();
                    return Self::Exhausted {
                        name,
                        version,
                        until,
                        tried,
                    };
                }
                SourceState::Pending { .. } => reason = *state,
                SourceState::Revoked { .. } if reason == SourceState::Absent => reason = *state,
                SourceState::Revoked { .. } | SourceState::Absent => {}
            }
        }
        match reason {
            SourceState::Pending { .. } => Self::Pending { tried },
            SourceState::Revoked { .. } => Self::Revoked { tried },
            _ => Self::NotConfigured { tried },
        }
    }

    /// The stable code, as it stands in answers.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotConfigured { .. } => "key_not_configured",
            Self::Pending { .. } => "key_pending",
            Self::Revoked { .. } => "key_revoked",
            Self::Invalid { .. } => "key_invalid",
            Self::Exhausted { .. } => "key_exhausted",
        }
    }

    /// What was tried.
    #[must_use]
    pub const fn tried(&self) -> &Tried {
        match self {
            Self::NotConfigured { tried }
            | Self::Pending { tried }
            | Self::Revoked { tried }
            | Self::Invalid { tried, .. }
            | Self::Exhausted { tried, .. } => tried,
        }
    }
}
