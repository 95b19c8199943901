//! From the shape of a row to the row, with everything that is wrong with it.

use std::collections::BTreeMap;

use diamond_domain::{Meter, ServiceId};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use toml::value::Datetime;

use super::{check, raw};
use crate::{
    ratio::Ratio,
    row::{Factors, ModelLimits, ModelPrice, ModelStatus, Modifier, Rates, Threshold, Tier},
};

/// Collects reasons while conversion goes on.
#[derive(Default)]
pub(super) struct Reasons(Vec<String>);

impl Reasons {
    pub fn say(&mut self, reason: impl Into<String>) {
        self.0.push(reason.into());
    }
}

/// The row, or everything that is wrong with it.
pub(super) fn model(
    raw: raw::Model,
    only_service: Option<&ServiceId>,
    declared: impl Fn(&ServiceId) -> bool,
) -> Result<ModelPrice, Vec<String>> {
    let mut reasons = Reasons::default();
    let service = service(raw.service.as_deref(), only_service, declared, &mut reasons);
    let names = raw.aliases.iter().chain(&raw.prefixes).chain([&raw.name]);
    for name in names {
        // These letters would make a price id ambiguous.
        let bad = |letter: char| letter.is_whitespace() || matches!(letter, ';' | '@');
        if name.is_empty() || name.contains(bad) {
            reasons.say(format!("`{name}` is not a model's name"));
        }
    }
    if raw.source.is_empty() {
        reasons.say("`source` is empty: say which page or file says so");
    }
    let valid_from = date("valid_from", raw.valid_from, &mut reasons);
    let observed = date("observed", raw.observed, &mut reasons);
    let valid_to = raw.valid_to.map(|day| date("valid_to", day, &mut reasons));
    let retires = raw.retires.map(|day| date("retires", day, &mut reasons));
    if valid_to.is_some_and(|end| end <= valid_from) {
        reasons.say("`valid_to` is not after `valid_from`");
    }
    let tiers = raw.tiers.into_iter();
    let row = ModelPrice {
        aliases: raw.aliases,
        prefixes: raw.prefixes,
        valid_from: valid_from.0,
        valid_to: valid_to.map(|day| day.0),
        observed: observed.0,
        source: raw.source,
        note: raw.note,
        status: match raw.status {
            raw::Status::Current => ModelStatus::Current,
            raw::Status::Retired => ModelStatus::Retired,
        },
        retires: retires.map(|day| day.0),
        limits: ModelLimits {
            max_input_tokens: raw.max_input_tokens,
            max_output_tokens: raw.max_output_tokens,
        },
        starts: valid_from.1,
        ends: valid_to.map(|day| day.1),
        rates: rates("rates", raw.rates, &mut reasons),
        fallback: rates("fallback", raw.fallback, &mut reasons),
        above: thresholds("above", raw.above, &mut reasons),
        tiers: tiers
            .map(|(name, raw)| (name.clone(), tier(&name, raw, &mut reasons)))
            .collect(),
        modifiers: raw
            .modifiers
            .into_iter()
            .map(|(name, raw)| (name.clone(), modifier(&name, raw, &mut reasons)))
            .collect(),
        name: raw.name,
        service: match service {
            Some(service) => service,
            None => return Err(reasons.0),
        },
    };
    check::row(&row, &mut reasons);
    if reasons.0.is_empty() {
        Ok(row)
    } else {
        Err(reasons.0)
    }
}

fn service(
    named: Option<&str>,
    only: Option<&ServiceId>,
    declared: impl Fn(&ServiceId) -> bool,
    reasons: &mut Reasons,
) -> Option<ServiceId> {
    let service = match (named, only) {
        (Some(text), _) => match text.parse() {
            Ok(service) => service,
            Err(error) => {
                reasons.say(format!("`service`: {error}"));
                return None;
            }
        },
        (None, Some(only)) => only.clone(),
        (None, None) => {
            reasons.say("`service` is missing");
            return None;
        }
    };
    if !declared(&service) {
        reasons.say(format!(
            "service `{service}` is declared nowhere: add [services.{service}] with its component_code"
        ));
    }
    Some(service)
}

/// A day and its first instant in UTC.
fn date(name: &str, raw: Datetime, reasons: &mut Reasons) -> (Date, Timestamp) {
    let day = match (raw.date, raw.time, raw.offset) {
        (Some(day), None, None) => Some(day),
        _ => None,
    };
    let parsed = day.and_then(|day| {
        let year = i16::try_from(day.year).ok()?;
        let (month, day) = (i8::try_from(day.month).ok()?, i8::try_from(day.day).ok()?);
        let date = Date::new(year, month, day).ok()?;
        let start = date.to_zoned(TimeZone::UTC).ok()?;
        Some((date, start.timestamp()))
    });
    parsed.unwrap_or_else(|| {
        reasons.say(format!("`{name}` is not a day such as 2026-10-01"));
        (Date::ZERO, Timestamp::UNIX_EPOCH)
    })
}

fn ratios(
    place: &str,
    raw: BTreeMap<String, String>,
    reasons: &mut Reasons,
) -> BTreeMap<Meter, Ratio> {
    let mut found = BTreeMap::new();
    for (meter, text) in raw {
        match (meter.parse::<Meter>(), text.parse::<Ratio>()) {
            (Ok(meter), Ok(ratio)) => {
                found.insert(meter, ratio);
            }
            (meter, ratio) => {
                let meter = meter.err().map(|error| error.to_string());
                let ratio = ratio.err().map(|error| error.to_string());
                for error in meter.into_iter().chain(ratio) {
                    reasons.say(format!("`{place}`: {error}"));
                }
            }
        }
    }
    found
}

fn rates(place: &str, raw: raw::Rates, reasons: &mut Reasons) -> Rates {
    ratios(place, raw, reasons)
}

fn factors(place: &str, raw: Option<raw::Multiply>, reasons: &mut Reasons) -> Factors {
    match raw {
        None => Factors::default(),
        Some(raw::Multiply::ByMeter(by_meter)) => Factors(ratios(place, by_meter, reasons)),
        Some(raw::Multiply::Tokens(text)) => match text.parse() {
            Ok(factor) => Factors(BTreeMap::from([
                (Meter::InputTokens, factor),
                (Meter::OutputTokens, factor),
            ])),
            Err(error) => {
                reasons.say(format!("`{place}`: {error}"));
                Factors::default()
            }
        },
    }
}

fn thresholds(place: &str, raw: Vec<raw::Above>, reasons: &mut Reasons) -> Vec<Threshold> {
    let mut above: Vec<Threshold> = Vec::with_capacity(raw.len());
    for raw in raw {
        let place = format!("{place} {}", raw.input_tokens);
        if above
            .last()
            .is_some_and(|last| last.input_tokens >= raw.input_tokens)
        {
            reasons.say(format!("`{place}`: thresholds stand in ascending order"));
        }
        if raw.multiply.is_none() && raw.rates.is_empty() {
            reasons.say(format!("`{place}` changes nothing"));
        }
        above.push(Threshold {
            input_tokens: raw.input_tokens,
            factors: factors(&place, raw.multiply, reasons),
            rates: rates(&place, raw.rates, reasons),
        });
    }
    above
}

fn tier(name: &str, raw: raw::Tier, reasons: &mut Reasons) -> Tier {
    let place = format!("tiers.{name}");
    if raw.multiply.is_none() && raw.rates.is_empty() && raw.above.is_empty() {
        reasons.say(format!("`{place}` changes nothing"));
    }
    Tier {
        factors: factors(&place, raw.multiply, reasons),
        rates: rates(&place, raw.rates, reasons),
        above: thresholds(&format!("{place}.above"), raw.above, reasons),
    }
}

fn modifier(name: &str, raw: raw::Modifier, reasons: &mut Reasons) -> Modifier {
    let place = format!("modifiers.{name}");
    let parts = name.split_once(':');
    if parts.is_none_or(|(kind, value)| kind.is_empty() || value.is_empty()) {
        reasons.say(format!("`{place}` is not of the form kind:value"));
    }
    if raw.multiply.is_none() && raw.add.is_empty() {
        reasons.say(format!("`{place}` changes nothing"));
    }
    Modifier {
        factors: factors(&place, raw.multiply, reasons),
        add: rates(&place, raw.add, reasons),
    }
}
