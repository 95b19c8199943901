//! Everything that the simulated world remembers.

use std::{path::Path, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    anthropic,
    bill::{Bill, SavedBill},
    cache::PromptCache,
    clock::Clock,
    elevenlabs,
    faults::FaultBox,
    hume,
    ids::Ids,
    keys::{Key, KeyTable},
    limits::Limits,
    openai,
    recorder::Recorder,
    service::Service,
};

/// The world.
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) keys: KeyTable,
    pub(crate) bill: Arc<Bill>,
    pub(crate) faults: FaultBox,
    pub(crate) limits: Limits,
    pub(crate) recorder: Recorder,
    pub(crate) cache: PromptCache,
    pub(crate) openai: openai::State,
    pub(crate) anthropic: anthropic::State,
    pub(crate) elevenlabs: elevenlabs::State,
    pub(crate) hume: hume::State,
}

/// What is kept between two runs.
#[derive(Serialize, Deserialize)]
struct Saved {
    keys: Vec<Key>,
    bill: SavedBill,
    organization: openai::Organization,
    #[serde(default)]
    anthropic: anthropic::Saved,
    #[serde(default)]
    elevenlabs: elevenlabs::Saved,
    #[serde(default)]
    hume: hume::Saved,
}

impl World {
    /// A world in which nothing has happened.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let clock = Clock::default();
        let now = clock.now();
        Ok(Self {
            ids: Ids::new()?,
            keys: KeyTable::new(now),
            bill: Arc::default(),
            faults: FaultBox::default(),
            limits: Limits::default(),
            recorder: Recorder::default(),
            cache: PromptCache::default(),
            openai: openai::State::new(now),
            anthropic: anthropic::State::default(),
            elevenlabs: elevenlabs::State::default(),
            hume: hume::State::default(),
            clock,
        })
    }

    /// Takes up an earlier run, if the file exists.
    pub(crate) fn load(&self, file: &Path) -> anyhow::Result<()> {
        let bytes = match std::fs::read(file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let saved: Saved = serde_json::from_slice(&bytes)?;
        self.keys.load(saved.keys);
        self.bill.load(saved.bill);
        *self.openai.organization.lock() = saved.organization;
        self.anthropic.load(saved.anthropic);
        self.elevenlabs.load(saved.elevenlabs);
        self.hume.load(saved.hume);
        Ok(())
    }

    /// Writes down what the next run takes up. The file before stays whole until the new one is.
    pub(crate) fn save(&self, file: &Path) -> anyhow::Result<()> {
        let saved = Saved {
            keys: self.keys.list(|_| true),
            bill: self.bill.save(),
            organization: self.openai.organization.lock().clone(),
            anthropic: self.anthropic.save(),
            elevenlabs: self.elevenlabs.save(),
            hume: self.hume.save(),
        };
        let new = file.with_extension("new");
        std::fs::write(&new, serde_json::to_vec(&saved)?)?;
        std::fs::rename(&new, file)?;
        Ok(())
    }

    /// One more organization that keys can belong to, unless it is there.
    pub(crate) fn begin_organization(&self, service: Service, organization: &str) {
        if service == Service::Openai {
            let now = self.clock.now();
            self.openai.organization.lock().begin(organization, now);
        }
    }

    /// Back to the beginning.
    pub(crate) fn reset(&self) {
        let now = self.clock.now();
        self.keys.reset(now);
        self.bill.reset();
        self.faults.clear();
        self.limits.reset();
        self.recorder.reset();
        self.cache.reset();
        self.openai.reset(now);
        self.anthropic.reset();
        self.elevenlabs.reset();
        self.hume.reset();
    }
}
