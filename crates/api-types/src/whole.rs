//! Whole numbers of bodies. To JSON, and to the schemas that describe ours, `5.0` is the integer 5.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor},
};

/// From here on a number with a point no longer names one integer.
const EXACT_BELOW: f64 = 9_007_199_254_740_992.0;

/// A whole number, however it is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Whole<T>(pub T);

impl<'de, T: TryFrom<u64>> Deserialize<'de> for Whole<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_u64(WholeVisitor(PhantomData))
    }
}

/// Reads a whole number or `null`. For `deserialize_with`.
pub(crate) fn optional<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<u64>,
{
    let read = Option::<Whole<T>>::deserialize(deserializer)?;
    Ok(read.map(|Whole(number)| number))
}

struct WholeVisitor<T>(PhantomData<T>);

impl<T: TryFrom<u64>> Visitor<'_> for WholeVisitor<T> {
    type Value = Whole<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number that is not negative")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
        let fits = T::try_from(number).map(Whole);
        fits.map_err(|_| E::custom(format_args!("{number} is too large")))
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "looked at before: whole, not negative, and small enough to be exact"
    )]
    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Self::Value, E> {
        if (0.0..EXACT_BELOW).contains(&number) && number.fract() == 0.0 {
            return self.visit_u64(number as u64);
        }
        Err(E::invalid_value(de::Unexpected::Float(number), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_without_a_fraction_changes_nothing() {
        let read = |text: &str| serde_json::from_str::<Whole<u64>>(text).ok().map(|n| n.0);
        assert_eq!(read("1400123917.0"), Some(1_400_123_917));
        assert_eq!(read("2e3"), Some(2_000));
        assert_eq!(read("18446744073709551615"), Some(u64::MAX));
        for not_whole in [
            "1.5",
            "-1",
            "-1.0",
            "1e16",
            "1e400",
            "18446744073709551616",
            "\"1\"",
        ] {
            assert_eq!(read(not_whole), None, "{not_whole}");
        }
        assert!(serde_json::from_str::<Whole<u16>>("65536.0").is_err());
    }
}
