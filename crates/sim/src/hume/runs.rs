//! Runs and chats: what was done, as the company's own ledger tells it.

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error;
use crate::{
    desk::{Context, Refusal, Served},
    instant,
};

/// What a run is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Of {
    Decision,
    Expression,
    Chat,
}

/// A piece of work.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(super) id: String,
    pub(super) of: Of,
    pub(super) organization_id: String,
    pub(super) started_at: i64,
    /// `None` while it goes on.
    pub(super) ended_at: Option<i64>,
    pub(super) bytes_received: u64,
    /// What is paid, in milliseconds of sound or in tokens.
    pub(super) metered: u64,
    pub(super) close_code: Option<u16>,
}

/// Hume's memory.
#[derive(Default)]
pub(crate) struct State {
    runs: Mutex<Vec<Run>>,
}

/// What is kept between two runs of the simulator.
pub(crate) type Saved = Vec<Run>;

impl State {
    /// Back to the beginning.
    pub(crate) fn reset(&self) {
        self.runs.lock().clear();
    }

    /// What to keep for the next time.
    pub(crate) fn save(&self) -> Saved {
        self.runs.lock().clone()
    }

    /// Takes up an earlier time.
    pub(crate) fn load(&self, saved: Saved) {
        *self.runs.lock() = saved;
    }

    /// Begins a run, or puts down one that is over.
    pub(super) fn put(&self, run: Run) {
        self.runs.lock().push(run);
    }

    /// Changes a run.
    pub(super) fn change(&self, id: &str, change: impl FnOnce(&mut Run)) {
        if let Some(run) = self.runs.lock().iter_mut().find(|run| run.id == id) {
            change(run);
        }
    }

    /// The runs of an organization, the newest first.
    pub(super) fn list(&self, of: Of, organization: &str) -> Vec<Run> {
        let runs = self.runs.lock();
        let own = runs
            .iter()
            .rev()
            .filter(|run| run.of == of && run.organization_id == organization);
        own.cloned().collect()
    }
}

impl Run {
    /// A run that was over at once.
    pub(super) fn done(context: &Context<'_>, of: Of, bytes: u64, metered: u64) -> Self {
        Self {
            id: context.request_id.to_owned(),
            of,
            organization_id: context.organization().to_owned(),
            started_at: context.now(),
            ended_at: Some(context.now()),
            bytes_received: bytes,
            metered,
            close_code: None,
        }
    }

    fn view(&self) -> Value {
        let mut view = json!({
            "id": self.id,
            "status": if self.ended_at.is_some() { "completed" } else { "in_progress" },
            "started_at": instant::rfc3339(self.started_at),
            "ended_at": self.ended_at.map(instant::rfc3339),
            "bytes_received": self.bytes_received,
            "close_code": self.close_code,
        });
        if self.of == Of::Decision {
            view["received"] = json!({"input_tokens": self.metered});
        } else {
            let seconds = format!("{}.{:03}", self.metered / 1_000, self.metered % 1_000);
            view["metered_seconds"] = serde_json::from_str(&seconds).unwrap_or_default();
        }
        view
    }
}

/// `GET /v0/decisions/run`. How a list is wrapped is said nowhere: a guess.
pub(super) fn decisions(context: &Context<'_>) -> Result<Served, Refusal> {
    Ok(list(context, Of::Decision))
}

/// `GET /v0/decisions/run/{id}`
pub(super) fn decision(context: &Context<'_>) -> Result<Served, Refusal> {
    one(context, Of::Decision)
}

/// `GET /v1/expression/run`
pub(super) fn expressions(context: &Context<'_>) -> Result<Served, Refusal> {
    Ok(list(context, Of::Expression))
}

/// `GET /v1/expression/run/{id}`
pub(super) fn expression(context: &Context<'_>) -> Result<Served, Refusal> {
    one(context, Of::Expression)
}

fn list(context: &Context<'_>, of: Of) -> Served {
    let runs = context.world.hume.list(of, context.organization());
    let runs: Vec<Value> = runs.iter().map(Run::view).collect();
    Served::free(&json!({"data": runs, "has_more": false}))
}

fn one(context: &Context<'_>, of: Of) -> Result<Served, Refusal> {
    let runs = context.world.hume.list(of, context.organization());
    let run = runs.iter().find(|run| run.id == context.part(0));
    let run = run.ok_or_else(|| error::make(404, "not_found", "There is no such run."))?;
    Ok(Served::free(&run.view()))
}
