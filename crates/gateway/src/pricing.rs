//! From a reading to a cost, and from a request to the most it can cost.

use diamond_domain::{Alarm, AlarmCode, CostBasis, Meter, Money, Quantities, ServiceId, TenantId};
use diamond_pricing::{PriceQuery, Priced, Unpriced};
use diamond_providers::{
    Metering, ModelLimits, Provider, Reading, ReadingBasis, RequestFacts, Route,
};
use jiff::Timestamp;

use crate::gateway::Inner;

/// A cost and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cost {
    pub(crate) amount: Money,
    pub(crate) basis: CostBasis,
    pub(crate) price_id: Option<String>,
}

impl Cost {
    /// A call that the provider does not charge for.
    pub(crate) fn nothing(reason: &str) -> Self {
        Self {
            amount: Money::ZERO,
            basis: CostBasis::PricedUsage,
            price_id: Some(reason.to_owned()),
        }
    }

    const fn unknown() -> Self {
        Self {
            amount: Money::ZERO,
            basis: CostBasis::Unpriced,
            price_id: None,
        }
    }
}

/// Where the price is looked for.
pub(crate) struct Priceable<'a> {
    pub(crate) tenant: &'a TenantId,
    pub(crate) service: &'a ServiceId,
    pub(crate) route: &'a Route,
    /// The model asked for.
    pub(crate) asked_model: &'a str,
    pub(crate) at: Timestamp,
}

impl Inner {
    /// What a reading costs. What has no price raises an alarm: it is unknown, not nothing.
    pub(crate) fn cost_of(&self, call: &Priceable<'_>, reading: &Reading) -> Cost {
        if let Some(amount) = reading.stated_cost {
            return Cost {
                amount,
                basis: CostBasis::ProviderReported,
                price_id: None,
            };
        }
        let basis = match reading.basis {
            ReadingBasis::Free => return Cost::nothing("free"),
            ReadingBasis::Unknown => {
                // The alarm of an unknown route was raised when it was seen.
                if call.route.metering != Metering::Unknown {
                    self.raise_unpriced(call, reading, "the answer states no usage to price");
                }
                return Cost::unknown();
            }
            ReadingBasis::Reported => CostBasis::PricedUsage,
            ReadingBasis::Measured => CostBasis::PricedMeasurement,
            ReadingBasis::Estimated => CostBasis::Estimated,
        };
        match self.price_all(call, reading) {
            Ok(priced) => Cost {
                amount: priced.cost,
                basis,
                price_id: Some(priced.price_id),
            },
            Err(Unpriced::InconsistentQuantities(meter)) => {
                self.alarms.raise(Alarm {
                    code: AlarmCode::InconsistentUsage,
                    tenant: Some(call.tenant.clone()),
                    subject: subject(call, reading),
                    detail: format!(
                        "The provider's count contradicts itself: the parts of {meter} are more \
                         than the whole. The call has no cost until it is corrected."
                    ),
                });
                Cost::unknown()
            }
            Err(reason) => {
                self.raise_unpriced(call, reading, &reason.to_string());
                Cost::unknown()
            }
        }
    }

    /// What a call under way has cost by now, as far as that can be told: nobody is alarmed yet.
    pub(crate) fn cost_so_far(&self, call: &Priceable<'_>, reading: &Reading) -> Money {
        match reading.basis {
            ReadingBasis::Free | ReadingBasis::Unknown => Money::ZERO,
            _ => self
                .price_all(call, reading)
                .map_or(Money::ZERO, |priced| priced.cost),
        }
    }

    /// The price of the call and of what other models did within it.
    fn price_all(&self, call: &Priceable<'_>, reading: &Reading) -> Result<Priced, Unpriced> {
        let model = reading.model.as_deref().unwrap_or(call.asked_model);
        let mut total = self.price(call, reading, model, &reading.quantities)?;
        for beside in &reading.beside {
            let priced = self.price(call, reading, &beside.model, &beside.quantities)?;
            let sum = total.cost.checked_add(priced.cost);
            total.cost = sum.ok_or(Unpriced::OutOfRange)?;
            total.price_id.push('+');
            total.price_id.push_str(&priced.price_id);
        }
        Ok(total)
    }

    fn price(
        &self,
        call: &Priceable<'_>,
        reading: &Reading,
        model: &str,
        quantities: &Quantities,
    ) -> Result<Priced, Unpriced> {
        let modifiers: Vec<&str> = reading.modifiers.iter().map(AsRef::as_ref).collect();
        let query = PriceQuery {
            service: call.service,
            model,
            service_tier: reading.service_tier.as_deref(),
            at: call.at,
            quantities,
            modifiers: &modifiers,
        };
        match self.catalog.price(&query) {
            // A dated edition (`gpt-9-2027-01-02`) that has no row of its own costs what the name
            // costs that was asked for.
            Err(Unpriced::UnknownModel) if is_edition_of(model, call.asked_model) => {
                self.catalog.price(&PriceQuery {
                    model: call.asked_model,
                    ..query
                })
            }
            result => result,
        }
    }

    fn raise_unpriced(&self, call: &Priceable<'_>, reading: &Reading, reason: &str) {
        self.alarms.raise(Alarm {
            code: AlarmCode::UnpricedUsage,
            tenant: Some(call.tenant.clone()),
            subject: subject(call, reading),
            detail: format!(
                "A call ({}) has no cost: {reason}. Its events stay unpriced until a price or the \
                 provider's report settles them.",
                call.route.operation
            ),
        });
    }

    /// The most that a call can cost; `None` when that cannot be told.
    pub(crate) fn most(
        &self,
        provider: &dyn Provider,
        route: &Route,
        facts: &RequestFacts,
        at: Timestamp,
    ) -> Option<Money> {
        match route.metering {
            Metering::Usage | Metering::Measured => {}
            Metering::Free => return Some(Money::ZERO),
            Metering::Deferred | Metering::Unknown => return None,
        }
        let (service, model) = (provider.service(), facts.model.as_deref().unwrap_or(""));
        let limits =
            self.catalog
                .limits(service, model, at)
                .map_or_else(ModelLimits::default, |limits| ModelLimits {
                    max_input_tokens: limits.max_input_tokens,
                    max_output_tokens: limits.max_output_tokens,
                });
        let most: Quantities = provider.ceiling(route, facts, limits);
        let (input, output) = (most.get(Meter::InputTokens), most.get(Meter::OutputTokens));
        let by_tokens = (input > 0 || output > 0)
            .then(|| {
                // In the tier asked for: the dearest tier of all would be six times too much
                // for a call whose end nobody saw.
                let tier = facts.service_tier.as_deref();
                self.catalog
                    .upper_bound_in_tier(service, model, at, tier, input, Some(output))
            })
            .flatten();
        by_tokens.or_else(|| {
            // A ceiling that counts nothing is none.
            if most.is_empty() {
                return None;
            }
            let query = PriceQuery {
                service,
                model,
                service_tier: facts.service_tier.as_deref(),
                at,
                quantities: &most,
                modifiers: &facts.modifiers,
            };
            self.catalog.price(&query).ok().map(|priced| priced.cost)
        })
    }
}

fn is_edition_of(model: &str, asked: &str) -> bool {
    !asked.is_empty()
        && model
            .strip_prefix(asked)
            .is_some_and(|rest| rest.starts_with('-'))
}

/// What repeated alarms are joined by: the model, or the operation of a route that has none.
fn subject(call: &Priceable<'_>, reading: &Reading) -> String {
    let model = reading.model.as_deref().unwrap_or(call.asked_model);
    let about = if model.is_empty() {
        call.route.operation
    } else {
        model
    };
    format!("{}/{}", call.service, named(about))
}

/// A text from outside, as it may stand in an event.
pub(crate) fn short(text: &str) -> String {
    cut(text, 128)
}

/// A text from outside, as it may stand in what an alarm is joined by and people read in a list.
pub(crate) fn named(text: &str) -> String {
    cut(text, 64)
}

fn cut(text: &str, letters_max: usize) -> String {
    text.chars()
        .filter(|letter| !letter.is_control())
        .take(letters_max)
        .collect()
}
