//! What a service's management API can do for keys: conversations that somebody else carries.
//!
//! A conversation is a chain of [`Step`]s: a request to send and what to make of its answer, until
//! it is done. An adapter writes the chain; it never sends.

use std::{fmt, time::Duration};

use diamond_domain::SecretValue;
use jiff::Timestamp;

use crate::{Answer, KeyVerdict, OutboundRequest};

/// Where keys stand at a service, in the words of its adapter: a project, a service account. JSON
/// that only the adapter reads; it holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place(String);

impl Place {
    /// A place as its adapter wrote it.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// For keeping.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a new key shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MintSpec {
    /// Its name at the provider: by it a key whose answer was lost is found again.
    pub key_name: String,
    /// The name of what the tenant's keys stand in, the same for all its keys.
    pub place_name: String,
    /// The place, when it is known already; else it is looked for by its name and made when there
    /// is none.
    pub place: Option<Place>,
    /// What it may do, in the provider's words; empty for the adapter's own least set that carries
    /// AI calls.
    pub permissions: Vec<String>,
    /// After how long it ends by itself; `None` for never.
    pub lifetime: Option<Duration>,
    /// The most it may use, in the provider's unit and period.
    pub usage_limit: Option<u64>,
    /// The only networks it may be used from, in CIDR notation; empty for any.
    pub addresses: Vec<String>,
    /// Words that come back in the provider's usage reports.
    pub tags: Vec<String>,
}

/// A key at its provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderKey {
    /// The provider's id of it.
    pub id: String,
    /// Where it stands.
    pub place: Place,
}

/// A key that was just made.
#[derive(Debug, Clone)]
pub struct Minted {
    /// The key itself: it is told only now.
    pub value: SecretValue,
    /// Which it is.
    pub key: ProviderKey,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}

/// A key in the provider's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedKey {
    /// Which it is.
    pub key: ProviderKey,
    /// Its name there.
    pub name: String,
    /// What the provider shows of its text: `sk-ant-api03-R2D...igAA`.
    pub hint: Option<String>,
    /// Whether it works.
    pub live: bool,
    /// When it was made, where the provider says so.
    pub created_at: Option<Timestamp>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}

/// How much of a provider's cap is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capacity {
    /// What is counted: `service_accounts`.
    pub what: &'static str,
    /// How many there are.
    pub used: u64,
    /// How many there can be; `None` when the provider does not say and none is documented.
    pub limit: Option<u64>,
}

/// Whether a request leaves something behind when its answer is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It only looks.
    Reads,
    /// Sending it again changes nothing more.
    Repeatable,
    /// Each time it is sent something new is there.
    Makes,
}

type Reader<T> = Box<dyn FnOnce(&Answer<'_>) -> Result<Step<T>, ManagementError> + Send>;

/// Where a conversation stands.
#[derive(Debug)]
pub enum Step<T> {
    /// Send this and go on with its answer.
    Ask(Ask<T>),
    /// It is over.
    Done(T),
}

/// A request, and what its answer means.
pub struct Ask<T> {
    /// To be sent.
    pub request: OutboundRequest,
    /// What it leaves behind.
    pub effect: Effect,
    read: Reader<T>,
}

impl<T> Step<T> {
    /// Sends a request and reads its answer.
    pub fn ask(
        request: OutboundRequest,
        effect: Effect,
        read: impl FnOnce(&Answer<'_>) -> Result<Self, ManagementError> + Send + 'static,
    ) -> Self {
        Self::Ask(Ask {
            request,
            effect,
            read: Box::new(read),
        })
    }

    /// Goes on with another conversation when this one is over.
    pub fn then<U: 'static>(
        self,
        next: impl FnOnce(T) -> Result<Step<U>, ManagementError> + Send + 'static,
    ) -> Result<Step<U>, ManagementError>
    where
        T: 'static,
    {
        match self {
            Self::Done(value) => next(value),
            Self::Ask(ask) => {
                let Ask {
                    request,
                    effect,
                    read,
                } = ask;
                Ok(Step::ask(request, effect, move |answer| {
                    read(answer)?.then(next)
                }))
            }
        }
    }
}

impl<T> Ask<T> {
    /// The request, and what reads its answer.
    pub fn into_request(
        self,
    ) -> (
        OutboundRequest,
        impl FnOnce(&Answer<'_>) -> Result<Step<T>, ManagementError> + Send,
    ) {
        (self.request, self.read)
    }

    /// Goes on with the answer.
    ///
    /// # Errors
    /// What the answer says went wrong.
    pub fn answered(self, answer: &Answer<'_>) -> Result<Step<T>, ManagementError> {
        (self.read)(answer)
    }
}

impl<T> fmt::Debug for Ask<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ask")
            .field("request", &self.request)
            .field("effect", &self.effect)
            .finish_non_exhaustive()
    }
}

/// Why a management request did not do what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManagementError {
    /// The management credential is not accepted, or may not do this.
    #[error("the management credential is not accepted: {0:?}")]
    Credential(KeyVerdict),
    /// The provider takes no more of them.
    #[error("the account at the provider is full: {reason}")]
    Full {
        /// What the provider says.
        reason: String,
    },
    /// Not now.
    #[error("the provider does not do this now: {reason}")]
    Later {
        /// When to try again, when the provider says so.
        until: Option<Timestamp>,
        /// What the provider says.
        reason: String,
    },
    /// The provider has understood and refuses.
    #[error("the provider refuses: {reason}")]
    Refused {
        /// What the provider says.
        reason: String,
    },
    /// The answer cannot be understood; whether something was done is not known.
    #[error("the provider's answer cannot be understood: {reason}")]
    Unreadable {
        /// What is wrong with it.
        reason: String,
    },
    /// The provider's API cannot do this at all.
    #[error("{reason}")]
    NotPossible {
        /// Why not, and what a person can do instead.
        reason: &'static str,
    },
}

impl ManagementError {
    /// What a failed management answer means, by the verdict on the credential that asked.
    #[must_use]
    pub fn of(verdict: KeyVerdict, answer: &Answer<'_>) -> Self {
        let status = format!("status {}", answer.status);
        match verdict {
            KeyVerdict::Limited { until, .. } | KeyVerdict::Overloaded { until } => Self::Later {
                until,
                reason: status,
            },
            KeyVerdict::BadRequest { reason } => Self::Refused { reason },
            KeyVerdict::Crowded { .. } => Self::Later {
                until: None,
                reason: status,
            },
            KeyVerdict::Valid | KeyVerdict::Unclear { .. } if answer.status >= 500 => Self::Later {
                until: None,
                reason: status,
            },
            verdict => Self::Credential(verdict),
        }
    }
}

impl ListedKey {
    /// Whether the key can be this one by what the provider shows of it: its beginning and its end.
    /// `false` where the provider shows nothing.
    #[must_use]
    pub fn may_be(&self, key: &SecretValue) -> bool {
        let Some(hint) = self.hint.as_deref() else {
            return false;
        };
        let hidden = |letter: char| matches!(letter, '.' | '*' | '…' | '•');
        let start = hint.split(hidden).next().unwrap_or("");
        let end = hint.rsplit(hidden).next().unwrap_or("");
        let known = start.len() + end.len();
        let text = key.expose();
        known >= 4 && known < text.len() && text.starts_with(start) && text.ends_with(end)
    }
}

/// A service's management API. `admin` is the management credential.
pub trait KeyManagement: Send + Sync {
    /// Makes a key, and first what it stands in, unless that is there.
    ///
    /// # Errors
    /// What cannot be asked for at all.
    fn mint(&self, admin: &SecretValue, spec: &MintSpec) -> Result<Step<Minted>, ManagementError>;

    /// The keys of a place, or of the whole account: every one that this credential may see, live
    /// or not.
    ///
    /// # Errors
    /// What cannot be asked for at all.
    fn list(
        &self,
        admin: &SecretValue,
        place: Option<&Place>,
    ) -> Result<Step<Vec<ListedKey>>, ManagementError>;

    /// Ends a key for good. One that is not there any more is ended already.
    ///
    /// # Errors
    /// What cannot be asked for at all.
    fn revoke(&self, admin: &SecretValue, key: &ProviderKey) -> Result<Step<()>, ManagementError>;

    /// Switches a key off or on again.
    ///
    /// # Errors
    /// [`ManagementError::NotPossible`] where keys have no such switch.
    fn set_enabled(
        &self,
        admin: &SecretValue,
        key: &ProviderKey,
        enabled: bool,
    ) -> Result<Step<()>, ManagementError>;

    /// Makes what a tenant's keys stand in, where that is separate from making a key: for services
    /// whose keys a person makes in a place that we prepare.
    ///
    /// # Errors
    /// [`ManagementError::NotPossible`] where there is no such thing.
    fn prepare_place(
        &self,
        admin: &SecretValue,
        place_name: &str,
    ) -> Result<Step<Place>, ManagementError>;

    /// How much of the provider's caps is used.
    ///
    /// # Errors
    /// What cannot be asked for at all.
    fn capacity(&self, admin: &SecretValue) -> Result<Step<Vec<Capacity>>, ManagementError>;

    /// The cheapest call that proves a management credential.
    fn validation(&self, admin: &SecretValue) -> OutboundRequest;
}
