//! Maps whose names stand there once: of two amounts under one name, neither is known to be meant.

use std::{collections::BTreeSet, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};

use crate::whole::Whole;

/// Reads an object; a name that stands twice in it, or in anything inside, is an error. For
/// `deserialize_with`.
pub(crate) fn object<'de, D>(deserializer: D) -> Result<Map<String, Value>, D::Error>
where
    D: Deserializer<'de>,
{
    let entries = map::<D, String, Plain, Vec<_>>(deserializer)?;
    Ok(entries
        .into_iter()
        .map(|(name, Plain(value))| (name, value))
        .collect())
}

/// Reads a map; a name that stands there twice is an error. For `deserialize_with`.
pub(crate) fn map<'de, D, K, V, M>(deserializer: D) -> Result<M, D::Error>
where
    D: Deserializer<'de>,
    K: Deserialize<'de> + Ord + Clone + fmt::Display,
    V: Deserialize<'de>,
    M: FromIterator<(K, V)>,
{
    deserializer.deserialize_map(Distinct(PhantomData))
}

/// The amounts of a report, zeros left out.
pub(crate) fn quantities<'de, D>(deserializer: D) -> Result<diamond_domain::Quantities, D::Error>
where
    D: Deserializer<'de>,
{
    let amounts = map::<D, diamond_domain::Meter, Whole<u64>, Vec<_>>(deserializer)?;
    let amounts = amounts
        .into_iter()
        .map(|(meter, Whole(amount))| (meter, amount));
    Ok(amounts.collect())
}

/// The tags of a report.
pub(crate) fn tags<'de, D>(deserializer: D) -> Result<diamond_domain::Tags, D::Error>
where
    D: Deserializer<'de>,
{
    map::<D, String, String, _>(deserializer)
}

struct Distinct<K, V, M>(PhantomData<(K, V, M)>);

impl<'de, K, V, M> Visitor<'de> for Distinct<K, V, M>
where
    K: Deserialize<'de> + Ord + Clone + fmt::Display,
    V: Deserialize<'de>,
    M: FromIterator<(K, V)>,
{
    type Value = M;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<M, A::Error> {
        let (mut names, mut entries) = (BTreeSet::new(), Vec::new());
        while let Some((name, value)) = access.next_entry::<K, V>()? {
            if !names.insert(name.clone()) {
                return Err(de::Error::custom(format_args!(
                    "`{name}` stands there twice"
                )));
            }
            entries.push((name, value));
        }
        Ok(entries.into_iter().collect())
    }
}

/// Any JSON in whose objects each name stands once.
struct Plain(Value);

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlainVisitor)
    }
}

struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Plain;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Plain, E> {
        Ok(Plain(Value::Null))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Plain, E> {
        Ok(Plain(value.into()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Plain, E> {
        Ok(Plain(value.into()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Plain, E> {
        Ok(Plain(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Plain, E> {
        Ok(Plain(
            Number::from_f64(value).map_or(Value::Null, Value::Number),
        ))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Plain, E> {
        Ok(Plain(value.into()))
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Plain, E> {
        Ok(Plain(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Plain, A::Error> {
        let mut items = Vec::new();
        while let Some(Plain(item)) = access.next_element()? {
            items.push(item);
        }
        Ok(Plain(items.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<Plain, A::Error> {
        let entries: Vec<(String, Plain)> = Distinct(PhantomData).visit_map(access)?;
        let entries = entries
            .into_iter()
            .map(|(name, Plain(value))| (name, value));
        Ok(Plain(Value::Object(entries.collect())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_stands_twice_at_any_depth_is_refused() {
        let read = |text: &str| object(&mut serde_json::Deserializer::from_str(text));
        let text = r#"{"a":{"b":[null,true,-1,1,1.5,"x",{"c":{}}],"c":1},"b":{}}"#;
        let same: Value = serde_json::from_str(text).unwrap();
        assert_eq!(Value::Object(read(text).unwrap()), same);
        for twice in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":{"b":1,"b":2}}"#,
            r#"{"a":[{"b":1,"b":2}]}"#,
            r#"{"a":1,"\u0061":1}"#,
        ] {
            let error = read(twice).unwrap_err().to_string();
            assert!(error.contains("stands there twice"), "{twice}: {error}");
        }
    }
}
