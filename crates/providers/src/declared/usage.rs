//! Where a count stands in the answers of a declared service.

use diamond_domain::{Meter, Money, Quantities};

use super::{decimal, json_path::JsonPath};
use crate::{JsonScan, Pattern, decimal_seconds_to_milliseconds};

/// How a number is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Count,
    Seconds,
    Milliseconds,
}

impl Unit {
    pub(super) const ALL: [(&'static str, Self); 3] = [
        ("count", Self::Count),
        ("seconds", Self::Seconds),
        ("milliseconds", Self::Milliseconds),
    ];

    fn read(self, number: &str) -> Option<u64> {
        match self {
            Self::Count | Self::Milliseconds => decimal::count(number),
            Self::Seconds => decimal_seconds_to_milliseconds(number),
        }
    }
}

/// A meter, and where the numbers stand in the usage object that are added up for it.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) meter: Meter,
    pub(super) unit: Unit,
    /// Places among [`UsageReader::fields`].
    pub(super) places: Vec<usize>,
}

/// Where a count stands, as it is declared.
#[derive(Debug, Clone, Default)]
pub(super) struct UsagePlaces {
    pub(super) objects: Vec<JsonPath>,
    pub(super) models: Vec<JsonPath>,
    pub(super) tiers: Vec<JsonPath>,
    pub(super) errors: Vec<JsonPath>,
    pub(super) texts: Vec<JsonPath>,
    pub(super) meters: Vec<(Meter, Unit, Vec<JsonPath>)>,
    pub(super) cost: Option<(JsonPath, u64)>,
    pub(super) last_events: Vec<String>,
    pub(super) asked_for_in_streams: bool,
}

impl UsagePlaces {
    /// How many places are looked for in an answer, and in its usage object.
    pub(super) fn counts(&self) -> (usize, usize) {
        let answer = [
            &self.objects,
            &self.models,
            &self.tiers,
            &self.errors,
            &self.texts,
        ];
        let fields = self.meters.iter().map(|(_, _, paths)| paths.len());
        (
            answer.iter().map(|paths| paths.len()).sum(),
            fields.sum::<usize>() + usize::from(self.cost.is_some()),
        )
    }
}

/// How answers are read.
#[derive(Debug, Clone)]
pub(super) struct UsageReader {
    /// What is looked for in an answer or in an event: objects, models, tiers, errors, texts.
    pub(super) answer: &'static [Pattern],
    pub(super) objects: usize,
    pub(super) models: usize,
    pub(super) tiers: usize,
    pub(super) errors: usize,
    /// What is looked for in the usage object.
    pub(super) fields: &'static [Pattern],
    pub(super) meters: Vec<Field>,
    /// Where the cost stands among the fields, and how many of its units are a dollar.
    pub(super) cost: Option<(usize, u64)>,
    /// The names or the data of events behind which nothing counts.
    pub(super) last_events: Vec<String>,
    /// Streams state usage only when asked, as OpenAI's do.
    pub(super) asked_for_in_streams: bool,
}

impl UsageReader {
    /// The reader of what is declared. Its patterns stay for as long as the process: a service is
    /// made once, at the start.
    pub(super) fn of(places: &UsagePlaces) -> Self {
        let values = [
            &places.objects,
            &places.models,
            &places.tiers,
            &places.errors,
        ];
        let values = values
            .into_iter()
            .flatten()
            .map(|path| pattern(path, false));
        let texts = places.texts.iter().map(|path| pattern(path, true));
        let mut fields = Vec::new();
        let mut meters = Vec::new();
        for (meter, unit, paths) in &places.meters {
            let from = fields.len();
            fields.extend(paths.iter().map(|path| pattern(path, false)));
            meters.push(Field {
                meter: *meter,
                unit: *unit,
                places: (from..fields.len()).collect(),
            });
        }
        let cost = places.cost.as_ref().map(|(path, per_dollar)| {
            fields.push(pattern(path, false));
            (fields.len() - 1, *per_dollar)
        });
        Self {
            answer: values.chain(texts).collect::<Vec<_>>().leak(),
            objects: places.objects.len(),
            models: places.models.len(),
            tiers: places.tiers.len(),
            errors: places.errors.len(),
            fields: fields.leak(),
            meters,
            cost,
            last_events: places.last_events.clone(),
            asked_for_in_streams: places.asked_for_in_streams,
        }
    }

    /// The text of the usage object: of several the last that is there.
    pub(super) fn object<'a>(&self, scan: &'a JsonScan) -> Option<&'a [u8]> {
        let found = (0..self.objects).filter_map(|place| scan.last(place));
        let last = found.max_by_key(|found| found.end)?;
        last.raw.as_deref().filter(|raw| *raw != b"null")
    }

    pub(super) fn model(&self, scan: &JsonScan) -> Option<String> {
        self.text(scan, self.objects, self.models)
    }

    pub(super) fn tier(&self, scan: &JsonScan) -> Option<String> {
        self.text(scan, self.objects + self.models, self.tiers)
    }

    fn text(&self, scan: &JsonScan, from: usize, count: usize) -> Option<String> {
        let mut found = (from..from + count).filter_map(|place| scan.get::<String>(place));
        found.find(|text| !text.is_empty())
    }

    pub(super) fn has_error(&self, scan: &JsonScan) -> bool {
        let from = self.objects + self.models + self.tiers;
        (from..from + self.errors)
            .filter_map(|place| scan.raw(place))
            .any(|raw| raw != b"null")
    }

    pub(super) fn text_bytes(&self, scan: &JsonScan) -> u64 {
        let from = self.objects + self.models + self.tiers + self.errors;
        (from..self.answer.len())
            .map(|place| scan.length(place))
            .sum()
    }

    /// Whether the texts of an answer are declared, so that a count can be guessed from them.
    pub(super) fn has_texts(&self) -> bool {
        self.answer.len() > self.objects + self.models + self.tiers + self.errors
    }

    /// What a usage object counts and costs; `None` when it holds nothing that is looked for.
    pub(super) fn read(&self, object: &[u8]) -> Option<(Quantities, Option<Money>)> {
        let scan = JsonScan::of(self.fields, object);
        let number = |place: usize| {
            let raw = scan.raw(place)?;
            // A number may stand in quotes: what is exact is often written so.
            let raw = raw
                .strip_prefix(b"\"")
                .and_then(|raw| raw.strip_suffix(b"\""))
                .unwrap_or(raw);
            std::str::from_utf8(raw).ok()
        };
        let mut quantities = Quantities::new();
        let mut any = false;
        for field in &self.meters {
            let found = field.places.iter().filter_map(|place| number(*place));
            for amount in found.filter_map(|number| field.unit.read(number)) {
                any = true;
                quantities.add(field.meter, amount);
            }
        }
        let cost = self
            .cost
            .and_then(|(place, per_dollar)| decimal::money(number(place)?, per_dollar))
            .filter(|cost| !cost.is_negative());
        (any || cost.is_some()).then(|| (quantities.with(Meter::Requests, 1), cost))
    }
}

/// A path as the scan wants it, for as long as the process.
pub(super) fn pattern(path: &JsonPath, lengths_only: bool) -> Pattern {
    let parts = path.parts().iter();
    let parts: Vec<&'static str> = parts.map(|part| &*part.clone().leak()).collect();
    let parts: &'static [&'static str] = parts.leak();
    if lengths_only {
        Pattern::length(parts)
    } else {
        Pattern::value(parts)
    }
}
