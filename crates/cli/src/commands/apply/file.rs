//! The file: what there is to be.

use std::{collections::BTreeMap, fmt, fs, path::Path};

use diamond_api_types::{Label, PutBudgetRequest};
use diamond_domain::{
    BudgetMeasure, BudgetName, Money, OnUnbounded, Period, Scope, ServiceId, TenantId, Tier, UserId,
};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, de};
use serde_saphyr::Spanned;

use crate::{commands::tokens::expiry, failure::Failure};

/// A file of 10,000 tenants with tokens and budgets has some eight.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// As many as the server takes.
const BUDGETS_MAX: usize = 100;

/// All that is declared.
#[derive(Debug)]
pub struct Declared {
    /// By id; each with its line.
    pub tenants: BTreeMap<TenantId, (u64, TenantEntry)>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    tenants: Vec<Spanned<TenantEntry>>,
}

/// A tenant. What is absent is left as it is, and as the server makes it for a new one.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TenantEntry {
    pub id: TenantId,
    #[serde(default)]
    pub name: Option<Label>,
    pub tier: Tier,
    #[serde(default)]
    pub state: Option<State>,
    #[serde(default)]
    pub reveal: Option<bool>,
    #[serde(default)]
    pub services: Option<Services>,
    #[serde(default)]
    pub budgets: Vec<Spanned<BudgetEntry>>,
    #[serde(default)]
    pub tokens: Vec<Spanned<TokenEntry>>,
}

/// Whether a tenant is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Active,
    Suspended,
}

/// Which services a tenant may use: `all`, or a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Services {
    All,
    These(Vec<ServiceId>),
}

impl Services {
    /// As the API has it.
    pub fn list(&self) -> Option<Vec<ServiceId>> {
        match self {
            Self::All => None,
            Self::These(list) => Some(list.clone()),
        }
    }
}

impl<'de> Deserialize<'de> for Services {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Services;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`all` or a list of services")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Services, E> {
                match text {
                    "all" => Ok(Services::All),
                    other => Err(E::invalid_value(de::Unexpected::Str(other), &self)),
                }
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Services, A::Error> {
                let mut services = Vec::new();
                while let Some(service) = list.next_element()? {
                    services.push(service);
                }
                Ok(Services::These(services))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

/// A budget of a tenant.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BudgetEntry {
    pub name: BudgetName,
    pub limit_usd: Money,
    #[serde(default)]
    pub period: Option<Period>,
    #[serde(default)]
    pub measure: Option<BudgetMeasure>,
    #[serde(default)]
    pub user: Option<UserId>,
    /// The name of one of the tenant's tokens in this file.
    #[serde(default)]
    pub token: Option<Label>,
    #[serde(default)]
    pub service: Option<ServiceId>,
    #[serde(default)]
    pub model: Option<Label>,
    #[serde(default)]
    pub on_unbounded: Option<OnUnbounded>,
}

impl BudgetEntry {
    /// What is put, but for the token.
    pub fn request(&self) -> PutBudgetRequest {
        PutBudgetRequest {
            limit_usd: self.limit_usd,
            period: self.period.unwrap_or(Period::Monthly),
            measure: self.measure.unwrap_or(BudgetMeasure::Charge),
            user_id: self.user.clone(),
            token_id: None,
            service: self.service.clone(),
            model: self.model.clone(),
            on_unbounded: self.on_unbounded.unwrap_or(OnUnbounded::Refuse),
        }
    }
}

/// A token of a tenant, known by its name.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenEntry {
    pub name: Label,
    pub purpose: Label,
    #[serde(default)]
    pub owner: Option<Label>,
    pub scopes: Vec<Scope>,
    /// When one that is made now ends.
    #[serde(default)]
    pub expires: Option<Expires>,
    #[serde(default)]
    pub user: Option<UserId>,
    #[serde(default)]
    pub services: Option<Services>,
    #[serde(default)]
    pub addresses: Vec<String>,
}

/// A time, or a span from the moment when the token is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expires(pub Timestamp);

impl<'de> Deserialize<'de> for Expires {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        expiry(&text).map(Self).map_err(de::Error::custom)
    }
}

/// Reads and checks the whole file.
pub fn read(path: &Path) -> Result<Declared, Failure> {
    let shown = path.display();
    let cannot = |error: std::io::Error| Failure::input(format!("{shown} cannot be read: {error}"));
    let length = fs::metadata(path).map_err(cannot)?.len();
    if length > FILE_BYTES_MAX {
        return Err(Failure::input_with_hint(
            format!("{shown} has {length} bytes, more than the {FILE_BYTES_MAX} that are read"),
            "apply it in parts: what a part does not name is left alone",
        ));
    }
    let text = fs::read_to_string(path).map_err(cannot)?;
    parse(&text).map_err(|faults| {
        let faults: Vec<String> = faults
            .into_iter()
            .map(|fault| format!("{shown}{fault}"))
            .collect();
        Failure::input(faults.join("\n"))
    })
}

fn parse(text: &str) -> Result<Declared, Vec<String>> {
    let file: File = serde_saphyr::from_str_with_options(text, limits())
        .map_err(|error| vec![malformed(&error)])?;
    let mut faults = Vec::new();
    let mut tenants: BTreeMap<TenantId, (u64, TenantEntry)> = BTreeMap::new();
    for Spanned {
        value, referenced, ..
    } in file.tenants
    {
        let line = referenced.line();
        check(line, &value, &mut faults);
        if let Some((first, _)) = tenants.get(&value.id) {
            faults.push(format!(
                ", line {line}: the tenant {} stands in line {first} already",
                value.id
            ));
            continue;
        }
        tenants.insert(value.id.clone(), (line, value));
    }
    if faults.is_empty() {
        Ok(Declared { tenants })
    } else {
        Err(faults)
    }
}

/// Room for many tenants, and none for texts that grow when they are read.
fn limits() -> serde_saphyr::Options {
    let mut budget = serde_saphyr::Budget::default();
    budget.max_events = 20_000_000;
    budget.max_nodes = 20_000_000;
    budget.max_aliases = 0;
    budget.max_depth = 16;
    budget.max_documents = 1;
    let mut options = serde_saphyr::Options::default();
    options.budget = Some(budget);
    options
}

/// The place and the reason on one line.
fn malformed(error: &serde_saphyr::Error) -> String {
    let place = error.location().map_or_else(String::new, |at| {
        format!(", line {}, column {}", at.line(), at.column())
    });
    let reason = error.without_snippet().to_string();
    let reason = reason.lines().next().unwrap_or_default();
    format!("{place}: {reason}")
}

/// What the types cannot say.
fn check(line: u64, tenant: &TenantEntry, faults: &mut Vec<String>) {
    let id = &tenant.id;
    let mut names: BTreeMap<&str, u64> = BTreeMap::new();
    for token in &tenant.tokens {
        let (line, token) = (token.referenced.line(), &token.value);
        let name = token.name.as_str();
        let mut fault = |what: String| {
            faults.push(format!(", line {line} (tenant {id}, token {name}): {what}"));
        };
        if let Some(first) = names.insert(name, line) {
            fault(format!("the name stands in line {first} already"));
        }
        if token.scopes.is_empty() {
            fault("a token needs at least one scope".to_owned());
        }
        if token.scopes.contains(&Scope::Operator) {
            fault("a tenant's token cannot hold the scope `operator`".to_owned());
        }
    }
    let mut budgets: BTreeMap<&BudgetName, u64> = BTreeMap::new();
    for budget in &tenant.budgets {
        let (line, budget) = (budget.referenced.line(), &budget.value);
        let mut fault = |what: String| {
            let name = &budget.name;
            faults.push(format!(
                ", line {line} (tenant {id}, budget {name}): {what}"
            ));
        };
        if let Some(first) = budgets.insert(&budget.name, line) {
            fault(format!("the name stands in line {first} already"));
        }
        if budget.limit_usd.is_negative() {
            fault("a budget's limit is not less than nothing".to_owned());
        }
        if let Some(token) = &budget.token
            && !names.contains_key(token.as_str())
        {
            fault(format!(
                "the tenant declares no token `{}` that it could count",
                token.as_str()
            ));
        }
    }
    if tenant.budgets.len() > BUDGETS_MAX {
        faults.push(format!(
            ", line {line} (tenant {id}): {} budgets are more than the {BUDGETS_MAX} that a tenant has",
            tenant.budgets.len()
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> String {
        parse(text).unwrap_err().join("\n")
    }

    #[test]
    fn a_whole_file_is_read() {
        let declared = parse(
            "
tenants:
  - id: acme
    name: Acme Ltd
    tier: managed-enterprise
    state: suspended
    reveal: false
    services: [openai, hume]
    budgets:
      - name: default
        limitUsd: 500
        onUnbounded: reserve:0.50
      - { name: app, limitUsd: \"12.5\", period: daily, token: app }
    tokens:
      - name: app
        purpose: the app
        scopes: [gateway, 'usage:read']
        expires: 90d
        addresses: [192.0.2.0/24]
  - id: coaching
    tier: customer-provided
    services: all
",
        )
        .unwrap();
        let (line, acme) = &declared.tenants[&"acme".parse().unwrap()];
        assert_eq!(*line, 3);
        assert_eq!(acme.state, Some(State::Suspended));
        assert_eq!(acme.budgets[0].value.limit_usd, "500".parse().unwrap());
        assert_eq!(acme.tokens[0].referenced.line(), 15);
        let (_, coaching) = &declared.tenants[&"coaching".parse().unwrap()];
        assert_eq!(coaching.services, Some(Services::All));
    }

    #[test]
    fn every_fault_names_its_line() {
        for (text, words) in [
            ("tenants: [", "line"),
            ("tenants:\n  - id: acme\n   tier: x", "line"),
            ("tenants:\n  - id: acme\n    tear: x\n", "line 3"),
            (
                "tenants:\n  - id: admin\n    tier: managed-starter\n",
                "line 2",
            ),
            (
                "tenants:\n  - id: a-customer\n    tier: managed-starter\n",
                "line 2",
            ),
            ("tenants:\n  - id: acme\n    tier: gold\n", "line 3"),
            ("tenants:\n  - id: acme\n", "tier"),
            (
                "tenants:\n  - id: acme\n    tier: managed-starter\n    models: [gpt-4o]\n",
                "models",
            ),
            (
                "tenants:\n  - &a {id: acme, tier: managed-starter}\n  - *a\n",
                "line 3",
            ),
            (
                "tenants:\n  - id: acme\n    tier: managed-starter\n  - id: acme\n    tier: managed-starter\n",
                "line 4: the tenant acme stands in line 2 already",
            ),
            (
                "tenants:\n- id: acme\n  tier: managed-starter\n  budgets:\n  - name: all\n    limitUsd: -5\n",
                "line 5 (tenant acme, budget all): a budget's limit",
            ),
            (
                "tenants:\n- id: acme\n  tier: managed-starter\n  budgets:\n  - name: all\n    limitUsd: 5\n    token: app\n",
                "declares no token `app`",
            ),
            (
                "tenants:\n- id: acme\n  tier: managed-starter\n  budgets:\n  - name: all\n    limitUsd: 5\n    onUnbounded: clamp\n",
                "not offered",
            ),
            (
                "tenants:\n- id: acme\n  tier: managed-starter\n  tokens:\n  - name: app\n    purpose: p\n    scopes: []\n",
                "line 5 (tenant acme, token app): a token needs",
            ),
            (
                "tenants:\n- id: acme\n  tier: managed-starter\n  tokens:\n  - name: app\n    purpose: p\n    scopes: [operator]\n",
                "cannot hold",
            ),
            (
                "tenants:\n- id: acme\n  tier: managed-starter\n  tokens:\n  - name: app\n    purpose: p\n    scopes: [fly]\n",
                "line 7",
            ),
        ] {
            let said = faults(text);
            assert!(said.contains(words), "{text}\n=> {said}");
            assert_eq!(said.lines().count(), 1, "{said}");
        }
    }

    #[test]
    fn what_grows_when_it_is_read_is_refused() {
        let mut bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
        for (name, last) in ["b", "c", "d", "e", "f", "g", "h"]
            .iter()
            .zip("abcdefg".chars())
        {
            let many = vec![format!("*{last}"); 9].join(",");
            bomb += &format!("{name}: &{name} [{many}]\n");
        }
        assert!(faults(&bomb).contains("line"));
        let deep = format!("tenants: {}", "[".repeat(100_000));
        assert!(!faults(&deep).is_empty());
    }
}
