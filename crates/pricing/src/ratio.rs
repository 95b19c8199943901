//! Exact fractions, never negative: a price per minute has no exact decimal per millisecond.

use std::{fmt, str::FromStr};

use diamond_domain::Money;

/// A fraction that is never negative, in lowest terms.
///
/// Arithmetic that would not fit 128 bits answers `None`; nothing wraps.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ratio {
    numerator: u128,
    denominator: u128,
}

/// Why a text is not a fraction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RatioError {
    /// Not a plain decimal, nor two of them with a stroke between.
    #[error(
        "`{0}` is not a decimal number such as \"0.15\" or a fraction such as \"0.15 / 1000000\""
    )]
    Syntax(String),
    /// A zero below the stroke.
    #[error("`{0}` divides by zero")]
    DividesByZero(String),
    /// More digits than a price can have.
    #[error("`{0}` has too many digits")]
    TooLong(String),
}

/// Digits of a decimal, before and behind the point together. Twenty at most keep every product of
/// a rate, its factors and a quantity within 128 bits for any amount that is real.
const DIGITS_MAX: usize = 20;

impl Ratio {
    /// Nothing.
    pub const ZERO: Self = Self {
        numerator: 0,
        denominator: 1,
    };
    /// One.
    pub const ONE: Self = Self {
        numerator: 1,
        denominator: 1,
    };

    /// A whole number.
    #[must_use]
    pub const fn whole(number: u64) -> Self {
        Self {
            numerator: number as u128,
            denominator: 1,
        }
    }

    /// Whether this is nothing.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.numerator == 0
    }

    /// The product, or `None` when it cannot be kept exactly.
    #[must_use]
    pub fn times(self, other: Self) -> Option<Self> {
        // Most factors are one; the common divisors are what pricing a call spends its time on.
        if other == Self::ONE {
            return Some(self);
        }
        // Cancelling across first keeps the product in lowest terms without a larger intermediate.
        let left = greatest_common_divisor(self.numerator, other.denominator);
        let right = greatest_common_divisor(other.numerator, self.denominator);
        Some(Self {
            numerator: (self.numerator / left).checked_mul(other.numerator / right)?,
            denominator: (self.denominator / right).checked_mul(other.denominator / left)?,
        })
    }

    /// The sum, or `None` when it cannot be kept exactly.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        let common = greatest_common_divisor(self.denominator, other.denominator);
        let mine = self.numerator.checked_mul(other.denominator / common)?;
        let theirs = other.numerator.checked_mul(self.denominator / common)?;
        let denominator = self.denominator.checked_mul(other.denominator / common)?;
        Self::reduced(mine.checked_add(theirs)?, denominator)
    }

    /// The larger of the two, or `None` when they cannot be compared exactly.
    #[must_use]
    pub fn larger(self, other: Self) -> Option<Self> {
        let common = greatest_common_divisor(self.denominator, other.denominator);
        let mine = self.numerator.checked_mul(other.denominator / common)?;
        let theirs = other.numerator.checked_mul(self.denominator / common)?;
        Some(if theirs > mine { other } else { self })
    }

    /// This many dollars in nano-dollars, rounded half to even; `None` beyond 2⁶³ nano-dollars,
    /// the most that one event may cost.
    #[must_use]
    pub fn to_money(self) -> Option<Money> {
        let nanos = self.times(Self::whole(Money::NANOS_PER_DOLLAR.unsigned_abs() as u64))?;
        let whole = nanos.numerator / nanos.denominator;
        let rest = nanos.numerator % nanos.denominator;
        let missing = nanos.denominator - rest;
        let up = rest > missing || (rest == missing && whole % 2 == 1);
        let rounded = i64::try_from(whole.checked_add(u128::from(up))?).ok()?;
        Some(Money::from_nanos(rounded.into()))
    }

    fn reduced(numerator: u128, denominator: u128) -> Option<Self> {
        let common = greatest_common_divisor(numerator, denominator);
        Some(Self {
            numerator: numerator.checked_div(common)?,
            denominator: denominator.checked_div(common)?,
        })
    }
}

/// Never zero as long as one of the two is not; denominators never are.
const fn greatest_common_divisor(mut left: u128, mut right: u128) -> u128 {
    while right != 0 {
        (left, right) = (right, left % right);
    }
    left
}

fn decimal(text: &str) -> Result<Ratio, RatioError> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(whole) || !plain(fraction) {
        return Err(RatioError::Syntax(text.to_owned()));
    }
    let fraction = fraction.trim_end_matches('0');
    let too_long = || RatioError::TooLong(text.to_owned());
    if whole.len() + fraction.len() > DIGITS_MAX {
        return Err(too_long());
    }
    let numerator = format!("{whole}{fraction}")
        .parse()
        .map_err(|_| too_long())?;
    let denominator = (0..fraction.len()).fold(1_u128, |power, _| power * 10);
    Ratio::reduced(numerator, denominator).ok_or_else(too_long)
}

impl FromStr for Ratio {
    type Err = RatioError;

    fn from_str(text: &str) -> Result<Self, RatioError> {
        let (above, below) = text.split_once('/').unwrap_or((text, "1"));
        let (above, below) = (decimal(above.trim())?, decimal(below.trim())?);
        if below.is_zero() {
            return Err(RatioError::DividesByZero(text.to_owned()));
        }
        let inverse = Self {
            numerator: below.denominator,
            denominator: below.numerator,
        };
        above
            .times(inverse)
            .ok_or_else(|| RatioError::TooLong(text.to_owned()))
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.numerator, self.denominator)
    }
}

impl fmt::Debug for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ratio(text: &str) -> Ratio {
        text.parse().unwrap()
    }

    #[test]
    fn texts_become_lowest_terms() {
        assert_eq!(ratio("0.006 / 60000").to_string(), "1/10000000");
        assert_eq!(ratio("1.1").to_string(), "11/10");
        assert_eq!(ratio("0").to_string(), "0/1");
        assert_eq!(ratio("2").to_string(), "2/1");
        assert_eq!(ratio("0.3 / 0.1").to_string(), "3/1");
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "-1", "1e-6", ".5", "1.", "1 / ", "a", "1/2/3", "+1"] {
            assert!(
                matches!(text.parse::<Ratio>(), Err(RatioError::Syntax(_))),
                "{text}"
            );
        }
        assert!(matches!(
            "1 / 0.0".parse::<Ratio>(),
            Err(RatioError::DividesByZero(_))
        ));
        assert!(matches!(
            "123456789012345678901".parse::<Ratio>(),
            Err(RatioError::TooLong(_))
        ));
    }

    #[test]
    fn halves_round_to_the_even_neighbour() {
        for (text, nanos) in [
            ("0.0000000005", 0), // half a nano: down to 0
            ("0.0000000015", 2), // one and a half: up to 2
            ("0.0000000025", 2), // two and a half: down to 2
            ("0.0000000005000000001", 1),
            ("0.0000000024999999999", 2),
            ("1 / 3", 333_333_333),
            ("2 / 3", 666_666_667),
        ] {
            assert_eq!(
                ratio(text).to_money(),
                Some(Money::from_nanos(nanos)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_does_not_fit_is_none() {
        let huge = ratio("10000000000000000000");
        assert_eq!(huge.to_money(), None);
        assert_eq!(huge.times(huge).and_then(|square| square.times(huge)), None);
        // 9,223,372,036.854775807 dollars are 2⁶³ − 1 nano-dollars: the last that fits.
        assert!(ratio("9223372036.854775807").to_money().is_some());
        assert_eq!(ratio("9223372036.854775808").to_money(), None);
    }

    proptest! {
        #[test]
        fn sums_and_products_agree_with_cross_multiplication(
            a in 0_u64..1 << 30, b in 1_u64..1 << 30, c in 0_u64..1 << 30, d in 1_u64..1 << 30,
        ) {
            let (left, right) = (ratio(&format!("{a}/{b}")), ratio(&format!("{c}/{d}")));
            let [a, b, c, d] = [a, b, c, d].map(u128::from);
            let sum = left.plus(right).unwrap();
            prop_assert_eq!(sum.numerator * (b * d), (a * d + c * b) * sum.denominator);
            let product = left.times(right).unwrap();
            prop_assert_eq!(product.numerator * (b * d), a * c * product.denominator);
            prop_assert_eq!(greatest_common_divisor(sum.numerator, sum.denominator), 1);
            prop_assert_eq!(greatest_common_divisor(product.numerator, product.denominator), 1);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[0-9./ e-]{0,50}") {
            let _ = text.parse::<Ratio>();
        }
    }
}
