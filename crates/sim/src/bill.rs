//! The simulator's own account: what it served, counted as it went out.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    prices::{self, Ratio, Terms, Tier},
    quantities::{Meter, Quantities},
    service::Service,
};

/// One call that was served.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Call {
    #[serde(default)]
    pub(crate) service: Service,
    pub(crate) request_id: String,
    /// The caller's own name for it (`x-client-request-id`).
    #[serde(default)]
    pub(crate) client_request_id: Option<String>,
    pub(crate) key_id: String,
    #[serde(default)]
    pub(crate) organization_id: String,
    pub(crate) project_id: Option<String>,
    pub(crate) operation: String,
    /// As the answer named it.
    pub(crate) model: String,
    pub(crate) service_tier: String,
    /// What the whole call costs more or less, as a fraction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) factor: Option<Ratio>,
    /// What is added to every hour of sound, in micro-dollars.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) surcharge_hour: u128,
    pub(crate) quantities: Quantities,
    /// When it came in, in seconds since 1970.
    pub(crate) served_at: i64,
    /// The answer ended before its end: by a fault, or because nobody listened any more.
    #[serde(default)]
    pub(crate) cut: bool,
    /// The answer is still going out.
    #[serde(default)]
    pub(crate) open: bool,
}

impl Call {
    /// What it costs so far.
    pub(crate) fn cost_nanos(&self) -> u128 {
        let terms = Terms {
            tier: Tier::named(&self.service_tier).unwrap_or(Tier::Default),
            factor: self.factor,
            surcharge_hour: self.surcharge_hour,
        };
        prices::find(self.service, &self.model)
            .map_or(0, |model| model.cost_nanos(terms, &self.quantities))
    }

    fn view(&self) -> Value {
        let mut view = serde_json::to_value(self).unwrap_or_default();
        view["costUsd"] = json!(prices::dollars(self.cost_nanos()));
        view
    }
}

const fn is_zero(number: &u128) -> bool {
    *number == 0
}

/// A kind of event that is counted but not billed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Tally {
    service: Service,
    key_id: Option<String>,
    name: String,
}

#[derive(Default)]
struct Books {
    calls: Vec<Call>,
    refused: BTreeMap<Tally, u64>,
    unbilled: BTreeMap<Tally, u64>,
    /// How often everything was forgotten; an entry from before writes nothing.
    resets: u64,
}

/// The books of every company.
#[derive(Default)]
pub(crate) struct Bill {
    books: Mutex<Books>,
}

/// The books as they are kept between two runs.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct SavedBill {
    calls: Vec<Call>,
    refused: Vec<(Tally, u64)>,
    unbilled: Vec<(Tally, u64)>,
}

impl Bill {
    /// Opens the entry of a call that is about to be served.
    pub(crate) fn open(self: &Arc<Self>, call: Call) -> Entry {
        let mut books = self.books.lock();
        let place = books.calls.len();
        books.calls.push(Call {
            open: true,
            cut: false,
            ..call
        });
        Entry {
            bill: Arc::clone(self),
            place,
            resets: books.resets,
            closed: false,
        }
    }

    /// Counts a refusal. `reason` is the error's code, else its status.
    pub(crate) fn refuse(&self, service: Service, key_id: Option<&str>, reason: &str) {
        let tally = Tally {
            service,
            key_id: key_id.map(str::to_owned),
            name: reason.to_owned(),
        };
        *self.books.lock().refused.entry(tally).or_default() += 1;
    }

    /// Counts a call that costs nothing and has no line on the bill.
    pub(crate) fn count_unbilled(&self, service: Service, key_id: &str, operation: &str) {
        let tally = Tally {
            service,
            key_id: Some(key_id.to_owned()),
            name: operation.to_owned(),
        };
        *self.books.lock().unbilled.entry(tally).or_default() += 1;
    }

    /// The bill of one company, or of one key of it.
    pub(crate) fn view(&self, service: Service, key_id: Option<&str>) -> Value {
        let books = self.books.lock();
        let chosen = |call: &&Call| {
            call.service == service && key_id.is_none_or(|key_id| call.key_id == key_id)
        };
        let total: u128 = books
            .calls
            .iter()
            .filter(chosen)
            .map(Call::cost_nanos)
            .sum();
        let calls: Vec<Value> = books.calls.iter().filter(chosen).map(Call::view).collect();
        let counted = |tallies: &BTreeMap<Tally, u64>| {
            let mut counts: BTreeMap<String, u64> = BTreeMap::new();
            for (tally, count) in tallies {
                let of_key = key_id.is_none() || tally.key_id.as_deref() == key_id;
                if tally.service == service && of_key {
                    *counts.entry(tally.name.clone()).or_default() += count;
                }
            }
            counts
        };
        json!({
            "totalCostUsd": prices::dollars(total),
            "calls": calls,
            "refused": counted(&books.refused),
            "unbilled": counted(&books.unbilled),
        })
    }

    /// Shows every call of a company to a function, in the order they came in.
    pub(crate) fn for_each(&self, service: Service, mut look: impl FnMut(&Call)) {
        let books = self.books.lock();
        books
            .calls
            .iter()
            .filter(|call| call.service == service)
            .for_each(&mut look);
    }

    /// Forgets everything.
    pub(crate) fn reset(&self) {
        let mut books = self.books.lock();
        *books = Books {
            resets: books.resets + 1,
            ..Books::default()
        };
    }

    /// What to keep for the next run. A call that is still going out counts as cut.
    pub(crate) fn save(&self) -> SavedBill {
        let books = self.books.lock();
        let closed = |call: &Call| Call {
            open: false,
            cut: call.cut || call.open,
            ..call.clone()
        };
        let listed = |tallies: &BTreeMap<Tally, u64>| {
            tallies
                .iter()
                .map(|(tally, count)| (tally.clone(), *count))
                .collect()
        };
        SavedBill {
            calls: books.calls.iter().map(closed).collect(),
            refused: listed(&books.refused),
            unbilled: listed(&books.unbilled),
        }
    }

    /// Takes up the books of an earlier run.
    pub(crate) fn load(&self, saved: SavedBill) {
        let mut books = self.books.lock();
        books.calls = saved.calls;
        books.refused = saved.refused.into_iter().collect();
        books.unbilled = saved.unbilled.into_iter().collect();
    }
}

/// The line of one call while its answer goes out. Dropped before [`Entry::finish`], it says that
/// the answer was cut.
pub(crate) struct Entry {
    bill: Arc<Bill>,
    place: usize,
    resets: u64,
    closed: bool,
}

impl Entry {
    /// Adds what has just been sent.
    pub(crate) fn add(&self, amounts: &[(Meter, u64)]) {
        if !amounts.is_empty() {
            self.change(|call| call.quantities.add_all(amounts));
        }
    }

    /// The answer has gone out to its end.
    pub(crate) fn finish(mut self) {
        self.closed = true;
        self.change(|call| call.open = false);
    }

    fn change(&self, change: impl FnOnce(&mut Call)) {
        let mut books = self.bill.books.lock();
        if books.resets == self.resets
            && let Some(call) = books.calls.get_mut(self.place)
        {
            change(call);
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if !self.closed {
            self.change(|call| {
                call.open = false;
                call.cut = true;
            });
        }
    }
}
