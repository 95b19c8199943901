//! What is shared by many keys: calls at one time, money, and how many keys there may be.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{desk::Whose, keys::Key, service::Service};

/// Whose limit it is: a whole company's, unless it names an organization or a project.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Owner {
    service: Service,
    organization_id: Option<String>,
    project_id: Option<String>,
}

/// A limit. What is absent is as the company has it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Limit {
    /// Paid calls at one time.
    pub(crate) concurrency: Option<u64>,
    /// Service accounts of an organization.
    pub(crate) service_accounts: Option<u64>,
    /// Keys of one service account, or of one project where there are no accounts.
    pub(crate) keys: Option<u64>,
    /// Nothing is left to pay with.
    pub(crate) exhausted: Option<bool>,
    /// The code of the error that says so, where there is a choice.
    pub(crate) code: Option<String>,
    /// When there is something again.
    pub(crate) until: Option<i64>,
}

/// What to change in a limit.
#[derive(Deserialize)]
pub(crate) struct LimitChange {
    #[serde(flatten)]
    owner: Owner,
    #[serde(flatten)]
    limit: Limit,
}

/// How many run at one time.
#[derive(Debug, Clone, Copy, Default)]
struct Crowd {
    running: u64,
    most_seen: u64,
}

type Crowds = HashMap<(Service, String), Crowd>;

#[derive(Default)]
struct Running {
    crowds: Crowds,
    /// How often everything was forgotten; a call from before gives nothing back.
    resets: u64,
}

/// Every limit.
#[derive(Default)]
pub(crate) struct Limits {
    limits: Mutex<HashMap<Owner, Limit>>,
    running: Arc<Mutex<Running>>,
}

impl Limits {
    /// Changes what is named, and shows the limit.
    pub(crate) fn change(&self, change: LimitChange) -> Value {
        let LimitChange { owner, limit: new } = change;
        let mut limits = self.limits.lock();
        let limit = limits.entry(owner).or_default();
        limit.concurrency = new.concurrency.or(limit.concurrency);
        limit.service_accounts = new.service_accounts.or(limit.service_accounts);
        limit.keys = new.keys.or(limit.keys);
        if new.exhausted.is_some() {
            limit.exhausted = new.exhausted;
            limit.code = new.code;
            limit.until = new.until;
        }
        json!({"limit": limit})
    }

    /// The limits of a company, and how many calls run at one time.
    pub(crate) fn view(&self, service: Service) -> Value {
        let limits: Vec<Value> = self
            .limits
            .lock()
            .iter()
            .filter(|(owner, _)| owner.service == service)
            .map(|(owner, limit)| {
                let mut view = json!(limit);
                view["organizationId"] = json!(owner.organization_id);
                view["projectId"] = json!(owner.project_id);
                view
            })
            .collect();
        let running = self.running.lock();
        let crowds = running.crowds.iter().filter(|((of, _), _)| *of == service);
        let crowds: Vec<Value> = crowds
            .map(|((_, name), crowd)| {
                json!({"of": name, "running": crowd.running, "mostSeen": crowd.most_seen})
            })
            .collect();
        json!({"limits": limits, "concurrency": crowds})
    }

    /// The nearest limit to a key that says something: its project's, its organization's, the
    /// company's.
    pub(crate) fn of<T>(&self, key: &Key, what: impl Fn(&Limit) -> Option<T>) -> Option<T> {
        let limits = self.limits.lock();
        owners(key)
            .iter()
            .find_map(|owner| what(limits.get(owner)?))
    }

    /// Whose money is gone, if anybody's above the key is, and the code that says so.
    pub(crate) fn exhausted(&self, key: &Key, now: i64) -> Option<(Whose, Option<String>)> {
        let limits = self.limits.lock();
        if limits.is_empty() {
            return None;
        }
        owners(key).iter().find_map(|owner| {
            let limit = limits.get(owner)?;
            let is = limit.exhausted == Some(true) && limit.until.is_none_or(|end| end > now);
            let whose = if owner.project_id.is_some() {
                Whose::Project
            } else {
                Whose::Organization
            };
            is.then(|| (whose, limit.code.clone()))
        })
    }

    /// Takes a place among the calls that run at one time, if one is free.
    pub(crate) fn enter(&self, service: Service, crowd: &str, most: u64) -> Option<Slot> {
        let name = (service, crowd.to_owned());
        let mut running = self.running.lock();
        let resets = running.resets;
        let crowd = running.crowds.entry(name.clone()).or_default();
        if crowd.running >= most {
            return None;
        }
        crowd.running += 1;
        crowd.most_seen = crowd.most_seen.max(crowd.running);
        Some(Slot {
            running: Arc::clone(&self.running),
            name,
            resets,
            place: crowd.running,
            most,
        })
    }

    /// Forgets everything.
    pub(crate) fn reset(&self) {
        self.limits.lock().clear();
        let mut running = self.running.lock();
        running.crowds.clear();
        running.resets += 1;
    }
}

fn owners(key: &Key) -> [Owner; 3] {
    let company = Owner {
        service: key.service,
        organization_id: None,
        project_id: None,
    };
    [
        Owner {
            // Of a key without a project nobody can have set a limit with this name.
            project_id: Some(key.project_id.clone().unwrap_or_default()),
            ..company.clone()
        },
        Owner {
            organization_id: Some(key.organization_id.clone()),
            ..company.clone()
        },
        company,
    ]
}

/// A place among the calls that run at one time; free again when dropped.
pub(crate) struct Slot {
    running: Arc<Mutex<Running>>,
    name: (Service, String),
    resets: u64,
    place: u64,
    most: u64,
}

impl Slot {
    /// How many ran when it was taken, itself included, and how many may.
    pub(crate) const fn crowd(&self) -> (u64, u64) {
        (self.place, self.most)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut running = self.running.lock();
        if running.resets == self.resets
            && let Some(crowd) = running.crowds.get_mut(&self.name)
        {
            crowd.running = crowd.running.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_its_call_ends() {
        let limits = Limits::default();
        let enter = || limits.enter(Service::Deepgram, "project", 2);
        let (first, second) = (enter(), enter());
        assert!(first.is_some() && second.is_some());
        assert!(enter().is_none());
        drop(first);
        assert_eq!(enter().map(|slot| slot.crowd()), Some((2, 2)));
        assert!(limits.enter(Service::Deepgram, "other", 2).is_some());
    }

    #[test]
    fn the_nearest_limit_counts() {
        let limits = Limits::default();
        let set = |value| limits.change(serde_json::from_value(value).unwrap());
        set(json!({"service": "openai", "concurrency": 9}));
        set(json!({"service": "openai", "projectId": "p", "concurrency": 3}));
        set(json!({"service": "openai", "organizationId": "o", "exhausted": true, "until": 50}));
        let key = Key {
            organization_id: "o".to_owned(),
            project_id: Some("p".to_owned()),
            ..Key::default()
        };
        assert_eq!(limits.of(&key, |limit| limit.concurrency), Some(3));
        let gone = |now| limits.exhausted(&key, now).map(|(whose, _)| whose);
        assert_eq!(gone(49), Some(Whose::Organization));
        assert_eq!(gone(50), None);
    }
}
