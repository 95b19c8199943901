//! Something that somebody should look at.

use std::fmt;

use crate::TenantId;

/// The stable code of a kind of alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlarmCode {
    /// A call whose model has no price in the catalog.
    UnpricedUsage,
    /// A provider's count contradicts itself (more cached than counted).
    InconsistentUsage,
    /// A call to a route that we do not know.
    UnknownRoute,
    /// Calls that were open when the process died.
    RecoveredCalls,
    /// A provider refused a key as invalid.
    InvalidKey,
    /// An account at a provider is empty.
    ExhaustedKey,
    /// An operator received a key's value.
    OperatorReveal,
    /// The journal or the audit log cannot be written.
    JournalUnwritable,
    /// The control database cannot be reached.
    DatabaseUnreachable,
    /// The audit chain does not hold.
    AuditBroken,
    /// A stored key cannot be opened.
    UnreadableSecret,
    /// This installation was brought back from a backup and not released yet.
    RestoreQuarantine,
    /// A witness of the audit log cannot be reached.
    WitnessUnreachable,
    /// A node has not said that it refuses what was revoked.
    RevocationUnacknowledged,
    /// The listener's new certificate cannot be used.
    TlsCertificateUnusable,
    /// The listener's certificate is about to end.
    TlsCertificateExpiring,
    /// A provider's certificate is not trusted.
    UpstreamUntrusted,
    /// Two processes serve as one node.
    NodeDoubled,
    /// A node lacks a master key that the store needs or will need.
    MasterKeyMissing,
    /// A provider knows a key and does not let it in from here.
    BlockedKey,
    /// A key could not be rotated.
    RotationFailed,
    /// A rotation waits until a person brings a key.
    RotationWaiting,
    /// An old key was ended although not everybody had let go of it.
    DrainForced,
    /// A node has not let go of an old key for long.
    DrainHeld,
    /// A key could not be ended at its provider.
    RevokeFailed,
    /// A service's keys are not replaced any more until it works again.
    RotationBreakerOpen,
    /// A provider lists a key that nobody here knows.
    UnknownProviderKey,
    /// A provider's cap is nearly reached.
    ProviderCapacity,
    /// One key is stored for several tenants.
    SharedKey,
}

impl AlarmCode {
    /// The text, as it stands in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnpricedUsage => "unpriced_usage",
            Self::InconsistentUsage => "inconsistent_usage",
            Self::UnknownRoute => "unknown_route",
            Self::RecoveredCalls => "recovered_calls",
            Self::InvalidKey => "invalid_key",
            Self::ExhaustedKey => "exhausted_key",
            Self::OperatorReveal => "operator_reveal",
            Self::JournalUnwritable => "journal_unwritable",
            Self::DatabaseUnreachable => "database_unreachable",
            Self::AuditBroken => "audit_broken",
            Self::UnreadableSecret => "unreadable_secret",
            Self::RestoreQuarantine => "restore_quarantine",
            Self::WitnessUnreachable => "witness_unreachable",
            Self::RevocationUnacknowledged => "revocation_unacknowledged",
            Self::TlsCertificateUnusable => "tls_certificate_unusable",
            Self::TlsCertificateExpiring => "tls_certificate_expiring",
            Self::UpstreamUntrusted => "upstream_untrusted",
            Self::NodeDoubled => "node_doubled",
            Self::MasterKeyMissing => "master_key_missing",
            Self::BlockedKey => "blocked_key",
            Self::RotationFailed => "rotation_failed",
            Self::RotationWaiting => "rotation_waiting",
            Self::DrainForced => "drain_forced",
            Self::DrainHeld => "drain_held",
            Self::RevokeFailed => "revoke_failed",
            Self::RotationBreakerOpen => "rotation_breaker_open",
            Self::UnknownProviderKey => "unknown_provider_key",
            Self::ProviderCapacity => "provider_capacity",
            Self::SharedKey => "shared_key",
        }
    }
}

impl fmt::Display for AlarmCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An alarm as it is raised. The same code and subject raised again counts up one alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// What kind.
    pub code: AlarmCode,
    /// Whom it concerns; `None` for the platform.
    pub tenant: Option<TenantId>,
    /// What it is about, short and stable (`openai/gpt-9`): repeated raises are joined by it.
    pub subject: String,
    /// What happened and what to do, for a person. Never a secret, never a body.
    pub detail: String,
}

/// Takes alarms from anywhere, also from the hot path: `raise` neither waits nor fails.
pub trait AlarmSink: Send + Sync {
    /// Hands the alarm over.
    fn raise(&self, alarm: Alarm);
}
