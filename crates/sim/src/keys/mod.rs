//! The table of keys: who may call, and in which state each key is.

mod late;
mod table;

pub(crate) use late::Late;
pub(crate) use table::KeyTable;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::service::Service;

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum KeyKind {
    #[default]
    Project,
    /// Manages the organization; with some companies it also calls models.
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
    /// Off, and can be switched on again.
    Disabled,
    Revoked,
    Expired,
    /// Valid, but whoever pays has nothing left.
    Exhausted,
    /// Valid, but allowed nothing.
    Restricted,
    /// Valid, but too fast.
    RateLimited,
}

/// Where a key came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Origin {
    /// It was there at the beginning.
    #[default]
    Start,
    /// The judge was told to add it.
    Judge,
    /// The company's own administration made it.
    Administration,
    /// A key made it for a short time.
    Token,
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
    pub(crate) origin: Origin,
    #[serde(default)]
    pub(crate) state: KeyState,
    /// The code of the error that its state leads to, where there is a choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<String>,
    #[serde(default)]
    pub(crate) name: String,
    #[serde(default = "default_organization")]
    pub(crate) organization_id: String,
    /// The project; with Anthropic the workspace.
    #[serde(default)]
    pub(crate) project_id: Option<String>,
    #[serde(default)]
    pub(crate) service_account_id: Option<String>,
    /// None means all.
    #[serde(default)]
    pub(crate) scopes: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tags: Vec<String>,
    /// Where calls with it may come from; none means everywhere. Kept, not enforced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) allowed_ips: Vec<String>,
    /// What it may be charged for in all, and has been, in the company's own unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) spending_limit: Option<u64>,
    #[serde(default)]
    pub(crate) spent: u64,
    #[serde(default)]
    pub(crate) created_at: i64,
    #[serde(default)]
    pub(crate) expires_at: Option<i64>,
    #[serde(default)]
    pub(crate) disabled_at: Option<i64>,
    #[serde(default)]
    pub(crate) deleted_at: Option<i64>,
    #[serde(default)]
    pub(crate) last_used_at: Option<i64>,
    /// How many calls came with it, whatever became of them.
    #[serde(default)]
    pub(crate) calls: u64,
    /// How many of them were refused.
    #[serde(default)]
    pub(crate) refused: u64,
    /// How many calls a minute it may make; none given means a thousand times a thousand.
    #[serde(default)]
    pub(crate) requests_per_minute: Option<u64>,
    #[serde(skip)]
    pub(crate) window: Window,
    /// What is still as it was.
    #[serde(skip)]
    pub(crate) late: Option<Late>,
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
    pub(crate) reset_seconds: u64,
    pub(crate) exceeded: bool,
}

/// The organization of every key that names no other.
pub(crate) const DEFAULT_ORGANIZATION: &str = "org-sim";

/// The project that the starting keys belong to, where a company has projects.
pub(crate) const DEFAULT_PROJECT: &str = "proj_sim_default";

fn default_organization() -> String {
    DEFAULT_ORGANIZATION.to_owned()
}

impl Key {
    /// The value with its middle hidden, as a provider shows it afterwards.
    pub(crate) fn redacted(&self) -> String {
        redact(&self.value)
    }

    /// Puts it into a state, and notes when.
    pub(crate) fn put(&mut self, state: KeyState, now: i64) {
        self.state = state;
        match state {
            KeyState::Disabled => self.disabled_at = Some(now),
            KeyState::Revoked => self.deleted_at = self.deleted_at.or(Some(now)),
            _ => self.disabled_at = None,
        }
    }

    /// Whether it ended.
    pub(crate) fn is_expired(&self, now: i64) -> bool {
        self.state == KeyState::Expired || self.expires_at.is_some_and(|end| end <= now)
    }

    /// Whether it opens anything at all.
    pub(crate) fn is_live(&self, now: i64) -> bool {
        !matches!(self.state, KeyState::Disabled | KeyState::Revoked) && !self.is_expired(now)
    }

    /// What the judge tells of it: everything but its value.
    pub(crate) fn told(&self, now: i64) -> Value {
        json!({
            "service": self.service,
            "organizationId": self.organization_id,
            "projectId": self.project_id,
            "serviceAccountId": self.service_account_id,
            "name": self.name,
            "id": self.id,
            "kind": self.kind,
            "origin": self.origin,
            "state": self.state,
            "live": self.is_live(now),
            "scopes": self.scopes,
            "createdAt": self.created_at,
            "expiresAt": self.expires_at,
            "disabledAt": self.disabled_at,
            "deletedAt": self.deleted_at,
            "lastUsedAt": self.last_used_at,
            "callsReceived": self.calls,
            "callsRefused": self.refused,
        })
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
