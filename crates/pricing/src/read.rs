//! From a catalog text to rows. Every bad row is reported by name; nothing stops at the first.

mod check;
mod convert;
mod raw;

use std::collections::{BTreeMap, BTreeSet};

use diamond_domain::ServiceId;

use crate::{catalog::Problem, row::ModelPrice, service::ServiceWords};

/// What a text holds.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub words: BTreeMap<ServiceId, ServiceWords>,
    pub rows: Vec<ModelPrice>,
}

/// Reads a text. `file` names it in problems that have no row; `known` are the services that
/// other texts have declared.
pub(crate) fn read(
    text: &str,
    file: &str,
    known: &BTreeMap<ServiceId, ServiceWords>,
    problems: &mut Vec<Problem>,
) -> Read {
    let mut read = Read::default();
    let table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(error) => {
            problems.push(Problem::new(file, error.to_string().trim_end()));
            return read;
        }
    };
    let mut models = Vec::new();
    for (key, value) in table {
        match (key.as_str(), value) {
            ("services", toml::Value::Table(services)) => {
                read_services(services, &mut read.words, problems);
            }
            ("model", toml::Value::Array(rows)) => models = rows,
            _ => {
                let reason = "only [services.NAME] and [[model]] may stand at the top";
                problems.push(Problem::new(format!("{file}, `{key}`"), reason));
            }
        }
    }
    let mut seen = BTreeSet::new();
    for (place, value) in models.into_iter().enumerate() {
        let called = value.get("name").and_then(toml::Value::as_str);
        let called = called.map_or_else(
            || format!("{file}, model {}", place + 1),
            |name| format!("{file}, model {} (`{name}`)", place + 1),
        );
        let raw: raw::Model = match value.try_into() {
            Ok(raw) => raw,
            Err(error) => {
                problems.push(Problem::new(called, error.to_string().trim_end()));
                continue;
            }
        };
        // A file of one service need not repeat its name in every row.
        let only = match read.words.len() {
            1 => read.words.keys().next(),
            _ => None,
        };
        let declared =
            |service: &ServiceId| read.words.contains_key(service) || known.contains_key(service);
        match convert::model(raw, only, declared) {
            Ok(row) if seen.insert(row.id()) => read.rows.push(row),
            Ok(row) => problems.push(Problem::new(row.id(), "the row stands here twice")),
            Err(reasons) => {
                problems.extend(
                    reasons
                        .into_iter()
                        .map(|reason| Problem::new(&called, reason)),
                );
            }
        }
    }
    read
}

fn read_services(
    services: toml::Table,
    words: &mut BTreeMap<ServiceId, ServiceWords>,
    problems: &mut Vec<Problem>,
) {
    for (name, value) in services {
        let parsed = name.parse::<ServiceId>().map_err(|error| error.to_string());
        let raw = value
            .try_into::<raw::Service>()
            .map_err(|error| error.to_string().trim_end().to_owned());
        match (parsed, raw) {
            (Ok(service), Ok(raw)) => {
                words.insert(
                    service,
                    ServiceWords {
                        component_code: raw.component_code,
                        neutral_tiers: raw.neutral_tiers,
                        tier_aliases: raw.tier_aliases,
                        neutral_modifiers: raw.neutral_modifiers,
                    },
                );
            }
            (parsed, raw) => {
                let reasons = parsed.err().into_iter().chain(raw.err());
                let row = format!("services.{name}");
                problems.extend(reasons.map(|reason| Problem::new(&row, reason)));
            }
        }
    }
}
