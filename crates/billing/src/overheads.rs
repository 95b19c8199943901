//! The two overheads that turn direct cost into True Production Cost.

use std::fmt;

use diamond_domain::Money;
use serde::{Deserialize, Serialize};

/// A share in basis points: 10,000 are the whole, 1,000 are ten percent. At most ten times the
/// whole.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(try_from = "u32", into = "u32")]
pub struct BasisPoints(u32);

/// The share is larger than ten times the whole: surely a mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} basis points are more than {max}; ten percent are 1000", max = BasisPoints::MAX.0)]
pub struct BasisPointsError(u32);

impl BasisPoints {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest share: ten times the whole.
    pub const MAX: Self = Self(100_000);

    const WHOLE: i128 = 10_000;

    /// This many basis points.
    ///
    /// # Errors
    /// More than [`BasisPoints::MAX`].
    pub const fn new(number: u32) -> Result<Self, BasisPointsError> {
        if number > Self::MAX.0 {
            Err(BasisPointsError(number))
        } else {
            Ok(Self(number))
        }
    }

    /// The number of basis points.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// This share of an amount, exact and then rounded once, half to even, to the nano-dollar. A
    /// share of a credit is a credit. Saturates where money ends, at 10²⁹ dollars.
    #[must_use]
    pub fn of(self, amount: Money) -> Money {
        // Whole ten-thousands first, so that nothing but the result itself can overflow.
        let share = i128::from(self.0);
        let (whole, rest) = (
            amount.nanos().div_euclid(Self::WHOLE),
            amount.nanos().rem_euclid(Self::WHOLE),
        );
        let (part, left) = (rest * share / Self::WHOLE, rest * share % Self::WHOLE);
        let floor = whole.saturating_mul(share).saturating_add(part);
        let up = left * 2 > Self::WHOLE || (left * 2 == Self::WHOLE && floor & 1 == 1);
        Money::from_nanos(floor.saturating_add(i128::from(up)))
    }
}

impl TryFrom<u32> for BasisPoints {
    type Error = BasisPointsError;

    fn try_from(number: u32) -> Result<Self, BasisPointsError> {
        Self::new(number)
    }
}

impl From<BasisPoints> for u32 {
    fn from(share: BasisPoints) -> Self {
        share.0
    }
}

impl fmt::Display for BasisPoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02} %", self.0 / 100, self.0 % 100)
    }
}

/// What is put on top of direct cost, each as a share of direct cost (not of one another).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overheads {
    /// Selling, general and administrative expenses.
    pub sga: BasisPoints,
    /// The cost of compliance.
    pub compliance: BasisPoints,
}

/// Ten percent and five.
impl Default for Overheads {
    fn default() -> Self {
        Self {
            sga: BasisPoints(1_000),
            compliance: BasisPoints(500),
        }
    }
}

/// A direct cost with its overheads, in nano-dollars; negative where credits outweigh costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Allocation {
    /// What the platform owes the providers.
    pub direct: Money,
    /// Its share for selling, general and administrative expenses.
    pub sga: Money,
    /// Its share for compliance.
    pub compliance: Money,
    /// True Production Cost: the sum of the three.
    pub tpc: Money,
}

impl Overheads {
    /// Puts the overheads on a direct cost. Each is rounded once and their sum not at all, so the
    /// parts always add up to the whole. The shares of a sum are therefore not the sum of shares:
    /// allocate once, on the total that is shown.
    #[must_use]
    pub fn allocate(&self, direct: Money) -> Allocation {
        let (sga, compliance) = (self.sga.of(direct), self.compliance.of(direct));
        Allocation {
            direct,
            sga,
            compliance,
            tpc: direct + sga + compliance,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn nanos(allocation: Allocation) -> [i128; 4] {
        let Allocation {
            direct,
            sga,
            compliance,
            tpc,
        } = allocation;
        [direct, sga, compliance, tpc].map(Money::nanos)
    }

    #[test]
    fn worked_cases() {
        let overheads = Overheads::default();
        for (direct, wanted) in [
            (0, [0, 0, 0, 0]),
            // 100 dollars: 10 and 5
            (
                100_000_000_000,
                [
                    100_000_000_000,
                    10_000_000_000,
                    5_000_000_000,
                    115_000_000_000,
                ],
            ),
            // 0.5 -> 0 (even), 0.25 -> 0
            (5, [5, 0, 0, 5]),
            // 1.5 -> 2 (even), 0.75 -> 1
            (15, [15, 2, 1, 18]),
            // 1.0, 0.5 -> 0 (even)
            (10, [10, 1, 0, 11]),
            // 3.0, 1.5 -> 2 (even)
            (30, [30, 3, 2, 35]),
            // Credits mirror costs: −1.5 -> −2, −0.75 -> −1
            (-15, [-15, -2, -1, -18]),
            (-5, [-5, 0, 0, -5]),
        ] {
            assert_eq!(
                nanos(overheads.allocate(Money::from_nanos(direct))),
                wanted,
                "{direct}"
            );
        }
    }

    #[test]
    fn a_share_beyond_reason_is_refused() {
        assert_eq!(BasisPoints::new(100_000), Ok(BasisPoints::MAX));
        let error = BasisPoints::new(100_001).unwrap_err();
        assert_eq!(
            error.to_string(),
            "100001 basis points are more than 100000; ten percent are 1000"
        );
        assert_eq!(BasisPoints::new(1_050).unwrap().to_string(), "10.50 %");
    }

    proptest! {
        #[test]
        fn a_share_is_the_exact_share_rounded_once(
            direct in -(1_i128 << 100)..(1_i128 << 100), share in 0_u32..=100_000,
        ) {
            let found = BasisPoints::new(share).unwrap().of(Money::from_nanos(direct)).nanos();
            // Twice the distance from the exact share, in ten-thousandths: at most one whole, and
            // at the tie the result is even.
            let twice = 2 * (found * 10_000 - direct * i128::from(share)).abs();
            prop_assert!(twice < 10_000 || (twice == 10_000 && found % 2 == 0));
        }

        #[test]
        fn parts_add_up_and_credits_mirror_costs(
            direct in any::<i64>(), sga in 0_u32..=100_000, compliance in 0_u32..=100_000,
        ) {
            let overheads = Overheads {
                sga: BasisPoints::new(sga).unwrap(),
                compliance: BasisPoints::new(compliance).unwrap(),
            };
            let [direct, sga, compliance, tpc] =
                nanos(overheads.allocate(Money::from_nanos(direct.into())));
            prop_assert_eq!(direct + sga + compliance, tpc);
            let mirrored = nanos(overheads.allocate(Money::from_nanos(-direct)));
            prop_assert_eq!(mirrored, [-direct, -sga, -compliance, -tpc]);
        }

        #[test]
        fn more_direct_cost_is_never_less_true_cost(a in any::<i64>(), b in any::<i64>()) {
            let tpc = |nanos: i64| Overheads::default().allocate(Money::from_nanos(nanos.into())).tpc;
            prop_assert!(tpc(a.min(b)) <= tpc(a.max(b)));
        }

        #[test]
        fn no_amount_makes_it_panic(direct in any::<i128>(), share in 0_u32..=100_000) {
            let share = BasisPoints::new(share).unwrap();
            let _ = Overheads { sga: share, compliance: share }.allocate(Money::from_nanos(direct));
        }
    }
}
