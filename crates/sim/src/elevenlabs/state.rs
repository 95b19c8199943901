//! What ElevenLabs remembers.

use std::collections::HashMap;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::admin::ServiceAccount;

/// ElevenLabs' memory.
#[derive(Default)]
pub(crate) struct State {
    pub(super) accounts: Mutex<Vec<ServiceAccount>>,
    /// What each workspace has used of its credits.
    pub(super) credits: Mutex<HashMap<String, u64>>,
}

/// What is kept between two runs.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Saved {
    accounts: Vec<ServiceAccount>,
    credits: HashMap<String, u64>,
}

impl State {
    /// Back to the beginning.
    pub(crate) fn reset(&self) {
        self.accounts.lock().clear();
        self.credits.lock().clear();
    }

    /// What to keep for the next run.
    pub(crate) fn save(&self) -> Saved {
        Saved {
            accounts: self.accounts.lock().clone(),
            credits: self.credits.lock().clone(),
        }
    }

    /// Takes up an earlier run.
    pub(crate) fn load(&self, saved: Saved) {
        *self.accounts.lock() = saved.accounts;
        *self.credits.lock() = saved.credits;
    }
}
