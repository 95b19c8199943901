//! Whole numbers of 512 bits, never negative: as wide as a variance of money can get.
//!
//! Money has 128 bits. A difference of two amounts needs 128, its square 256, the sum of 2⁶⁴ of
//! them 320, and that times their number 384; the products that are compared with it stay below
//! 2³⁹⁰. So nothing here overflows, whatever the amounts.

use std::cmp::Ordering;

const LIMBS: usize = 8;

/// A number of 512 bits, least significant limb first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wide([u64; LIMBS]);

impl Wide {
    pub const ZERO: Self = Self([0; LIMBS]);

    pub fn plus(self, other: Self) -> Self {
        let mut sum = [0; LIMBS];
        let mut carry = 0_u128;
        for (place, limb) in sum.iter_mut().enumerate() {
            carry += u128::from(self.0[place]) + u128::from(other.0[place]);
            *limb = low(carry);
            carry >>= 64;
        }
        Self(sum)
    }

    /// The difference from a number that is not larger.
    pub fn minus(self, other: Self) -> Self {
        let mut difference = [0; LIMBS];
        let mut borrow = false;
        for (place, limb) in difference.iter_mut().enumerate() {
            let (first, under) = self.0[place].overflowing_sub(other.0[place]);
            let (second, again) = first.overflowing_sub(u64::from(borrow));
            *limb = second;
            borrow = under || again;
        }
        Self(difference)
    }

    pub fn times(self, other: Self) -> Self {
        let mut product = [0; LIMBS];
        for (left, &limb) in self.0.iter().enumerate() {
            let mut carry = 0_u128;
            if limb == 0 {
                continue;
            }
            for right in 0..LIMBS - left {
                let part = u128::from(limb) * u128::from(other.0[right]);
                carry += part + u128::from(product[left + right]);
                product[left + right] = low(carry);
                carry >>= 64;
            }
        }
        Self(product)
    }

    pub fn squared(self) -> Self {
        self.times(self)
    }

    /// Quotient and remainder of a division by a number that is not zero.
    pub fn divided(self, by: u64) -> (Self, u64) {
        let mut quotient = [0; LIMBS];
        let mut rest = 0_u128;
        for place in (0..LIMBS).rev() {
            let part = rest << 64 | u128::from(self.0[place]);
            quotient[place] = low(part / u128::from(by));
            rest = part % u128::from(by);
        }
        (Self(quotient), low(rest))
    }

    /// The lowest 128 bits.
    pub fn to_u128(self) -> u128 {
        u128::from(self.0[1]) << 64 | u128::from(self.0[0])
    }
}

fn low(number: u128) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the higher half is carried on"
    )]
    let low = number as u64;
    low
}

impl From<u128> for Wide {
    fn from(number: u128) -> Self {
        let mut limbs = [0; LIMBS];
        limbs[0] = low(number);
        limbs[1] = low(number >> 64);
        Self(limbs)
    }
}

impl From<u64> for Wide {
    fn from(number: u64) -> Self {
        Self::from(u128::from(number))
    }
}

impl PartialOrd for Wide {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Wide {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.iter().rev().cmp(other.0.iter().rev())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_128_bits_where_they_suffice(a in any::<u64>(), b in any::<u64>(), c in 1_u64..) {
            let (wide_a, wide_b) = (Wide::from(a), Wide::from(b));
            prop_assert_eq!(wide_a.times(wide_b), Wide::from(u128::from(a) * u128::from(b)));
            prop_assert_eq!(wide_a.plus(wide_b), Wide::from(u128::from(a) + u128::from(b)));
            prop_assert_eq!(wide_a.cmp(&wide_b), a.cmp(&b));
            let product = u128::from(a) * u128::from(b);
            let (quotient, rest) = Wide::from(product).divided(c);
            prop_assert_eq!(quotient.to_u128(), product / u128::from(c));
            prop_assert_eq!(u128::from(rest), product % u128::from(c));
        }

        #[test]
        fn wide_arithmetic_undoes_itself(a in any::<u128>(), b in any::<u128>(), c in 1_u64..) {
            let (a, b) = (Wide::from(a), Wide::from(b));
            let square = a.squared().plus(b.squared());
            prop_assert_eq!(square.minus(b.squared()), a.squared());
            // (a + b)² = a² + 2ab + b²
            let ab = a.times(b);
            prop_assert_eq!(a.plus(b).squared(), square.plus(ab).plus(ab));
            let (quotient, rest) = square.divided(c);
            prop_assert_eq!(quotient.times(Wide::from(c)).plus(Wide::from(rest)), square);
        }
    }
}
