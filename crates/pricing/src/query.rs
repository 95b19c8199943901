//! What is asked and answered.

use diamond_domain::{Meter, Money, Quantities, ServiceId};
use jiff::Timestamp;

/// What a call used, where and when: everything that its price depends on.
#[derive(Debug, Clone, Copy)]
pub struct PriceQuery<'a> {
    /// The provider.
    pub service: &'a ServiceId,
    /// The model, as the response names it.
    pub model: &'a str,
    /// The tier that the provider says it served: `batch`, `flex`, `priority`, … `None`, an empty
    /// text and the service's own words for "the usual one" are the standard tier.
    pub service_tier: Option<&'a str>,
    /// When the call began.
    pub at: Timestamp,
    /// What it used.
    pub quantities: &'a Quantities,
    /// Circumstances that change the price, as `kind:value`: `geo:us`, `speed:fast`. One value of
    /// each kind.
    pub modifiers: &'a [&'a str],
}

/// A cost and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Priced {
    /// The exact sum, rounded once, half to even, to nano-dollars.
    pub cost: Money,
    /// The row, its date and whatever else applied, in this order: tier, threshold, modifiers,
    /// fallback: `openai/gpt-6-sol@2026-10-01;batch;input_tokens>272000;geo:us`.
    pub price_id: String,
}

/// Why no price can be given. The text is for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unpriced {
    /// The service or the model has no row.
    #[error("the price catalog has no such model")]
    UnknownModel,
    /// The model's first row begins later.
    #[error("the price catalog knows this model only from a later date on")]
    NotYetValid,
    /// The model's last row has ended.
    #[error("the price catalog's last price for this model had ended by then")]
    Retired,
    /// The row knows nothing of this tier.
    #[error("the price catalog has no price for service tier `{0}` of this model")]
    UnknownTier(String),
    /// The service knows nothing of this circumstance.
    #[error("the price catalog does not know what `{0}` does to the price")]
    UnknownModifier(String),
    /// The parts of this meter add up to more than the whole.
    #[error("the parts of `{0}` add up to more than the whole")]
    InconsistentQuantities(Meter),
    /// This was used and the row has no rate for it.
    #[error("the price catalog has no rate for `{0}` of this model")]
    NoRate(Meter),
    /// Nothing was counted, so nothing can be said.
    #[error("nothing was counted")]
    NothingCounted,
    /// The cost is larger than any real one.
    #[error("the cost is out of range")]
    OutOfRange,
}
