//! Maps whose names stand there once: of two amounts under one name, neither is known to be meant.

use std::{collections::BTreeSet, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor},
};

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
    map::<D, diamond_domain::Meter, u64, _>(deserializer)
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
