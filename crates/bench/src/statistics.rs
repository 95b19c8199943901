//! The arithmetic of the report.

use serde::Serialize;

/// The nearest-rank percentile of sorted values: the smallest that at least `per_mille` thousandths
/// of them do not exceed. `None` when there are none.
pub fn percentile(sorted: &[u64], per_mille: u64) -> Option<u64> {
    let rank = (sorted.len() as u64 * per_mille).div_ceil(1000).max(1);
    sorted.get(usize::try_from(rank - 1).ok()?).copied()
}

/// The middle of several runs, and how far they lie apart.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Spread {
    /// Of at least one finite value; `None` otherwise.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        if values.iter().any(|value| !value.is_finite()) {
            return None;
        }
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Some(Self { median, min, max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let hundred: Vec<u64> = (1..=100).collect();
        assert_eq!(percentile(&hundred, 500), Some(50));
        assert_eq!(percentile(&hundred, 990), Some(99));
        assert_eq!(percentile(&hundred, 999), Some(100));
        assert_eq!(percentile(&hundred, 1000), Some(100));
        let thousand: Vec<u64> = (1..=1000).collect();
        assert_eq!(percentile(&thousand, 999), Some(999));
    }

    #[test]
    fn percentiles_of_few_and_of_none() {
        assert_eq!(percentile(&[7], 500), Some(7));
        assert_eq!(percentile(&[7], 0), Some(7));
        assert_eq!(percentile(&[3, 9], 500), Some(3));
        assert_eq!(percentile(&[3, 9], 501), Some(9));
        assert_eq!(percentile(&[], 500), None);
    }

    #[test]
    fn a_spread_does_not_depend_on_the_order() {
        let odd = Spread::of([5.0, 1.0, 3.0]).unwrap();
        assert_eq!((odd.median, odd.min, odd.max), (3.0, 1.0, 5.0));
        let even = Spread::of([4.0, 1.0, 2.0, 9.0]).unwrap();
        assert_eq!((even.median, even.min, even.max), (3.0, 1.0, 9.0));
    }

    #[test]
    fn a_spread_of_nothing_or_of_a_division_by_zero_is_no_figure() {
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of([1.0, f64::INFINITY]), None);
        assert_eq!(Spread::of([f64::NAN]), None);
    }
}
