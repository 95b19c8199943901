//! What OpenAI remembers.

use std::collections::VecDeque;

use parking_lot::Mutex;
use serde_json::Value;

use super::{admin::Organization, batches::Batch, files::StoredFile, responses::StoredResponse};

/// Beyond this many, the oldest object is forgotten: a benchmark must not fill the memory.
const MOST_OBJECTS: usize = 10_000;

/// OpenAI's memory.
pub(crate) struct State {
    pub(crate) organization: Mutex<Organization>,
    pub(super) files: Mutex<VecDeque<StoredFile>>,
    pub(super) batches: Mutex<VecDeque<Batch>>,
    /// Project and object.
    pub(super) vector_stores: Mutex<VecDeque<(String, Value)>>,
    pub(super) responses: Mutex<VecDeque<StoredResponse>>,
}

impl State {
    /// The memory at the beginning.
    pub(crate) fn new(now: i64) -> Self {
        Self {
            organization: Mutex::new(Organization::new(now)),
            files: Mutex::default(),
            batches: Mutex::default(),
            vector_stores: Mutex::default(),
            responses: Mutex::default(),
        }
    }

    /// Back to the beginning.
    pub(crate) fn reset(&self, now: i64) {
        *self.organization.lock() = Organization::new(now);
        self.files.lock().clear();
        self.batches.lock().clear();
        self.vector_stores.lock().clear();
        self.responses.lock().clear();
    }
}

/// Remembers one more object.
pub(super) fn keep<T>(objects: &Mutex<VecDeque<T>>, object: T) {
    let mut objects = objects.lock();
    if objects.len() >= MOST_OBJECTS {
        objects.pop_front();
    }
    objects.push_back(object);
}
