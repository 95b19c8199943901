//! What Anthropic remembers.

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::admin::Workspace;

/// Anthropic's memory.
#[derive(Default)]
pub(crate) struct State {
    pub(super) workspaces: Mutex<Vec<Workspace>>,
}

/// What is kept between two runs.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Saved {
    workspaces: Vec<Workspace>,
}

impl State {
    /// Back to the beginning: everything stands in the default workspace, which has no name.
    pub(crate) fn reset(&self) {
        self.workspaces.lock().clear();
    }

    /// What to keep for the next run.
    pub(crate) fn save(&self) -> Saved {
        Saved {
            workspaces: self.workspaces.lock().clone(),
        }
    }

    /// Takes up an earlier run.
    pub(crate) fn load(&self, saved: Saved) {
        *self.workspaces.lock() = saved.workspaces;
    }
}
