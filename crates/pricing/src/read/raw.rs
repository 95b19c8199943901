//! The shape of a catalog text. `catalog/README.md` explains it to those who write one.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use toml::value::Datetime;

/// `[services.NAME]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Service {
    pub component_code: String,
    #[serde(default)]
    pub neutral_tiers: BTreeSet<String>,
    #[serde(default)]
    pub tier_aliases: BTreeMap<String, String>,
    #[serde(default)]
    pub neutral_modifiers: BTreeSet<String>,
}

/// `[[model]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Model {
    pub service: Option<String>,
    pub name: String,
    #[serde(default)]
    pub aliases: Vec<String>,
    #[serde(default)]
    pub prefixes: Vec<String>,
    pub valid_from: Datetime,
    pub valid_to: Option<Datetime>,
    pub observed: Datetime,
    pub source: String,
    pub note: Option<String>,
    #[serde(default)]
    pub status: Status,
    pub retires: Option<Datetime>,
    pub max_input_tokens: Option<u64>,
    pub max_output_tokens: Option<u64>,
    #[serde(default)]
    pub rates: Rates,
    #[serde(default)]
    pub fallback: Rates,
    #[serde(default)]
    pub above: Vec<Above>,
    #[serde(default)]
    pub tiers: BTreeMap<String, Tier>,
    #[serde(default)]
    pub modifiers: BTreeMap<String, Modifier>,
}

/// Texts like `"0.15 / 1000000"`, by meter.
pub(super) type Rates = BTreeMap<String, String>;

/// `status`
#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    #[default]
    Current,
    Retired,
}

/// `multiply`: one factor for all tokens, or factors by meter.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Multiply {
    Tokens(String),
    ByMeter(BTreeMap<String, String>),
}

/// `[[model.above]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Above {
    pub input_tokens: u64,
    pub multiply: Option<Multiply>,
    #[serde(default)]
    pub rates: Rates,
}

/// `[model.tiers.NAME]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tier {
    pub multiply: Option<Multiply>,
    #[serde(default)]
    pub rates: Rates,
    #[serde(default)]
    pub above: Vec<Above>,
}

/// `[model.modifiers."kind:value"]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Modifier {
    pub multiply: Option<Multiply>,
    #[serde(default)]
    pub add: Rates,
}
