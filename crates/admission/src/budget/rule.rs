//! What a budget counts, and up to where.

use std::{fmt, sync::Arc};

use diamond_domain::{BudgetName, Money, OnUnbounded, Period, ServiceId, TokenId, UserId};
use jiff::Timestamp;

/// What is about to be spent.
#[derive(Debug, Clone, Copy)]
pub struct ReserveRequest<'a> {
    /// At which service.
    pub service: &'a ServiceId,
    /// With which model; empty when the route has none.
    pub model: &'a str,
    /// For whom.
    pub user: &'a UserId,
    /// With which access token.
    pub token: TokenId,
    /// The most that it can cost; `None` when that cannot be told. Less than nothing counts as
    /// nothing.
    pub estimate: Option<Money>,
    /// When the call began: its event will bear this time.
    pub at: Timestamp,
}

impl ReserveRequest<'_> {
    /// The call, for a message.
    pub(crate) fn words(&self) -> String {
        match self.model {
            "" => format!("a call to {}", self.service),
            model => format!("a call to {}/{model}", self.service),
        }
    }
}

/// From a cost to what a budget counts: the cost itself, or the charge for it.
#[derive(Clone, Default)]
pub struct Counted(Option<Arc<dyn Fn(Money) -> Money + Send + Sync>>);

impl Counted {
    /// The charge for a total cost, by the tenant's plan. It must not fall when the cost rises.
    pub fn by(charge: impl Fn(Money) -> Money + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(charge)))
    }

    /// Whether it counts the charge.
    #[must_use]
    pub fn is_charge(&self) -> bool {
        self.0.is_some()
    }

    /// What this total cost counts.
    #[must_use]
    pub fn of(&self, cost: Money) -> Money {
        self.0.as_ref().map_or(cost, |charge| charge(cost))
    }
}

impl fmt::Debug for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "charge" } else { "cost" })
    }
}

/// One hard limit of a tenant.
#[derive(Debug, Clone)]
pub struct BudgetRule {
    /// Its name within the tenant.
    pub name: BudgetName,
    /// Counts calls of this user only.
    pub user: Option<UserId>,
    /// Counts calls with this token only.
    pub token: Option<TokenId>,
    /// Counts calls to this service only.
    pub service: Option<ServiceId>,
    /// Counts calls of this model only, and of its dated editions.
    pub model: Option<String>,
    /// What is spent is forgotten when such a calendar period ends.
    pub period: Period,
    /// The most that may be spent in a period.
    pub limit: Money,
    /// What a cost counts.
    pub counted: Counted,
    /// What happens to a call whose most cannot be told.
    pub on_unbounded: OnUnbounded,
}

impl BudgetRule {
    /// Whether the budget counts this call.
    #[must_use]
    pub fn counts(&self, call: &ReserveRequest<'_>) -> bool {
        self.user.as_ref().is_none_or(|user| user == call.user)
            && self.token.is_none_or(|token| token == call.token)
            && self.counts_spend(Some(call.service), Some(call.model))
    }

    /// Whether it counts what was spent at this service with this model.
    #[must_use]
    pub fn counts_spend(&self, service: Option<&ServiceId>, model: Option<&str>) -> bool {
        let same = |wanted: &ServiceId| service == Some(wanted);
        let is_model = |wanted: &String| model.is_some_and(|model| is_edition(model, wanted));
        self.service.as_ref().is_none_or(same) && self.model.as_ref().is_none_or(is_model)
    }

    /// Whether both count the same, up to whatever limit.
    pub(super) fn same_count(&self, other: &Self) -> bool {
        self.name == other.name
            && self.user == other.user
            && self.token == other.token
            && self.service == other.service
            && self.model == other.model
            && self.period == other.period
    }
}

/// Whether the model is the one named, or an edition of it that is told by a date or number.
fn is_edition(model: &str, named: &str) -> bool {
    match model.strip_prefix(named) {
        Some("") => true,
        Some(rest) => rest
            .strip_prefix(['-', '@'])
            .is_some_and(|rest| rest.starts_with(|letter: char| letter.is_ascii_digit())),
        None => false,
    }
}
