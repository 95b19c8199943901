//! Every key of every company.

use std::collections::HashMap;

use parking_lot::Mutex;

use super::{Allowance, Key, KeyState, Late, Window};
use crate::{faults::Lateness, service::Service};

#[derive(Default)]
struct Table {
    keys: Vec<Key>,
    by_value: HashMap<(Service, String), usize>,
    by_id: HashMap<(Service, String), usize>,
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
        let starting = Service::ALL
            .into_iter()
            .flat_map(|service| service.starting_keys(now));
        self.load(starting.collect());
    }

    /// Adds a key; false when its value or id exists.
    pub(crate) fn add(&self, key: Key) -> bool {
        self.table.lock().add(key)
    }

    /// Adds a key that is new, and perhaps not known everywhere yet.
    pub(crate) fn mint(&self, key: Key, late: Option<&Lateness>, now: i64) {
        let late = late.map(|lateness| Late::new(lateness, None, now));
        self.table.lock().add(Key { late, ..key });
    }

    /// The key with this value, as it stands now, after counting one call.
    pub(crate) fn used(&self, service: Service, value: &str, now: i64) -> Option<(Key, Allowance)> {
        let mut table = self.table.lock();
        let place = *table.by_value.get(&(service, value.to_owned()))?;
        let key = table.keys.get_mut(place)?;
        key.calls += 1;
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
            reset_seconds: 60 - now.rem_euclid(60).unsigned_abs(),
            exceeded: key.window.requests > limit,
        };
        if key.state == KeyState::Active && key.is_expired(now) && key.late.is_none() {
            key.state = KeyState::Expired;
        }
        let mut met = key.as_used(now);
        if met.state == KeyState::Active && met.is_expired(now) {
            met.state = KeyState::Expired;
        }
        Some((met, allowance))
    }

    /// The key with this id, as it is.
    pub(crate) fn get(&self, service: Service, id: &str) -> Option<Key> {
        let table = self.table.lock();
        let place = *table.by_id.get(&(service, id.to_owned()))?;
        table.keys.get(place).cloned()
    }

    /// Counts a refusal of a call that came with this key.
    pub(crate) fn refused(&self, service: Service, id: &str) {
        self.change_by_id(service, id, |_| true, |key| key.refused += 1, None, 0);
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

    /// Changes the key with this id, if it fits, and returns it. What it may do comes late where
    /// that is asked for and the change touches it.
    pub(crate) fn change_by_id(
        &self,
        service: Service,
        id: &str,
        fits: impl Fn(&Key) -> bool,
        change: impl FnOnce(&mut Key),
        late: Option<&Lateness>,
        now: i64,
    ) -> Option<Key> {
        let mut table = self.table.lock();
        let place = *table.by_id.get(&(service, id.to_owned()))?;
        let key = table.keys.get_mut(place).filter(|key| fits(key))?;
        let Some(lateness) = late else {
            change(key);
            return Some(key.clone());
        };
        let late = Late::new(lateness, Some(&*key), now);
        change(key);
        key.late = Some(late);
        Some(key.clone())
    }

    /// Puts every key that fits into a state.
    pub(crate) fn put_all(
        &self,
        fits: impl Fn(&Key) -> bool,
        state: KeyState,
        late: Option<&Lateness>,
        now: i64,
    ) {
        for key in &mut self.table.lock().keys {
            if key.state != state && fits(key) {
                let late = late.map(|lateness| Late::new(lateness, Some(&*key), now));
                key.put(state, now);
                key.late = late;
            }
        }
    }

    /// The keys that fit, oldest first, as they are.
    pub(crate) fn list(&self, fits: impl Fn(&Key) -> bool) -> Vec<Key> {
        let table = self.table.lock();
        table.keys.iter().filter(|key| fits(key)).cloned().collect()
    }

    /// How many keys fit.
    pub(crate) fn count(&self, fits: impl Fn(&Key) -> bool) -> u64 {
        let table = self.table.lock();
        table.keys.iter().filter(|key| fits(key)).count() as u64
    }

    /// Takes something from what a key may be charged for; false where there is too little.
    pub(crate) fn spend(&self, service: Service, id: &str, amount: u64) -> bool {
        let has = |key: &Key| {
            key.spending_limit
                .is_none_or(|most| key.spent.saturating_add(amount) <= most)
        };
        let spend = |key: &mut Key| key.spent += amount;
        self.change_by_id(service, id, has, spend, None, 0)
            .is_some()
    }

    /// The keys that fit, oldest first, as a company lists them: some may not be known yet, some
    /// still stand there.
    pub(crate) fn listed(
        &self,
        belongs: impl Fn(&Key) -> bool,
        shown: impl Fn(&Key) -> bool,
    ) -> Vec<Key> {
        let mut table = self.table.lock();
        let own = table.keys.iter_mut().filter(|key| belongs(key));
        own.filter_map(|key| match key.late {
            Some(_) => key.as_listed().filter(|key| shown(key)),
            None => shown(key).then(|| key.clone()),
        })
        .collect()
    }

    /// Takes up the keys of an earlier run.
    pub(crate) fn load(&self, keys: Vec<Key>) {
        let mut table = self.table.lock();
        *table = Table::default();
        for key in keys {
            table.add(key);
        }
    }
}

impl Table {
    fn add(&mut self, key: Key) -> bool {
        let value = (key.service, key.value.clone());
        let id = (key.service, key.id.clone());
        if self.by_value.contains_key(&value) || self.by_id.contains_key(&id) {
            return false;
        }
        let end = self.keys.len();
        self.by_value.insert(value, end);
        self.by_id.insert(id, end);
        self.keys.push(key);
        true
    }
}
