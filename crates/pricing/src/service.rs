//! One provider's rows, found by a model's name.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use crate::{
    catalog::Problem,
    query::Unpriced,
    row::{ModelPrice, Modifier, Tier},
};

/// What a catalog text says on a service besides its models.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ServiceWords {
    /// The item on invoices.
    pub component_code: String,
    /// Words of the provider for the usual tier.
    pub neutral_tiers: BTreeSet<String>,
    /// Other words for a tier.
    pub tier_aliases: BTreeMap<String, String>,
    /// Circumstances that never change a price.
    pub neutral_modifiers: BTreeSet<String>,
}

/// A service with its rows, ready to be asked.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub words: ServiceWords,
    /// By name; each model's rows by date.
    models: BTreeMap<String, Vec<ModelPrice>>,
    aliases: HashMap<String, String>,
    /// Longest first.
    prefixes: Vec<(String, String)>,
    known_modifiers: BTreeSet<String>,
}

impl Service {
    /// Puts the rows, sorted by name and date, in order. Names that two models claim are problems.
    pub fn new(
        words: ServiceWords,
        rows: impl Iterator<Item = ModelPrice>,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let mut models: BTreeMap<String, Vec<ModelPrice>> = BTreeMap::new();
        for row in rows {
            models.entry(row.name.clone()).or_default().push(row);
        }
        let mut aliases = HashMap::new();
        let mut prefixes = BTreeMap::new();
        let mut known_modifiers = words.neutral_modifiers.clone();
        for row in models.values().flatten() {
            known_modifiers.extend(row.modifiers.keys().cloned());
            for alias in &row.aliases {
                let other = aliases.insert(alias.clone(), row.name.clone());
                complain_of_twins(row, alias, other, problems);
            }
            for prefix in &row.prefixes {
                let other = prefixes.insert(prefix.clone(), row.name.clone());
                complain_of_twins(row, prefix, other, problems);
            }
        }
        let mut prefixes: Vec<_> = prefixes.into_iter().collect();
        prefixes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        Self {
            words,
            models,
            aliases,
            prefixes,
            known_modifiers,
        }
    }

    /// Every row, by name and date.
    pub fn rows(&self) -> impl Iterator<Item = &ModelPrice> {
        self.models.values().flatten()
    }

    /// The row that holds for a model: by its name, an alias, the name without a snapshot's date,
    /// or the beginning of the name; the first of these that has a row at that time.
    pub fn row(&self, model: &str, at: Timestamp) -> Result<&ModelPrice, Unpriced> {
        let undated = without_snapshot_date(model);
        let names = [Some(model), self.alias(model)]
            .into_iter()
            .chain([undated, undated.and_then(|name| self.alias(name))])
            .chain([self.by_prefix(model)]);
        let mut reason = Unpriced::UnknownModel;
        for rows in names.flatten().filter_map(|name| self.models.get(name)) {
            // The latest beginning wins among the rows that hold.
            if let Some(row) = rows.iter().rev().find(|row| row.holds(at)) {
                return Ok(row);
            }
            if reason == Unpriced::UnknownModel {
                let begun = rows.iter().any(|row| row.starts <= at);
                reason = if begun {
                    Unpriced::Retired
                } else {
                    Unpriced::NotYetValid
                };
            }
        }
        Err(reason)
    }

    /// The tier of a row that the provider's word means; `None` is the standard one.
    pub fn tier<'a>(
        &'a self,
        row: &'a ModelPrice,
        word: Option<&str>,
    ) -> Result<Option<(&'a str, &'a Tier)>, Unpriced> {
        let Some(word) = word.filter(|word| !word.is_empty()) else {
            return Ok(None);
        };
        let meant = self
            .words
            .tier_aliases
            .get(word)
            .map_or(word, String::as_str);
        match row.tiers.get_key_value(meant) {
            Some((name, tier)) => Ok(Some((name, tier))),
            None if self.words.neutral_tiers.contains(meant) => Ok(None),
            None => Err(Unpriced::UnknownTier(word.to_owned())),
        }
    }

    /// Those modifiers that change this row's price. One that other rows of the service know
    /// changes nothing here; one that none knows might change anything.
    pub fn modifiers<'a>(
        &self,
        row: &'a ModelPrice,
        words: &[&str],
    ) -> Result<Vec<(&'a str, &'a Modifier)>, Unpriced> {
        let mut found = BTreeMap::new();
        for &word in words {
            if let Some((name, modifier)) = row.modifiers.get_key_value(word) {
                found.insert(name.as_str(), modifier);
            } else if !self.known_modifiers.contains(word) {
                return Err(Unpriced::UnknownModifier(word.to_owned()));
            }
        }
        Ok(found.into_iter().collect())
    }

    fn alias(&self, name: &str) -> Option<&str> {
        self.aliases.get(name).map(String::as_str)
    }

    fn by_prefix(&self, name: &str) -> Option<&str> {
        let mut prefixes = self.prefixes.iter();
        let found = prefixes.find(|(prefix, _)| name.starts_with(prefix.as_str()));
        found.map(|(_, model)| model.as_str())
    }
}

fn complain_of_twins(
    row: &ModelPrice,
    text: &str,
    other: Option<String>,
    problems: &mut Vec<Problem>,
) {
    if let Some(other) = other.filter(|other| *other != row.name) {
        let reason = format!("`{text}` already means `{other}`");
        problems.push(Problem::new(row.id(), reason));
    }
}

/// `gpt-4o-mini` of `gpt-4o-mini-2024-07-18`, `claude-opus-4-5` of `claude-opus-4-5-20251101`.
fn without_snapshot_date(model: &str) -> Option<&str> {
    let shaped = |text: &str, shape: &str| {
        text.len() == shape.len()
            && text
                .bytes()
                .zip(shape.bytes())
                .all(|(byte, wanted)| match wanted {
                    b'0' => byte.is_ascii_digit(),
                    other => byte == other,
                })
    };
    ["-0000-00-00", "-00000000"].into_iter().find_map(|shape| {
        let (name, date) = model.split_at_checked(model.len().checked_sub(shape.len())?)?;
        (!name.is_empty() && shaped(date, shape)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::without_snapshot_date;

    #[test]
    fn only_a_date_at_the_end_is_cut_off() {
        for (model, name) in [
            ("gpt-4o-mini-2024-07-18", Some("gpt-4o-mini")),
            ("claude-opus-4-5-20251101", Some("claude-opus-4-5")),
            ("gpt-4o-mini", None),
            ("gpt-4-0613", None),
            ("gpt-2024-07-18-mini", None),
            ("-2024-07-18", None),
            ("ü2024-07-18", None),
            ("", None),
        ] {
            assert_eq!(without_snapshot_date(model), name, "{model}");
        }
    }
}
