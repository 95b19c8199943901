//! The catalog: every service's rows, and the answer to what a call costs.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
};

use diamond_domain::{Meter, ServiceId};
use jiff::{Timestamp, civil::Date};

use crate::{
    query::{PriceQuery, Priced, Unpriced},
    read,
    row::{ModelLimits, ModelPrice},
    schedule::Schedule,
    service::{Service, ServiceWords},
};

/// The catalog files, compiled in, with the names that problems are reported under: whatever stands
/// in `catalog/` (the build script lists it).
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/catalog_files.rs"));

type RowKey = (ServiceId, String, Date);

/// Every price that is known. Immutable; share it behind an `Arc`.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    words: BTreeMap<ServiceId, ServiceWords>,
    rows: BTreeMap<RowKey, ModelPrice>,
    services: HashMap<ServiceId, Service>,
}

/// One thing that is wrong with a catalog text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which row: `openai/gpt-4o-mini@2026-10-01`, or its place if it has no such name.
    pub row: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Problem {
    pub(crate) fn new(row: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            row: row.into(),
            reason: reason.into(),
        }
    }
}

/// Everything that is wrong with a catalog text, in the text's order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct CatalogError {
    /// The problems; never empty.
    pub problems: Vec<Problem>,
}

impl fmt::Display for CatalogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the price catalog has {} bad rows", self.problems.len())?;
        for problem in &self.problems {
            write!(f, "\n  {}: {}", problem.row, problem.reason)?;
        }
        Ok(())
    }
}

impl Catalog {
    /// The catalog that is compiled in.
    ///
    /// # Errors
    /// Every bad row of the files; a test holds that there is none.
    pub fn embedded() -> Result<Self, CatalogError> {
        let mut catalog = Self::default();
        let mut problems = Vec::new();
        for (file, text) in FILES {
            catalog.take(text, file, &mut problems);
        }
        catalog.indexed(problems)
    }

    /// This catalog with an operator's rows on top: a row of the same model and date is replaced,
    /// any other is added, and for a model the row with the latest `valid_from` that has come
    /// wins. The text has the format of the files in `catalog/`; a row names its `service`.
    ///
    /// # Errors
    /// Every bad row, by name; nothing is taken over then.
    pub fn with_overrides(mut self, toml_text: &str) -> Result<Self, CatalogError> {
        let mut problems = Vec::new();
        self.take(toml_text, "overrides", &mut problems);
        self.indexed(problems)
    }

    /// This catalog with the rows that a service's declaration brings; `file` names it in problems.
    ///
    /// # Errors
    /// Every bad row, as `FILE, model NUMBER (…)` or by its name; nothing is taken over then.
    pub fn with_service(mut self, file: &str, toml_text: &str) -> Result<Self, CatalogError> {
        let mut problems = Vec::new();
        self.take(toml_text, file, &mut problems);
        self.indexed(problems)
    }

    /// What a call costs.
    ///
    /// The amount of each meter, without its parts, times the meter's own rate or else that of the
    /// whole it is a part of. A row measures work (tokens, sound, characters, credits, pictures)
    /// in its own units and ignores the others; tools (searches, sandboxes) that were used always
    /// need a rate; `requests` and `connection_milliseconds` are free unless rated. When none of a
    /// row's own units was counted, its `fallback` rates are asked.
    ///
    /// # Errors
    /// Why no price can be given; the cost is then unknown, not zero.
    pub fn price(&self, query: &PriceQuery<'_>) -> Result<Priced, Unpriced> {
        let quantities = query.quantities;
        if let Some(meter) = quantities.inconsistent() {
            return Err(Unpriced::InconsistentQuantities(meter));
        }
        let service = self.service(query.service)?;
        let row = service.row(query.model, query.at)?;
        if quantities.is_empty() {
            return Err(Unpriced::NothingCounted);
        }
        let tier = service.tier(row, query.service_tier)?;
        let thresholds = match tier {
            Some((_, tier)) if !tier.above.is_empty() => &tier.above,
            _ => &row.above,
        };
        let input_tokens = quantities.get(Meter::InputTokens);
        let schedule = Schedule {
            row,
            tier,
            above: thresholds
                .iter()
                .rfind(|above| input_tokens > above.input_tokens),
            modifiers: service.modifiers(row, query.modifiers)?,
            fallback: false,
        };
        let (dollars, fallback) = schedule.charge(quantities)?;
        Ok(Priced {
            cost: dollars.to_money().ok_or(Unpriced::OutOfRange)?,
            price_id: price_id(&schedule, fallback),
        })
    }

    /// The item of a service on invoices: `15-OPENAI`.
    #[must_use]
    pub fn component_code(&self, service: &ServiceId) -> Option<&str> {
        let words = self.words.get(service)?;
        Some(&words.component_code)
    }

    /// What a model takes and gives at most; `None` for an unknown model.
    #[must_use]
    pub fn limits(&self, service: &ServiceId, model: &str, at: Timestamp) -> Option<ModelLimits> {
        Some(self.row(service, model, at)?.limits)
    }

    /// The row that holds for a model at a time, whichever of its names is given.
    #[must_use]
    pub fn row(&self, service: &ServiceId, model: &str, at: Timestamp) -> Option<&ModelPrice> {
        self.service(service).ok()?.row(model, at).ok()
    }

    /// Every row of a service, by name and date.
    pub fn models<'a>(
        &'a self,
        service: &ServiceId,
    ) -> impl Iterator<Item = &'a ModelPrice> + use<'a> {
        self.services
            .get(service)
            .into_iter()
            .flat_map(Service::rows)
    }

    /// The services that have rows or a component code, by name.
    pub fn services(&self) -> impl Iterator<Item = &ServiceId> {
        self.words.keys()
    }

    pub(crate) fn service(&self, service: &ServiceId) -> Result<&Service, Unpriced> {
        self.services.get(service).ok_or(Unpriced::UnknownModel)
    }

    fn take(&mut self, text: &str, file: &str, problems: &mut Vec<Problem>) {
        let read = read::read(text, file, &self.words, problems);
        self.words.extend(read.words);
        for row in read.rows {
            let key = (row.service.clone(), row.name.clone(), row.valid_from);
            self.rows.insert(key, row);
        }
    }

    fn indexed(mut self, mut problems: Vec<Problem>) -> Result<Self, CatalogError> {
        self.services.clear();
        for (service, words) in &self.words {
            let rows = self.rows.values().filter(|row| row.service == *service);
            let indexed = Service::new(words.clone(), rows.cloned(), &mut problems);
            self.services.insert(service.clone(), indexed);
        }
        if problems.is_empty() {
            Ok(self)
        } else {
            Err(CatalogError { problems })
        }
    }
}

fn price_id(schedule: &Schedule<'_>, fallback: bool) -> String {
    let mut id = schedule.row.id();
    if let Some((tier, _)) = schedule.tier {
        id.push(';');
        id.push_str(tier);
    }
    if let Some(above) = schedule.above {
        id.push_str(&format!(";input_tokens>{}", above.input_tokens));
    }
    for (modifier, _) in &schedule.modifiers {
        id.push(';');
        id.push_str(modifier);
    }
    if fallback {
        id.push_str(";fallback");
    }
    id
}
