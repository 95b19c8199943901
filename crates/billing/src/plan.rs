//! What a tenant pays.

use std::{fmt, str::FromStr};

use diamond_domain::Money;
use serde::{Deserialize, Serialize};

use crate::overheads::Allocation;

/// How a tenant's charge follows from its cost. A new plan is a new variant; every match on it is
/// in this crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "kebab-case")]
pub enum Plan {
    /// The tenant pays True Production Cost, to the nano-dollar; nothing is earned.
    #[default]
    CostRecovery,
}

/// The text names no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a plan; known: cost-recovery")]
pub struct UnknownPlan(String);

/// What a plan makes of a cost, in nano-dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PlanCharge {
    /// What the tenant pays; negative where it is owed something.
    pub charge: Money,
    /// Charge less True Production Cost.
    pub profit: Money,
}

impl Plan {
    /// Every plan.
    pub const ALL: &'static [Self] = &[Self::CostRecovery];

    /// The text, as it stands in configuration and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CostRecovery => "cost-recovery",
        }
    }

    /// What the tenant pays for this cost, and what is earned by it.
    #[must_use]
    pub fn charge(self, cost: &Allocation) -> PlanCharge {
        let charge = match self {
            Self::CostRecovery => cost.tpc,
        };
        PlanCharge {
            charge,
            profit: charge - cost.tpc,
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Plan {
    type Err = UnknownPlan;

    fn from_str(text: &str) -> Result<Self, UnknownPlan> {
        let found = Self::ALL.iter().find(|plan| plan.as_str() == text);
        found.copied().ok_or_else(|| UnknownPlan(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overheads::Overheads;
    use proptest::prelude::*;

    #[test]
    fn every_plan_reads_back_its_text() {
        for plan in Plan::ALL {
            assert_eq!(plan.as_str().parse(), Ok(*plan));
        }
        let error = "free-lunch".parse::<Plan>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`free-lunch` is not a plan; known: cost-recovery"
        );
    }

    #[test]
    fn cost_recovery_of_a_hundred_dollars() {
        // 100 + 10 % + 5 % = 115, all of it charged
        let cost = Overheads::default().allocate("100".parse().unwrap());
        let charged = Plan::default().charge(&cost);
        assert_eq!(charged.charge.to_string(), "115.000000000");
        assert_eq!(charged.profit, Money::ZERO);
    }

    proptest! {
        #[test]
        fn cost_recovery_earns_nothing(direct in any::<i64>()) {
            let cost = Overheads::default().allocate(Money::from_nanos(direct.into()));
            let charged = Plan::CostRecovery.charge(&cost);
            prop_assert_eq!(charged, PlanCharge { charge: cost.tpc, profit: Money::ZERO });
        }
    }
}
