//! Numbers of JSON, read exactly.

use diamond_domain::Money;

/// Ten to this is more than any number here has digits.
const EXPONENT_MAX: i32 = 60;

/// A number of JSON times ten to `digits`, divided by `by`, as a whole number: rounded once, half
/// to even. `None` for what is no such number, or out of range.
pub(super) fn scaled(number: &str, digits: u32, by: u64) -> Option<i128> {
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (number, 0),
    };
    let (negative, mantissa) = match mantissa.strip_prefix('-') {
        Some(mantissa) => (true, mantissa),
        None => (false, mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(fraction) {
        return None;
    }
    let value: u128 = format!("{whole}{fraction}").parse().ok()?;
    let shift = exponent
        .checked_sub(i32::try_from(fraction.len()).ok()?)?
        .checked_add(i32::try_from(digits).ok()?)?;
    if value == 0 {
        return Some(0);
    }
    let (dividend, divisor) = if shift >= 0 {
        let power = 10_u128.checked_pow(u32::try_from(shift.min(EXPONENT_MAX)).ok()?)?;
        (value.checked_mul(power)?, u128::from(by))
    } else {
        match 10_u128.checked_pow(shift.unsigned_abs()) {
            Some(power) => (value, power.checked_mul(u128::from(by))?),
            // Smaller than anything that is counted.
            None => return Some(0),
        }
    };
    let (quotient, rest) = (dividend.checked_div(divisor)?, dividend % divisor);
    let up = match rest.cmp(&(divisor - rest)) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => quotient % 2 == 1,
        std::cmp::Ordering::Greater => true,
    };
    let rounded = i128::try_from(quotient + u128::from(up)).ok()?;
    Some(if negative { -rounded } else { rounded })
}

/// A whole count, which a provider may write as `12` or `12.0`.
pub(super) fn count(number: &str) -> Option<u64> {
    u64::try_from(scaled(number, 0, 1)?).ok()
}

/// So many units as money.
pub(super) fn money(number: &str, units_per_dollar: u64) -> Option<Money> {
    // An amount of more than a billion dollars is a mistake, and larger than events can hold.
    scaled(number, 9, units_per_dollar)
        .filter(|nanos| nanos.unsigned_abs() <= 1_000_000_000_000_000_000)
        .map(Money::from_nanos)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_is_read_as_it_is_written() {
        for (text, digits, by, expected) in [
            ("12", 0, 1, Some(12)),
            ("12.0", 0, 1, Some(12)),
            ("0.00014", 9, 1, Some(140_000)),
            ("1.4e-4", 9, 1, Some(140_000)),
            ("1E+2", 0, 1, Some(100)),
            ("-0.5", 1, 1, Some(-5)),
            // Ticks of 10⁻¹⁰ dollars: 1.25 and 1.5 nano-dollars, half to even.
            ("25", 9, 10_000_000_000, Some(2)),
            ("35", 9, 10_000_000_000, Some(4)),
            ("36", 9, 10_000_000_000, Some(4)),
            ("1e-90", 9, 1, Some(0)),
            ("1e90", 9, 1, None),
            ("", 0, 1, None),
            ("1.x", 0, 1, None),
            ("null", 0, 1, None),
            ("1", 0, 0, None),
        ] {
            assert_eq!(scaled(text, digits, by), expected, "{text}");
        }
        assert_eq!(money("0.0000000015", 1), Some(Money::from_nanos(2)));
        assert_eq!(money("1e12", 1), None);
    }

    proptest! {
        #[test]
        fn no_text_is_too_much(text in "-?[0-9.eE+-]{0,80}", digits in 0_u32..20, by in any::<u64>()) {
            let _ = scaled(&text, digits, by);
        }
    }
}
