//! The table of keys: who may call, and in which state each key is.

use std::collections::HashMap;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::service::Service;

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum KeyKind {
    #[default]
    Project,
    /// Manages the organization and calls no model.
    Admin,
    /// A short-lived secret for a browser.
    Ephemeral,
}

/// How it stands with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KeyState {
    #[default]
    Active,
    Revoked,
    Expired,
    /// Valid, but whoever pays has nothing left.
    Exhausted,
    /// Valid, but allowed nothing.
    Restricted,
    /// Valid, but too fast.
    RateLimited,
}

/// A key.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) value: String,
    pub(crate) service: Service,
    #[serde(default)]
    pub(crate) kind: KeyKind,
    #[serde(default)]
    pub(crate) state: KeyState,
    /// The code of the error that its state leads to, where there is a choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<String>,
    #[serde(default)]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) project_id: Option<String>,
    #[serde(default)]
    pub(crate) service_account_id: Option<String>,
    /// None means all.
    #[serde(default)]
    pub(crate) scopes: Vec<String>,
    #[serde(default)]
    pub(crate) created_at: i64,
    #[serde(default)]
    pub(crate) expires_at: Option<i64>,
    #[serde(default)]
    pub(crate) last_used_at: Option<i64>,
    /// How many calls a minute it may make; none given means a thousand times a thousand.
    #[serde(default)]
    pub(crate) requests_per_minute: Option<u64>,
    #[serde(skip)]
    pub(crate) window: Window,
}

/// The running minute of a key.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Window {
    minute: i64,
    requests: u64,
}

/// What the running minute has left.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowance {
    pub(crate) limit: u64,
    pub(crate) remaining: u64,
    pub(crate) reset_seconds: i64,
    pub(crate) exceeded: bool,
}

#[derive(Default)]
struct Table {
    keys: Vec<Key>,
    by_value: HashMap<(Service, String), usize>,
}

/// Every key of every company.
pub(crate) struct KeyTable {
    table: Mutex<Table>,
}

impl KeyTable {
    /// The table with the starting keys.
    pub(crate) fn new(now: i64) -> Self {
        let keys = Self {
            table: Mutex::default(),
        };
        keys.reset(now);
        keys
    }

    /// Back to the starting keys.
    pub(crate) fn reset(&self, now: i64) {
        *self.table.lock() = Table::default();
        for service in Service::ALL {
            self.add(Key {
                id: format!("key_{}_0001", service.as_str()),
                value: service.starting_key(),
                service,
                name: "starting key".to_owned(),
                project_id: (service == Service::Openai).then(|| DEFAULT_PROJECT.to_owned()),
                created_at: now,
                ..Key::default()
            });
        }
        self.add(Key {
            id: "key_openai_admin_0001".to_owned(),
            value: format!("sk-admin-sim-openai-0001-{}", "NotARealKey".repeat(4)),
            kind: KeyKind::Admin,
            name: "starting admin key".to_owned(),
            created_at: now,
            ..Key::default()
        });
    }

    /// Adds a key; false when its value or id exists.
    pub(crate) fn add(&self, key: Key) -> bool {
        let mut table = self.table.lock();
        let place = (key.service, key.value.clone());
        let known = |other: &Key| other.service == key.service && other.id == key.id;
        if table.by_value.contains_key(&place) || table.keys.iter().any(known) {
            return false;
        }
        let end = table.keys.len();
        table.by_value.insert(place, end);
        table.keys.push(key);
        true
    }

    /// The key with this value, as it stands now, after counting one call.
    pub(crate) fn used(&self, service: Service, value: &str, now: i64) -> Option<(Key, Allowance)> {
        let mut table = self.table.lock();
        let place = *table.by_value.get(&(service, value.to_owned()))?;
        let key = table.keys.get_mut(place)?;
        if key.state == KeyState::Active && key.expires_at.is_some_and(|end| end <= now) {
            key.state = KeyState::Expired;
        }
        key.last_used_at = Some(now);
        if key.window.minute != now / 60 {
            key.window = Window {
                minute: now / 60,
                requests: 0,
            };
        }
        key.window.requests += 1;
        let limit = key.requests_per_minute.unwrap_or(1_000_000);
        let allowance = Allowance {
            limit,
            remaining: limit.saturating_sub(key.window.requests),
            reset_seconds: 60 - now.rem_euclid(60),
            exceeded: key.window.requests > limit,
        };
        Some((key.clone(), allowance))
    }

    /// Changes the first key that fits, and returns it.
    pub(crate) fn change(
        &self,
        fits: impl Fn(&Key) -> bool,
        change: impl FnOnce(&mut Key),
    ) -> Option<Key> {
        let mut table = self.table.lock();
        let key = table.keys.iter_mut().find(|key| fits(key))?;
        change(key);
        Some(key.clone())
    }

    /// The keys that fit, oldest first.
    pub(crate) fn list(&self, fits: impl Fn(&Key) -> bool) -> Vec<Key> {
        self.table
            .lock()
            .keys
            .iter()
            .filter(|key| fits(key))
            .cloned()
            .collect()
    }

    /// Takes up the keys of an earlier run.
    pub(crate) fn load(&self, keys: Vec<Key>) {
        *self.table.lock() = Table::default();
        for key in keys {
            self.add(key);
        }
    }
}

/// The project that the starting key belongs to.
pub(crate) const DEFAULT_PROJECT: &str = "proj_sim_default";

impl Key {
    /// The value with its middle hidden, as a provider shows it afterwards.
    pub(crate) fn redacted(&self) -> String {
        redact(&self.value)
    }
}

/// A value with its middle hidden.
pub(crate) fn redact(value: &str) -> String {
    let letters: Vec<char> = value.chars().collect();
    if letters.len() < 16 {
        return "****".to_owned();
    }
    let start: String = letters[..8].iter().collect();
    let end: String = letters[letters.len() - 4..].iter().collect();
    format!("{start}****{end}")
}
