//! The management API of a declared service, where keys can be made by one call each.

use diamond_domain::SecretValue;
use http::Method;
use jiff::Timestamp;
use serde_json::Value;

use super::{
    json_path::{JsonPath, text_of},
    service::authorized,
    template::Template,
    verdict::{self, Rule},
};
use crate::{
    Answer, Capacity, Effect, KeyManagement, ListedKey, ManagementError, MintSpec, Minted,
    OutboundRequest, Place, Placement, ProviderKey, Step,
};

/// The place of every key: the account of the management credential.
const PLACE: &str = r#"{"place":"account"}"#;
/// A list of more pages than this goes round in a circle.
const PAGES_MAX: usize = 1_000;
/// What stands for the key's id in a path.
pub(super) const ID: &str = "{id}";
/// The places of a body that makes a key, and of one that switches it.
pub(super) const CREATE_WORDS: [&str; 3] = ["name", "limit", "expires_at"];
pub(super) const SWITCH_WORDS: [&str; 2] = ["enabled", "disabled"];

/// What can be done, and how.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) validation: String,
    pub(super) create: Option<Create>,
    pub(super) list: List,
    pub(super) revoke: Option<Change>,
    pub(super) switch: Option<Change>,
    pub(super) expiry: bool,
    pub(super) usage_limit: bool,
    pub(super) keys_max: Option<u64>,
}

#[derive(Debug, Clone)]
pub(super) struct Create {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: Template,
    pub(super) value: JsonPath,
    pub(super) id: JsonPath,
    pub(super) expires_at: Option<JsonPath>,
}

#[derive(Debug, Clone)]
pub(super) struct List {
    pub(super) path: String,
    pub(super) items: JsonPath,
    pub(super) id: JsonPath,
    pub(super) name: Option<JsonPath>,
    pub(super) hint: Option<JsonPath>,
    pub(super) disabled: Option<JsonPath>,
    pub(super) created_at: Option<JsonPath>,
    pub(super) expires_at: Option<JsonPath>,
    pub(super) offset_parameter: Option<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: Option<Template>,
}

/// The plan, ready to be followed.
#[derive(Debug, Clone)]
pub(super) struct DeclaredManagement {
    plan: Plan,
    rules: Vec<Rule>,
    placements: Vec<Placement>,
}

impl DeclaredManagement {
    pub(super) const fn new(plan: Plan, rules: Vec<Rule>, placements: Vec<Placement>) -> Self {
        Self {
            plan,
            rules,
            placements,
        }
    }

    fn ask<T>(
        &self,
        admin: &SecretValue,
        request: OutboundRequest,
        effect: Effect,
        read: impl FnOnce(&Answer<'_>) -> Result<Step<T>, ManagementError> + Send + 'static,
    ) -> Result<Step<T>, ManagementError> {
        let request =
            authorized(request, &self.placements, admin).ok_or(ManagementError::NotPossible {
                reason: "the declaration names no header for a credential",
            })?;
        Ok(Step::ask(request, effect, read))
    }

    fn failed(&self, answer: &Answer<'_>) -> ManagementError {
        let verdict =
            verdict::by_rules(&self.rules, answer).unwrap_or_else(|| verdict::by_status(answer));
        ManagementError::of(verdict, answer)
    }

    fn body(&self, answer: &Answer<'_>) -> Result<Value, ManagementError> {
        if answer.is_success() {
            answer.json()
        } else {
            Err(self.failed(answer))
        }
    }

    fn create(
        &self,
        admin: &SecretValue,
        spec: &MintSpec,
        now: Option<Timestamp>,
    ) -> Result<Step<Minted>, ManagementError> {
        let Some(create) = self.plan.create.clone() else {
            return Err(ManagementError::NotPossible {
                reason: "this service's API makes no keys: a person makes one in its console and \
                         puts it here",
            });
        };
        let lifetime = spec.lifetime.filter(|_| self.plan.expiry);
        let expires_at = match (now, lifetime) {
            (Some(now), Some(lifetime)) => now.checked_add(lifetime).ok(),
            _ => None,
        };
        let body = create.body.filled(&|name| match name {
            "name" => Some(Value::from(spec.key_name.as_str())),
            "limit" => spec.usage_limit.map(Value::from),
            "expires_at" => expires_at.map(|end| Value::from(end.to_string())),
            _ => None,
        });
        let request =
            OutboundRequest::new(create.method.clone(), create.path.clone()).with_json(&body);
        let this = self.clone();
        self.ask(admin, request, Effect::Makes, move |answer| {
            let body = this.body(answer)?;
            let unreadable = |what: &str| ManagementError::Unreadable {
                reason: format!("the answer to a new key holds no {what}"),
            };
            let value = create.value.text(&body);
            let value = value.ok_or_else(|| unreadable("key"))?;
            let id = create.id.text(&body).ok_or_else(|| unreadable("id"))?;
            let told = create
                .expires_at
                .as_ref()
                .and_then(|path| time(path, &body));
            Ok(Step::Done(Minted {
                value: SecretValue::new(value),
                key: ProviderKey {
                    id,
                    place: Place::new(PLACE.to_owned()),
                },
                expires_at: told.or(expires_at),
            }))
        })
    }

    fn page(
        &self,
        admin: &SecretValue,
        mut known: Vec<ListedKey>,
        pages: usize,
    ) -> Result<Step<Vec<ListedKey>>, ManagementError> {
        let list = self.plan.list.clone();
        let mut path = list.path.clone();
        if let Some(parameter) = &list.offset_parameter {
            let joint = if path.contains('?') { '&' } else { '?' };
            path.push_str(&format!("{joint}{parameter}={}", known.len()));
        }
        let (this, admin_again) = (self.clone(), admin.clone());
        self.ask(
            admin,
            OutboundRequest::get(path),
            Effect::Reads,
            move |answer| {
                let body = this.body(answer)?;
                let items = list.items.first(&body).and_then(Value::as_array);
                let items = items.ok_or_else(|| ManagementError::Unreadable {
                    reason: "the answer holds no list where the declaration says".to_owned(),
                })?;
                let before = known.len();
                for item in items {
                    let key = list.read(item, answer.now)?;
                    if !known.iter().any(|other| other.key.id == key.key.id) {
                        known.push(key);
                    }
                }
                let goes_on = list.offset_parameter.is_some() && known.len() > before;
                if goes_on && pages < PAGES_MAX {
                    return this.page(&admin_again, known, pages + 1);
                }
                Ok(Step::Done(known))
            },
        )
    }

    fn change(
        &self,
        admin: &SecretValue,
        key: &ProviderKey,
        change: &Change,
        enabled: bool,
    ) -> Result<Step<()>, ManagementError> {
        let id = percent_encoded(&key.id);
        let path = change.path.replace(ID, &id);
        let mut request = OutboundRequest::new(change.method.clone(), path);
        if let Some(body) = &change.body {
            request = request.with_json(&body.filled(&|name| match name {
                "enabled" => Some(Value::from(enabled)),
                "disabled" => Some(Value::from(!enabled)),
                _ => None,
            }));
        }
        let this = self.clone();
        self.ask(admin, request, Effect::Repeatable, move |answer| {
            if answer.is_success() {
                Ok(Step::Done(()))
            } else {
                Err(this.failed(answer))
            }
        })
    }
}

impl List {
    fn read(&self, item: &Value, now: Timestamp) -> Result<ListedKey, ManagementError> {
        let id = self
            .id
            .text(item)
            .ok_or_else(|| ManagementError::Unreadable {
                reason: "a key in the list has no id where the declaration says".to_owned(),
            })?;
        let text = |path: &Option<JsonPath>| path.as_ref().and_then(|path| path.text(item));
        let expires_at = self.expires_at.as_ref().and_then(|path| time(path, item));
        let disabled = text(&self.disabled).is_some_and(|text| text == "true");
        Ok(ListedKey {
            key: ProviderKey {
                id,
                place: Place::new(PLACE.to_owned()),
            },
            name: text(&self.name).unwrap_or_default(),
            hint: text(&self.hint),
            live: !disabled && expires_at.is_none_or(|end| end > now),
            created_at: self.created_at.as_ref().and_then(|path| time(path, item)),
            expires_at,
        })
    }
}

/// A time as a text, or as seconds since 1970.
fn time(path: &JsonPath, body: &Value) -> Option<Timestamp> {
    let value = path.first(body)?;
    match value.as_i64() {
        Some(seconds) => Timestamp::from_second(seconds).ok(),
        None => text_of(value)?.parse().ok(),
    }
}

/// An id as it may stand in a path.
fn percent_encoded(id: &str) -> String {
    let mut text = String::new();
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

impl KeyManagement for DeclaredManagement {
    fn mint(&self, admin: &SecretValue, spec: &MintSpec) -> Result<Step<Minted>, ManagementError> {
        if spec.lifetime.is_none() || !self.plan.expiry {
            return self.create(admin, spec, None);
        }
        // The end is told as a time: the answer to a harmless call says what time it is.
        let (this, admin_again, spec) = (self.clone(), admin.clone(), spec.clone());
        let look = OutboundRequest::get(self.plan.validation.clone());
        self.ask(admin, look, Effect::Reads, move |answer| {
            this.body(answer)?;
            this.create(&admin_again, &spec, Some(answer.now))
        })
    }

    fn list(
        &self,
        admin: &SecretValue,
        _: Option<&Place>,
    ) -> Result<Step<Vec<ListedKey>>, ManagementError> {
        self.page(admin, Vec::new(), 0)
    }

    fn revoke(&self, admin: &SecretValue, key: &ProviderKey) -> Result<Step<()>, ManagementError> {
        let Some(revoke) = &self.plan.revoke else {
            return Err(ManagementError::NotPossible {
                reason: "this service's API ends no keys: a person does it in its console",
            });
        };
        let id = percent_encoded(&key.id);
        let mut request = OutboundRequest::new(revoke.method.clone(), revoke.path.replace(ID, &id));
        if let Some(body) = &revoke.body {
            request = request.with_json(&body.filled(&|_| None));
        }
        let this = self.clone();
        self.ask(admin, request, Effect::Repeatable, move |answer| {
            // One that is not there any more is ended.
            if answer.is_success() || answer.status == 404 {
                Ok(Step::Done(()))
            } else {
                Err(this.failed(answer))
            }
        })
    }

    fn set_enabled(
        &self,
        admin: &SecretValue,
        key: &ProviderKey,
        enabled: bool,
    ) -> Result<Step<()>, ManagementError> {
        match self.plan.switch.clone() {
            Some(switch) => self.change(admin, key, &switch, enabled),
            None => Err(ManagementError::NotPossible {
                reason: "keys of this service have no switch",
            }),
        }
    }

    fn prepare_place(&self, _: &SecretValue, _: &str) -> Result<Step<Place>, ManagementError> {
        Err(ManagementError::NotPossible {
            reason: "keys of this service stand in the account itself",
        })
    }

    fn capacity(&self, admin: &SecretValue) -> Result<Step<Vec<Capacity>>, ManagementError> {
        let limit = self.plan.keys_max;
        self.page(admin, Vec::new(), 0)?.then(move |keys| {
            Ok(Step::Done(vec![Capacity {
                what: "keys",
                used: keys.iter().filter(|key| key.live).count() as u64,
                limit,
            }]))
        })
    }

    fn validation(&self, admin: &SecretValue) -> OutboundRequest {
        let request = OutboundRequest::get(self.plan.validation.clone());
        let placed = authorized(request.clone(), &self.placements, admin);
        placed.unwrap_or(request)
    }
}
