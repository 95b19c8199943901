//! One period against the one before.

use std::{cmp::Ordering, fmt};

use diamond_domain::Money;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::wide::Wide;

/// What came before, and how things have changed since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trend {
    /// The amount of the period before.
    pub previous: Money,
    /// The change since then; `None` when there was nothing before to compare with.
    pub change: Option<Change>,
}

impl Trend {
    /// The change from `previous` to `current`, as a share of the size of `previous`. So more is
    /// always positive, also when the period before ended in credit.
    #[must_use]
    pub fn between(current: Money, previous: Money) -> Self {
        Self {
            previous,
            change: Change::between(current, previous),
        }
    }
}

/// A share such as 0.2500 (a quarter more) or -1.0000 (all gone), in ten-thousandths, rounded half
/// to even. As text it has four digits behind the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Change(i128);

impl Change {
    /// This many ten-thousandths: 2500 is a quarter more.
    #[must_use]
    pub const fn from_ten_thousandths(number: i128) -> Self {
        Self(number)
    }

    /// The number of ten-thousandths.
    #[must_use]
    pub const fn ten_thousandths(self) -> i128 {
        self.0
    }

    /// `None` also when the share is beyond 10³⁴, which no real amounts reach.
    fn between(current: Money, previous: Money) -> Option<Self> {
        let base = previous.nanos().unsigned_abs();
        if base == 0 {
            return None;
        }
        let distance = current.nanos().abs_diff(previous.nanos());
        let scaled = Wide::from(distance).times(Wide::from(10_000_u64));
        let base_wide = Wide::from(base);
        // The largest whole share: bit by bit, since a 128-bit divisor is rare enough.
        let mut share = 0_u128;
        for bit in (0..127).rev() {
            let larger = share | 1 << bit;
            if base_wide.times(Wide::from(larger)) <= scaled {
                share = larger;
            }
        }
        let rest = scaled.minus(base_wide.times(Wide::from(share)));
        if rest >= base_wide {
            return None;
        }
        let up = match rest.plus(rest).cmp(&base_wide) {
            Ordering::Less => false,
            Ordering::Equal => share & 1 == 1,
            Ordering::Greater => true,
        };
        let size = i128::try_from(share + u128::from(up)).ok()?;
        Some(Self(if current < previous { -size } else { size }))
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let size = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:04}", size / 10_000, size % 10_000)
    }
}

impl std::str::FromStr for Change {
    type Err = ChangeError;

    fn from_str(text: &str) -> Result<Self, ChangeError> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').ok_or(ChangeError)?;
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !plain(whole) || !plain(fraction) || fraction.len() != 4 {
            return Err(ChangeError);
        }
        let size: i128 = format!("{whole}{fraction}")
            .parse()
            .map_err(|_| ChangeError)?;
        Ok(Self(if negative { -size } else { size }))
    }
}

/// The text is not a share with four digits behind the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a change is a decimal number with four digits behind the point, such as -0.2500")]
pub struct ChangeError;

impl Serialize for Change {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Change {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn change(current: i128, previous: i128) -> Option<String> {
        let trend = Trend::between(Money::from_nanos(current), Money::from_nanos(previous));
        trend.change.map(|change| change.to_string())
    }

    #[test]
    fn worked_cases() {
        for (current, previous, wanted) in [
            (125, 100, Some("0.2500")),
            (75, 100, Some("-0.2500")),
            (0, 100, Some("-1.0000")),
            (100, 100, Some("0.0000")),
            (300, 100, Some("2.0000")),
            // 1/3 = 0.33333…, 2/3 = 0.66666…
            (4, 3, Some("0.3333")),
            (5, 3, Some("0.6667")),
            (1, 3, Some("-0.6667")),
            // 0.00005 -> 0.0000 (even), 0.00015 -> 0.0002 (even), and the same below zero
            (20_001, 20_000, Some("0.0000")),
            (20_003, 20_000, Some("0.0002")),
            (19_997, 20_000, Some("-0.0002")),
            // From a credit of 100 to a cost of 50: 150 more, on 100
            (50, -100, Some("1.5000")),
            (-150, -100, Some("-0.5000")),
            (5, 0, None),
            (0, 0, None),
        ] {
            assert_eq!(
                change(current, previous).as_deref(),
                wanted,
                "{current} {previous}"
            );
        }
    }

    #[test]
    fn the_widest_amounts_have_no_panic() {
        assert_eq!(change(i128::MAX, 1), None);
        assert_eq!(change(i128::MIN, i128::MIN).as_deref(), Some("0.0000"));
        assert_eq!(change(i128::MAX, i128::MIN).as_deref(), Some("2.0000"));
    }

    proptest! {
        #[test]
        fn agrees_with_the_naive_computation(current in any::<i64>(), previous in any::<i64>()) {
            prop_assume!(previous != 0);
            let (current, previous) = (i128::from(current), i128::from(previous));
            let (above, below) = ((current - previous) * 10_000, previous.abs());
            let floor = above.div_euclid(below);
            let wanted = match (2 * above.rem_euclid(below)).cmp(&below) {
                Ordering::Less => floor,
                Ordering::Equal => floor + (floor & 1),
                Ordering::Greater => floor + 1,
            };
            let trend = Trend::between(Money::from_nanos(current), Money::from_nanos(previous));
            prop_assert_eq!(trend.change.map(Change::ten_thousandths), Some(wanted));
        }

        #[test]
        fn a_change_reads_back_what_it_writes(number in any::<i64>()) {
            let change = Change::from_ten_thousandths(number.into());
            prop_assert_eq!(change.to_string().parse(), Ok(change));
        }
    }
}
