//! Exact money: integer nano-dollars.

use std::{
    fmt,
    iter::Sum,
    ops::{Add, Neg, Sub},
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::id::impl_serde_as_text;

/// An amount of US dollars in whole nano-dollars (10⁻⁹ USD), signed. Never a float.
///
/// 128 bits: one type holds an event's cost and the sum over every event there will be. On the
/// wire it is a decimal string with nine digits behind the point.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Money(i128);

/// Why a text is not an amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not a plain decimal number.
    #[error("an amount is a decimal number such as 12.5 or -0.000000001, without exponent")]
    Syntax,
    /// More digits than can be kept exactly.
    #[error("an amount has at most nine digits behind the point")]
    TooPrecise,
    /// Larger than any amount we could owe.
    #[error("the amount is out of range")]
    Range,
}

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// Nano-dollars in a dollar.
    pub const NANOS_PER_DOLLAR: i128 = 1_000_000_000;

    /// This many nano-dollars.
    #[must_use]
    pub const fn from_nanos(nanos: i128) -> Self {
        Self(nanos)
    }

    /// The number of nano-dollars.
    #[must_use]
    pub const fn nanos(self) -> i128 {
        self.0
    }

    /// The sum, or `None` when it cannot be represented.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// Whether this is less than nothing.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }
}

// A hundred and twenty-eight bits of nano-dollars is 10²⁹ dollars: sums of event costs, each at
// most 2⁶³ nanos, cannot overflow. Saturating keeps arithmetic total all the same.
impl Add for Money {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Money {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Neg for Money {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let nanos = self.0.unsigned_abs();
        let per_dollar = Self::NANOS_PER_DOLLAR.unsigned_abs();
        // Dividing 128 bits takes far longer, and few amounts need them.
        if let (Ok(nanos), Ok(per_dollar)) = (u64::try_from(nanos), u64::try_from(per_dollar)) {
            return write!(f, "{sign}{}.{:09}", nanos / per_dollar, nanos % per_dollar);
        }
        write!(f, "{sign}{}.{:09}", nanos / per_dollar, nanos % per_dollar)
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${self}")
    }
}

impl FromStr for Money {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !plain(whole) || !plain(fraction) {
            return Err(MoneyError::Syntax);
        }
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > 9 {
            return Err(MoneyError::TooPrecise);
        }
        if whole.len() > 24 {
            return Err(MoneyError::Range);
        }
        let whole: i128 = whole.parse().map_err(|_| MoneyError::Range)?;
        let fraction: i128 = format!("{fraction:0<9}")
            .parse()
            .map_err(|_| MoneyError::Syntax)?;
        let nanos = whole * Self::NANOS_PER_DOLLAR + fraction;
        Ok(Self(if negative { -nanos } else { nanos }))
    }
}

impl_serde_as_text!(Money);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_amount_reads_back_what_it_writes(nanos in -(1_i128 << 90)..(1_i128 << 90)) {
            // 2⁹⁰ nanos is a whole part of 19 digits.
            let money = Money::from_nanos(nanos);
            prop_assert_eq!(money.to_string().parse::<Money>().unwrap(), money);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}") {
            let _ = text.parse::<Money>();
        }
    }

    #[test]
    fn texts() {
        for (text, nanos) in [
            ("0", 0),
            ("1", 1_000_000_000),
            ("-1.5", -1_500_000_000),
            ("0.000000001", 1),
            ("0.1000000000000", 100_000_000),
        ] {
            assert_eq!(
                text.parse::<Money>(),
                Ok(Money::from_nanos(nanos)),
                "{text}"
            );
        }
        for (text, error) in [
            ("", MoneyError::Syntax),
            ("1e3", MoneyError::Syntax),
            ("1.", MoneyError::Syntax),
            (".5", MoneyError::Syntax),
            ("+1", MoneyError::Syntax),
            ("0.0000000001", MoneyError::TooPrecise),
            ("9999999999999999999999999", MoneyError::Range),
        ] {
            assert_eq!(text.parse::<Money>(), Err(error), "{text}");
        }
        assert_eq!(Money::from_nanos(-1).to_string(), "-0.000000001");
    }
}
