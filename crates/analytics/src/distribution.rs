//! How amounts are spread over users.

use std::cmp::Ordering;

use diamond_domain::Money;
use serde::{Deserialize, Serialize};

use crate::wide::Wide;

/// Mean, percentiles and spread of some amounts, each exact and then rounded once, half to even,
/// to the nano-dollar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distribution {
    /// How many amounts.
    pub count: u64,
    /// Their sum divided by their number.
    pub mean: Money,
    /// The 50th percentile.
    pub median: Money,
    /// The 95th percentile: by linear interpolation at rank 0.95 × (count − 1), counted from 0.
    pub p95: Money,
    /// The 99th percentile, likewise.
    pub p99: Money,
    /// The standard deviation of the whole population: the root of the mean squared distance from
    /// the mean.
    pub std_dev: Money,
}

impl Distribution {
    /// The distribution of the amounts, in any order; `None` when there is none.
    #[must_use]
    pub fn of(mut values: Vec<Money>) -> Option<Self> {
        values.sort_unstable();
        let smallest = *values.first()?;
        let count = u64::try_from(values.len()).ok()?;
        let (mut sum, mut squares) = (Wide::ZERO, Wide::ZERO);
        for &value in &values {
            let above = Wide::from(distance(smallest, value));
            sum = sum.plus(above);
            squares = squares.plus(above.squared());
        }
        Some(Self {
            count,
            mean: raised(smallest, sum, count),
            median: percentile(&values, 50),
            p95: percentile(&values, 95),
            p99: percentile(&values, 99),
            std_dev: standard_deviation(count, sum, squares),
        })
    }
}

/// How far an amount lies above another that is not larger: it fits 128 bits without a sign.
fn distance(from: Money, to: Money) -> u128 {
    #[expect(
        clippy::cast_sign_loss,
        reason = "the bits of the wrapped difference are the distance"
    )]
    let distance = to.nanos().wrapping_sub(from.nanos()) as u128;
    distance
}

/// `from` + `numerator` / `denominator`, rounded half to even. The caller knows that the result
/// lies between two amounts, so it can be represented.
fn raised(from: Money, numerator: Wide, denominator: u64) -> Money {
    let (quotient, rest) = numerator.divided(denominator);
    #[expect(
        clippy::cast_possible_wrap,
        reason = "wrapping back undoes what `distance` wrapped"
    )]
    let floor = from.nanos().wrapping_add(quotient.to_u128() as i128);
    let up = match rest.cmp(&(denominator - rest)) {
        Ordering::Less => false,
        Ordering::Equal => floor & 1 == 1,
        Ordering::Greater => true,
    };
    Money::from_nanos(floor.wrapping_add(i128::from(up)))
}

/// Of sorted amounts, at least one.
fn percentile(sorted: &[Money], percent: u64) -> Money {
    let last = sorted.len().saturating_sub(1);
    // In 128 bits, so that no number of amounts overflows.
    let rank = u128::from(percent) * last as u128;
    let (below, rest) = (rank / 100, rank % 100);
    let below = usize::try_from(below).unwrap_or(last).min(last);
    let above = (below + 1).min(last);
    let gap = distance(sorted[below], sorted[above]);
    raised(sorted[below], Wide::from(gap).times(Wide::from(rest)), 100)
}

/// √(Σd²/n − (Σd/n)²) = √(n·Σd² − (Σd)²) / n, of distances d from the smallest amount.
fn standard_deviation(count: u64, sum: Wide, squares: Wide) -> Money {
    let count = Wide::from(count);
    let variance = count.times(squares).minus(sum.squared());
    // The largest whole number that, times n, has a square not above n²σ². The spread of amounts
    // is at most half their range, so it has at most 127 bits.
    let mut root = 0_u128;
    for bit in (0..127).rev() {
        let larger = root | 1 << bit;
        if count.times(Wide::from(larger)).squared() <= variance {
            root = larger;
        }
    }
    // Round by comparing with the exact middle, root + ½: (n·(2·root + 1))² against 4·n²σ².
    let middle = count.times(Wide::from(2 * root + 1)).squared();
    let up = match variance.times(Wide::from(4_u64)).cmp(&middle) {
        Ordering::Less => false,
        Ordering::Equal => root & 1 == 1,
        Ordering::Greater => true,
    };
    let nanos = i128::try_from(root + u128::from(up)).unwrap_or(i128::MAX);
    Money::from_nanos(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(nanos: &[i128]) -> Distribution {
        Distribution::of(nanos.iter().copied().map(Money::from_nanos).collect()).unwrap()
    }

    fn figures(nanos: &[i128]) -> [i128; 5] {
        let found = of(nanos);
        [
            found.mean,
            found.median,
            found.p95,
            found.p99,
            found.std_dev,
        ]
        .map(Money::nanos)
    }

    #[test]
    fn nothing_has_no_distribution() {
        assert_eq!(Distribution::of(Vec::new()), None);
    }

    #[test]
    fn one_amount_is_all_there_is() {
        assert_eq!(figures(&[7]), [7, 7, 7, 7, 0]);
        assert_eq!(of(&[7]).count, 1);
    }

    #[test]
    fn worked_cases() {
        // Sum 40, mean 5. Squared distances 9+1+1+1+0+0+4+16 = 32, mean 4, root 2.
        // Sorted 2 4 4 4 5 5 7 9: median at rank 3.5 = 4.5 -> 4 (even). p95 at rank 6.65:
        // 7 + 0.65 × 2 = 8.3 -> 8. p99 at rank 6.93: 7 + 0.93 × 2 = 8.86 -> 9.
        assert_eq!(figures(&[9, 2, 4, 7, 4, 5, 4, 5]), [5, 4, 8, 9, 2]);

        // Mean 2.5 -> 2. Median 2.5 -> 2. p95 at rank 2.85: 3 + 0.85 = 3.85 -> 4. p99: 3.97 -> 4.
        // Squared distances 2.25 + 0.25 + 0.25 + 2.25 = 5, mean 1.25, root 1.118 -> 1.
        assert_eq!(figures(&[1, 2, 3, 4]), [2, 2, 4, 4, 1]);

        // Mean 3.5 -> 4 (even), median 3.5 -> 4. p95 3 + 0.95 = 3.95, p99 3.99. Root of 0.25 is
        // 0.5 -> 0 (even).
        assert_eq!(figures(&[3, 4]), [4, 4, 4, 4, 0]);

        // Distances of 1.5 from the mean 1.5 -> 2: the root is 1.5 -> 2 (even).
        assert_eq!(figures(&[0, 3]), [2, 2, 3, 3, 2]);

        // Credits: mean −3.5 -> −4 (even), median the same; p95 at rank 0.95: −5 + 0.95 × 3 =
        // −2.15 -> −2; p99 −5 + 0.99 × 3 = −2.03 -> −2. Root 1.5 -> 2.
        assert_eq!(figures(&[-2, -5]), [-4, -4, -2, -2, 2]);

        // A thousand dollars and nothing: mean 500, p95 950, p99 990, spread 500 dollars.
        let dollar = 1_000_000_000;
        assert_eq!(
            figures(&[1000 * dollar, 0]),
            [500, 500, 950, 990, 500].map(|dollars| dollars * dollar)
        );
    }

    #[test]
    fn the_widest_amounts_do_not_overflow() {
        // −2¹²⁷ and 2¹²⁷ − 1: mean and median −½ -> 0; spread (2¹²⁸ − 1)/2 = 2¹²⁷ − ½, which is
        // beyond the largest amount and is given as that.
        let found = of(&[i128::MIN, i128::MAX]);
        assert_eq!(found.mean, Money::ZERO);
        assert_eq!(found.median, Money::ZERO);
        assert_eq!(found.std_dev, Money::from_nanos(i128::MAX));
    }

    /// Naive and exact, for amounts small enough for 128 bits: as a fraction, rounded at the end.
    fn rounded(numerator: i128, denominator: i128) -> i128 {
        let floor = numerator.div_euclid(denominator);
        let twice = 2 * numerator.rem_euclid(denominator);
        match twice.cmp(&denominator) {
            Ordering::Less => floor,
            Ordering::Equal => floor + (floor & 1),
            Ordering::Greater => floor + 1,
        }
    }

    fn naive(nanos: &[i128]) -> [i128; 5] {
        let mut sorted = nanos.to_vec();
        sorted.sort_unstable();
        let count = sorted.len() as i128;
        let sum: i128 = sorted.iter().sum();
        let at = |percent: i128| {
            let rank = percent * (count - 1);
            let below = usize::try_from(rank / 100).unwrap();
            let above = (below + 1).min(sorted.len() - 1);
            rounded(
                sorted[below] * (100 - rank % 100) + sorted[above] * (rank % 100),
                100,
            )
        };
        // Σ(n·x − Σx)² = n²·n·σ²: σ = √(that / n) / n. The root is found by counting up from the
        // integer root of the floor.
        let squares: i128 = sorted.iter().map(|x| (count * x - sum).pow(2)).sum();
        let variance = squares / count;
        assert_eq!(squares % count, 0);
        let floor = variance.isqrt() / count;
        let middle = (count * (2 * floor + 1)).pow(2);
        let deviation = match (4 * variance).cmp(&middle) {
            Ordering::Less => floor,
            Ordering::Equal => floor + (floor & 1),
            Ordering::Greater => floor + 1,
        };
        [rounded(sum, count), at(50), at(95), at(99), deviation]
    }

    proptest! {
        #[test]
        fn agrees_with_the_naive_computation(
            nanos in prop::collection::vec(-1_000_000_000_000_i128..1_000_000_000_000, 1..60),
        ) {
            prop_assert_eq!(figures(&nanos), naive(&nanos));
        }

        /// Few distinct small amounts: ties everywhere.
        #[test]
        fn agrees_with_the_naive_computation_on_ties(
            nanos in prop::collection::vec(-4_i128..5, 1..40),
        ) {
            prop_assert_eq!(figures(&nanos), naive(&nanos));
        }

        #[test]
        fn the_order_of_amounts_is_nothing_and_a_shift_shifts(
            nanos in prop::collection::vec(any::<i64>().prop_map(i128::from), 1..40),
            by in any::<i32>().prop_map(|by| i128::from(by) * 2),
        ) {
            let mut turned = nanos.clone();
            turned.reverse();
            prop_assert_eq!(of(&nanos), of(&turned));
            let shifted: Vec<i128> = nanos.iter().map(|nanos| nanos + by).collect();
            let [mean, median, p95, p99, deviation] = figures(&nanos);
            prop_assert_eq!(
                figures(&shifted),
                [mean + by, median + by, p95 + by, p99 + by, deviation]
            );
        }

        #[test]
        fn no_amounts_make_it_panic_and_all_lie_within_them(
            nanos in prop::collection::vec(any::<i128>(), 1..40),
        ) {
            let found = of(&nanos);
            let (least, most) = (nanos.iter().min().unwrap(), nanos.iter().max().unwrap());
            for figure in [found.mean, found.median, found.p95, found.p99] {
                prop_assert!((*least..=*most).contains(&figure.nanos()));
            }
            prop_assert!(found.median <= found.p95 && found.p95 <= found.p99);
            prop_assert!(!found.std_dev.is_negative());
        }
    }
}
