//! Every way of saying no.

use std::{fmt, net::IpAddr, time::Duration};

use diamond_domain::{BudgetName, Money, Scope, ServiceId, TenantId, UserId};
use jiff::Timestamp;

use crate::MalformedToken;

/// What kind of no it is: what the caller would have to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusalKind {
    /// The request lacks something. HTTP 400.
    Invalid,
    /// We do not know who is asking. HTTP 401.
    Unauthenticated,
    /// We know, and the answer is no. HTTP 403.
    Forbidden,
    /// There is no such thing for this caller. HTTP 404.
    NotFound,
    /// Not now: an allowance is used up. HTTP 429.
    Limited,
    /// Not now and not here: this node cannot decide. HTTP 503.
    Unavailable,
}

/// Whose list does not have the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceFence {
    /// The token's.
    Token,
    /// The tenant's.
    Tenant,
}

impl fmt::Display for ServiceFence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token => "this access token",
            Self::Tenant => "this tenant",
        })
    }
}

/// A budget that is used up, in figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetAmounts {
    /// The most that the call can come to.
    pub estimate: Money,
    /// What may be spent in a period.
    pub limit: Money,
    /// What is neither spent nor reserved; never less than nothing.
    pub left: Money,
}

impl fmt::Display for BudgetAmounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            estimate,
            limit,
            left,
        } = self;
        write!(
            f,
            " (it can come to ${estimate}, and of ${limit} there are ${left} left)"
        )
    }
}

/// Why something is not allowed. The text is meant for the caller: it repeats nothing that the
/// caller may not know and says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No token at all.
    #[error(
        "no access token was given: send `Authorization: Bearer dmd_…`, or put the token where \
         the service's own key would go"
    )]
    MissingToken,
    /// The text is not a token.
    #[error("this is not an access token of ours: {0}")]
    MalformedToken(#[from] MalformedToken),
    /// The form is right, but nobody has this token.
    #[error(
        "this access token is not known here: check that it belongs to this installation, or ask \
         for a new one"
    )]
    UnknownToken,
    /// What this node knows is too old to decide by.
    #[error(
        "this node lost the control database more than {} s ago, so it can no longer tell who may \
         do what: try again later or at another node; its operator finds the reason at /readyz \
         and in its log", .limit.as_secs()
    )]
    Stale {
        /// How old it may be.
        limit: Duration,
    },
    /// It was withdrawn.
    #[error("this access token was revoked at {at}: ask for a new one")]
    RevokedToken {
        /// When.
        at: Timestamp,
    },
    /// Its time is over.
    #[error("this access token expired at {at}: ask for a new one")]
    ExpiredToken {
        /// When.
        at: Timestamp,
    },
    /// It may not be used from there.
    #[error(
        "this access token may not be used from {address}: use it from where it was meant for, or \
         ask for one that allows this address"
    )]
    AddressNotAllowed {
        /// From where it came.
        address: IpAddr,
    },
    /// It may not do this.
    #[error("this access token lacks the scope `{scope}`: use one that has it")]
    MissingScope {
        /// What would be needed.
        scope: Scope,
    },
    /// Which tenant is meant was not said, and the token belongs to none.
    #[error(
        "this access token belongs to no tenant: name one in the header `x-diamond-tenant`, or \
         use a tenant's own token"
    )]
    TenantRequired,
    /// There is none, or it is another's: from outside the two cannot be told apart.
    #[error("there is no tenant `{tenant}` for this access token: check the name and the token")]
    TenantNotFound {
        /// What was asked for.
        tenant: TenantId,
    },
    /// The tenant is stopped.
    #[error("the tenant `{tenant}` is suspended: an operator can lift that")]
    TenantSuspended {
        /// Which.
        tenant: TenantId,
    },
    /// The service is outside the list.
    #[error("the service `{service}` is not allowed for {fence}: ask an operator to allow it")]
    ServiceNotAllowed {
        /// Which.
        service: ServiceId,
        /// Whose list lacks it.
        fence: ServiceFence,
    },
    /// Keys of this tenant are used on its behalf and never handed out.
    #[error(
        "keys of the tenant `{tenant}` are not handed out: call the service through the gateway, \
         or ask an operator to allow revealing for this tenant"
    )]
    RevealNotAllowed {
        /// Whose keys.
        tenant: TenantId,
    },
    /// A token of one user named another.
    #[error(
        "this access token acts for the user {bound:?} only and cannot name {named:?}: leave the \
         user out, or use a token that is not bound to a user"
    )]
    UserMismatch {
        /// The token's user.
        bound: UserId,
        /// The one that was named.
        named: UserId,
    },
    /// The call could cost more than is left.
    #[error(
        "the budget `{budget}` is used up: {call} can cost more than is left until {until}{}; make \
         a smaller call, wait for calls under way, or ask for a larger budget",
        .amounts.as_ref().map(ToString::to_string).unwrap_or_default()
    )]
    BudgetExceeded {
        /// Which.
        budget: BudgetName,
        /// Service and model.
        call: String,
        /// In figures, where the caller may know them.
        amounts: Option<Box<BudgetAmounts>>,
        /// When the budget's period ends.
        until: Timestamp,
    },
    /// The most that the call can cost cannot be told, and the budget allows no such call.
    #[error(
        "the budget `{budget}` allows no call whose most cannot be told, and {call} is one: name a \
         model that has a price and limit its output, or ask for a budget that reserves an amount \
         for such calls"
    )]
    BudgetUnbounded {
        /// Which.
        budget: BudgetName,
        /// Service and model.
        call: String,
    },
    /// The most that the call can cost is beyond all money.
    #[error("{call} could cost more than can be counted: make a smaller call")]
    AbsurdEstimate {
        /// Service and model.
        call: String,
    },
}

impl Refusal {
    /// The stable code, as it stands in answers.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::MissingToken => "missing_token",
            Self::MalformedToken(_) => "malformed_token",
            Self::UnknownToken => "unknown_token",
            Self::Stale { .. } => "stale_snapshot",
            Self::RevokedToken { .. } => "revoked_token",
            Self::ExpiredToken { .. } => "expired_token",
            Self::AddressNotAllowed { .. } => "address_not_allowed",
            Self::MissingScope { .. } => "missing_scope",
            Self::TenantRequired => "tenant_required",
            Self::TenantNotFound { .. } => "tenant_not_found",
            Self::TenantSuspended { .. } => "tenant_suspended",
            Self::ServiceNotAllowed { .. } => "service_not_allowed",
            Self::RevealNotAllowed { .. } => "reveal_not_allowed",
            Self::UserMismatch { .. } => "user_mismatch",
            Self::BudgetExceeded { .. } | Self::AbsurdEstimate { .. } => "budget_exceeded",
            Self::BudgetUnbounded { .. } => "budget_unbounded",
        }
    }

    /// What kind of no it is.
    #[must_use]
    pub const fn kind(&self) -> RefusalKind {
        match self {
            Self::MissingToken
            | Self::MalformedToken(_)
            | Self::UnknownToken
            | Self::RevokedToken { .. }
            | Self::ExpiredToken { .. } => RefusalKind::Unauthenticated,
            Self::AddressNotAllowed { .. }
            | Self::MissingScope { .. }
            | Self::TenantSuspended { .. }
            | Self::ServiceNotAllowed { .. }
            | Self::RevealNotAllowed { .. }
            | Self::UserMismatch { .. }
            | Self::BudgetUnbounded { .. } => RefusalKind::Forbidden,
            Self::TenantRequired => RefusalKind::Invalid,
            Self::TenantNotFound { .. } => RefusalKind::NotFound,
            Self::BudgetExceeded { .. } | Self::AbsurdEstimate { .. } => RefusalKind::Limited,
            Self::Stale { .. } => RefusalKind::Unavailable,
        }
    }
}
