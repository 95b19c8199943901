//! What a request says, as one text: what is counted, cached and answered.

use serde_json::Value;

use crate::{
    cache::Cached,
    keys::Key,
    prices::Model,
    quantities::{Meter, Quantities},
    tokens,
    world::World,
};

/// What a picture in a prompt counts.
const PICTURE_TOKENS: u64 = 85;

/// The input of a call.
#[derive(Debug, Default)]
pub(crate) struct Prompt {
    /// Everything, in the order in which the model reads it.
    pub(crate) text: String,
    pub(crate) messages: u64,
    pub(crate) words: u64,
    pub(crate) last_user: String,
    /// The last message is the answer of a tool.
    pub(crate) after_tool: bool,
    pub(crate) pictures: u64,
}

impl Prompt {
    /// Adds the tools that may be used.
    pub(crate) fn put_tools(&mut self, tools: &Value) {
        if tools.as_array().is_some_and(|tools| !tools.is_empty()) {
            self.text.push_str(&tools.to_string());
        }
    }

    /// Adds what somebody says.
    pub(crate) fn put(&mut self, role: &str, said: String) {
        self.messages += 1;
        self.words += said.split_whitespace().count() as u64;
        self.text.push_str(role);
        self.text.push('\n');
        self.text.push_str(&said);
        self.text.push('\n');
        self.after_tool = role == "tool";
        if role == "user" {
            self.last_user = said;
        }
    }

    /// How many tokens it has.
    pub(crate) fn tokens(&self) -> u64 {
        tokens::count(&self.text) + self.pictures * PICTURE_TOKENS
    }

    /// Counts it, and looks how much of it is in the cache. Models without a price for writing
    /// into the cache do not tell it apart.
    pub(crate) fn count(&self, world: &World, key: &Key, model: &Model, keep_long: bool) -> Input {
        let owner = format!("{}\n{}\n", key.id, model.name);
        let Cached { read, written } = world.cache.look(&owner, &self.text);
        let written = if model.rates.cache_write == 0 {
            0
        } else {
            written
        };
        Input {
            tokens: self.tokens(),
            cached: read,
            written,
            keep_long,
        }
    }
}

/// A counted prompt.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input {
    pub(crate) tokens: u64,
    pub(crate) cached: u64,
    pub(crate) written: u64,
    /// What is written stays for 12 hours.
    pub(crate) keep_long: bool,
}

impl Input {
    /// The line on the bill before anything is said.
    pub(crate) fn quantities(self) -> Quantities {
        let write = if self.keep_long {
            Meter::CacheWriteLongTokens
        } else {
            Meter::CacheWriteTokens
        };
        Quantities::of(&[
            (Meter::InputTokens, self.tokens),
            (Meter::CachedInputTokens, self.cached),
            (write, self.written),
        ])
    }
}
