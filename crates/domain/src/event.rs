//! The usage event: one fact about an AI call.

use std::{collections::BTreeMap, fmt, net::IpAddr, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    EventId, Money, OperationId, Quantities, RequestId, SecretVersion, ServiceId, TenantId,
    TokenId, TraceId, UserId, UserSource,
};

/// Defines a closed set of words with their texts, `ALL`, `Display` and `FromStr`.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$variant_doc])* #[serde(rename = $text)] $variant,)* }

        impl $name {
            /// Every one of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The text, as it stands in events.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                Self::ALL.iter().copied().find(|word| word.as_str() == text).ok_or_else(|| {
                    format!("`{text}` is not one of {}", [$($text),*].join(", "))
                })
            }
        }
    };
}

words! {
    /// What the event says about a call.
    EventKind {
        /// The call itself.
        Call = "call",
        /// A later, better figure for it.
        Settlement = "settlement",
        /// A mistake put right.
        Correction = "correction",
    }
}

words! {
    /// Who pays the provider.
    Payer {
        /// We do: the cost is a direct cost.
        Platform = "platform",
        /// The tenant does, with its own key: shown apart, in no direct cost and no allocation.
        Tenant = "tenant",
    }
}

words! {
    /// Where the cost comes from, best first.
    CostBasis {
        /// The provider said what it charged.
        ProviderReported = "provider_reported",
        /// The provider's own count at the catalog's price.
        PricedUsage = "priced_usage",
        /// Our count (bytes of sound, letters of text) at the catalog's price.
        PricedMeasurement = "priced_measurement",
        /// A guess from what was seen before the call broke off.
        Estimated = "estimated",
        /// No price is known. The cost is not zero; it is unknown.
        Unpriced = "unpriced",
    }
}

words! {
    /// How the call ended.
    CallOutcome {
        /// The provider answered and the answer was delivered.
        Succeeded = "succeeded",
        /// The provider answered with an error.
        Failed = "failed",
        /// The caller went away before the end.
        Cancelled = "cancelled",
        /// The provider's answer broke off, or an error stood inside a stream that began well.
        Interrupted = "interrupted",
        /// We died during the call and found it at the next start.
        Lost = "lost",
    }
}

words! {
    /// How we came to know.
    EventSource {
        /// The call went through us.
        Gateway = "gateway",
        /// The caller reported it.
        Api = "api",
        /// An operator brought it in from elsewhere.
        Import = "import",
        /// The provider's own usage report.
        ProviderReport = "provider_report",
    }
}

/// Free words of the caller on an event: at most 16, keys of 1–64 and values of 0–256 bytes.
pub type Tags = BTreeMap<String, String>;

/// Why tags are not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TagsError {
    /// More than sixteen.
    #[error("there may be at most 16 tags, not {0}")]
    TooMany(usize),
    /// A key that is empty, too long or has control characters.
    #[error("a tag's key has 1 to 64 bytes without control characters")]
    Key,
    /// A value that is too long or has control characters.
    #[error("a tag's value has at most 256 bytes without control characters")]
    Value,
}

/// Whether the tags may stand on an event.
///
/// # Errors
/// [`TagsError`] says which rule is broken.
pub fn check_tags(tags: &Tags) -> Result<(), TagsError> {
    if tags.len() > 16 {
        return Err(TagsError::TooMany(tags.len()));
    }
    for (key, value) in tags {
        if key.is_empty() || key.len() > 64 || key.chars().any(char::is_control) {
            return Err(TagsError::Key);
        }
        if value.len() > 256 || value.chars().any(char::is_control) {
            return Err(TagsError::Value);
        }
    }
    Ok(())
}

/// One fact about an AI call.
///
/// `ledger_sequence` and `ingested_at` are given by the ledger; until then they are `None`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UsageEvent {
    /// Hash of what makes the fact this fact; telling it twice changes nothing.
    pub event_id: EventId,
    /// Place in the ledger's order, from 1; given at commit, after deduplication.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger_sequence: Option<u64>,
    /// What it says.
    pub kind: EventKind,
    /// The event that a settlement or correction speaks about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrects: Option<EventId>,
    /// The logical call that attempts belong to.
    pub operation_id: OperationId,
    /// When the call began.
    pub timestamp: Timestamp,
    /// When the ledger took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingested_at: Option<Timestamp>,
    /// W3C trace.
    pub trace_id: TraceId,
    /// Whose call.
    pub tenant_id: TenantId,
    /// Who in that tenant.
    pub user_id: UserId,
    /// Who said so.
    pub user_source: UserSource,
    /// Which provider.
    pub service: ServiceId,
    /// Which model, from the response where it says; empty when the route has none.
    pub model: String,
    /// Which kind of call: `chat.completions`, `embeddings`, …
    pub operation: String,
    /// Which version of the key was used; `None` when we were not in the path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_version: Option<SecretVersion>,
    /// Who pays the provider.
    pub payer: Payer,
    /// What was used.
    pub quantities: Quantities,
    /// What it cost, signed. Meaningless when `cost_basis` is `unpriced`.
    pub cost_usd: Money,
    /// Where the cost comes from.
    pub cost_basis: CostBasis,
    /// The row of the price catalog, with its date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_id: Option<String>,
    /// From the request's first byte to the answer's last, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// From the request's first byte to the answer's first, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte_ms: Option<u64>,
    /// The provider's HTTP status; `None` when it never answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How the call ended.
    pub outcome: CallOutcome,
    /// Whether something is missing from the count.
    pub partial: bool,
    /// Where we stood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// How we came to know.
    pub source: EventSource,
    /// Our request, or the caller's id for a report.
    pub request_id: String,
    /// The provider's name for the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_request_id: Option<String>,
    /// The caller's words.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    /// The provider's usage object, verbatim JSON text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_usage: Option<String>,
    /// With which access token it was made or told; only who may read the audit sees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_id: Option<TokenId>,
    /// From which address; only who may read the audit sees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// Hash of what the reporter said, by which a repeated report is told from another one under
    /// the same id, whatever we made of it (prices move, times are filled in). `None` for our own
    /// events: their whole content counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report_digest: Option<String>,
}

/// A call that is about to be forwarded: what is known before the answer.
///
/// It enters the journal first. If the process dies, recovery turns it into one `partial` event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpenedCall {
    /// The event that will close it.
    pub event_id: EventId,
    /// Our request.
    pub request_id: RequestId,
    /// The logical call.
    pub operation_id: OperationId,
    /// When it began.
    pub timestamp: Timestamp,
    /// W3C trace.
    pub trace_id: TraceId,
    /// Whose call.
    pub tenant_id: TenantId,
    /// Who in that tenant.
    pub user_id: UserId,
    /// Who said so.
    pub user_source: UserSource,
    /// Which provider.
    pub service: ServiceId,
    /// The model asked for; empty when the route has none.
    pub model: String,
    /// Which kind of call.
    pub operation: String,
    /// The key's version.
    pub secret_version: SecretVersion,
    /// Who pays.
    pub payer: Payer,
    /// The most it can cost, as far as that can be told.
    pub estimate_usd: Money,
    /// Where we stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The caller's words.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    /// With which access token; `None` in records from before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_id: Option<TokenId>,
    /// From which address; `None` in records from before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
}

impl OpenedCall {
    /// The event of a call whose end nobody saw: everything that was known, `partial`, its cost
    /// the estimate.
    #[must_use]
    pub fn into_lost_event(self) -> UsageEvent {
        UsageEvent {
            event_id: self.event_id,
            ledger_sequence: None,
            kind: EventKind::Call,
            corrects: None,
            operation_id: self.operation_id,
            timestamp: self.timestamp,
            ingested_at: None,
            trace_id: self.trace_id,
            tenant_id: self.tenant_id,
            user_id: self.user_id,
            user_source: self.user_source,
            service: self.service,
            model: self.model,
            operation: self.operation,
            secret_version: Some(self.secret_version),
            payer: self.payer,
            quantities: Quantities::new().with(crate::Meter::Requests, 1),
            cost_usd: self.estimate_usd,
            cost_basis: CostBasis::Estimated,
            price_id: None,
            duration_ms: None,
            first_byte_ms: None,
            status: None,
            outcome: CallOutcome::Lost,
            partial: true,
            region: self.region,
            source: EventSource::Gateway,
            request_id: self.request_id.to_string(),
            provider_request_id: None,
            tags: self.tags,
            provider_usage: None,
            token_id: self.token_id,
            address: self.address,
            report_digest: None,
        }
    }
}
