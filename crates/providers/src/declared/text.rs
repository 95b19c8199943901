//! The shape of a declaration. `services/README.md` explains it to those who write one.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

/// A whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub name: Spanned<String>,
    pub display_name: Spanned<String>,
    pub component_code: Spanned<String>,
    pub sources: Spanned<Vec<String>>,
    #[expect(dead_code, reason = "for people who read the file")]
    pub notes: Option<String>,
    pub region: Spanned<Vec<Region>>,
    pub credential: Spanned<Vec<Spanned<Credential>>>,
    #[serde(default)]
    pub headers: BTreeMap<String, Spanned<String>>,
    pub request_id: Option<Spanned<String>>,
    pub validation: Option<Spanned<Validation>>,
    #[serde(default)]
    pub facts: Facts,
    #[serde(default)]
    pub request: Request,
    #[serde(default)]
    pub usage: BTreeMap<String, Spanned<Usage>>,
    pub route: Spanned<Vec<Spanned<Route>>>,
    #[serde(default)]
    pub verdict: Vec<Spanned<Verdict>>,
    pub error_body: Option<Spanned<toml::Value>>,
    pub management: Option<Spanned<Management>>,
    #[serde(default)]
    pub prices: Prices,
    #[serde(default)]
    pub model: Vec<Spanned<toml::Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Region {
    pub name: Spanned<String>,
    pub base_url: Spanned<String>,
    pub websocket_url: Option<Spanned<String>>,
    pub retired_since: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Credential {
    pub header: Option<String>,
    pub scheme: Option<String>,
    pub query: Option<String>,
    pub subprotocol: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Validation {
    #[serde(default = "get")]
    pub method: Spanned<String>,
    pub path: Spanned<String>,
    pub body: Option<Spanned<toml::Value>>,
}

fn get() -> Spanned<String> {
    Spanned::new(0..0, "GET".to_owned())
}

/// What holds of the whole service.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Facts {
    pub shared_concurrency: bool,
    pub retired_since: Option<Spanned<String>>,
}

/// Where things stand in requests.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Request {
    pub model: Vec<Spanned<String>>,
    pub stream: Vec<Spanned<String>>,
    pub service_tier: Vec<Spanned<String>>,
    pub max_output_tokens: Vec<Spanned<String>>,
    pub count: Vec<Spanned<String>>,
    pub user: Vec<Spanned<String>>,
    pub characters: Vec<Spanned<String>>,
    pub texts: Vec<Spanned<String>>,
}

/// Where a count stands in answers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Usage {
    pub object: Spanned<Vec<Spanned<String>>>,
    #[serde(default)]
    pub model: Vec<Spanned<String>>,
    #[serde(default)]
    pub service_tier: Vec<Spanned<String>>,
    #[serde(default)]
    pub error: Vec<Spanned<String>>,
    #[serde(default)]
    pub texts: Vec<Spanned<String>>,
    #[serde(default)]
    pub meters: BTreeMap<String, Spanned<Meter>>,
    pub cost: Option<Spanned<Cost>>,
    #[serde(default)]
    pub last_event: Vec<String>,
    #[serde(default)]
    pub asked_for_in_streams: bool,
}

/// The places whose numbers are added up.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Meter {
    One(String),
    Many(Vec<String>),
    WithUnit(MeterWithUnit),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MeterWithUnit {
    pub path: String,
    pub unit: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cost {
    pub path: Spanned<String>,
    #[serde(default = "one")]
    pub units_per_dollar: Spanned<u64>,
}

fn one() -> Spanned<u64> {
    Spanned::new(0..0, 1)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Route {
    pub method: Spanned<String>,
    pub path: Spanned<String>,
    pub operation: Spanned<String>,
    pub metering: Spanned<String>,
    pub usage: Option<Spanned<String>>,
    pub measure: Option<Spanned<String>>,
    pub body: Option<Spanned<String>>,
    #[serde(default)]
    pub streams: bool,
    #[serde(default = "yes")]
    pub replay_safe: bool,
}

const fn yes() -> bool {
    true
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Verdict {
    #[serde(default)]
    pub status: Vec<u16>,
    pub path: Option<Spanned<String>>,
    #[serde(default)]
    pub is: Vec<String>,
    #[serde(default)]
    pub contains: Vec<String>,
    pub verdict: Spanned<String>,
    pub scope: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Management {
    pub validation: Spanned<String>,
    pub create: Option<Spanned<Create>>,
    pub list: Spanned<List>,
    pub revoke: Option<Spanned<Change>>,
    pub switch: Option<Spanned<Change>>,
    #[serde(default)]
    pub expiry: bool,
    #[serde(default)]
    pub usage_limit: bool,
    pub keys_max: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Create {
    #[serde(default = "post")]
    pub method: Spanned<String>,
    pub path: Spanned<String>,
    pub body: Spanned<toml::Value>,
    pub value: Spanned<String>,
    pub id: Spanned<String>,
    pub expires_at: Option<Spanned<String>>,
}

fn post() -> Spanned<String> {
    Spanned::new(0..0, "POST".to_owned())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct List {
    pub path: Spanned<String>,
    pub items: Spanned<String>,
    pub id: Spanned<String>,
    pub name: Option<Spanned<String>>,
    pub hint: Option<Spanned<String>>,
    pub disabled: Option<Spanned<String>>,
    pub created_at: Option<Spanned<String>>,
    pub expires_at: Option<Spanned<String>>,
    pub offset_parameter: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    pub method: Spanned<String>,
    pub path: Spanned<String>,
    pub body: Option<Spanned<toml::Value>>,
}

/// The provider's words for tiers and circumstances, as in the price catalog.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Prices {
    pub neutral_tiers: Vec<String>,
    pub tier_aliases: BTreeMap<String, String>,
    pub neutral_modifiers: Vec<String>,
}
