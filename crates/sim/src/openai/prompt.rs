//! What a request says, as one text: what is counted, cached and answered.

use serde_json::Value;

use super::error::ApiError;
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
pub(super) struct Prompt {
    /// Everything, in the order in which the model reads it.
    pub(super) text: String,
    pub(super) messages: u64,
    pub(super) words: u64,
    pub(super) last_user: String,
    /// The last message is the answer of a tool.
    pub(super) after_tool: bool,
    pictures: u64,
}

impl Prompt {
    /// The input of a chat completion.
    pub(super) fn of_chat(body: &Value) -> Result<Self, ApiError> {
        let messages = body["messages"]
            .as_array()
            .ok_or_else(|| ApiError::missing("messages"))?;
        if messages.is_empty() {
            let message = "Invalid 'messages': empty array.";
            return Err(ApiError::invalid("messages", "empty_array", message));
        }
        let mut prompt = Self::default();
        prompt.put_tools(&body["tools"]);
        for message in messages {
            let role = message["role"].as_str();
            let role = role.ok_or_else(|| ApiError::missing("messages[0].role"))?;
            prompt.put_message(role, &message["content"])?;
            if let Some(calls) = message.get("tool_calls") {
                prompt.text.push_str(&calls.to_string());
            }
        }
        Ok(prompt)
    }

    /// The input of a response, behind what an earlier one said.
    pub(super) fn of_response(body: &Value, before: &str) -> Result<Self, ApiError> {
        let mut prompt = Self::default();
        prompt.put_tools(&body["tools"]);
        if let Some(instructions) = body["instructions"].as_str() {
            prompt.put_message("developer", &Value::from(instructions))?;
        }
        prompt.text.push_str(before);
        match &body["input"] {
            Value::String(_) => prompt.put_message("user", &body["input"])?,
            Value::Array(items) => items.iter().try_for_each(|item| prompt.put_item(item))?,
            _ => return Err(ApiError::missing("input")),
        }
        Ok(prompt)
    }

    fn put_item(&mut self, item: &Value) -> Result<(), ApiError> {
        match item["type"].as_str().unwrap_or("message") {
            "message" => {
                self.put_message(item["role"].as_str().unwrap_or("user"), &item["content"])
            }
            "function_call_output" => self.put_message("tool", &item["output"]),
            _ => {
                self.text.push_str(&item.to_string());
                Ok(())
            }
        }
    }

    fn put_tools(&mut self, tools: &Value) {
        if tools.as_array().is_some_and(|tools| !tools.is_empty()) {
            self.text.push_str(&tools.to_string());
        }
    }

    fn put_message(&mut self, role: &str, content: &Value) -> Result<(), ApiError> {
        let said = self.read_content(content)?;
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
        Ok(())
    }

    fn read_content(&mut self, content: &Value) -> Result<String, ApiError> {
        let parts = match content {
            Value::String(text) => return Ok(text.clone()),
            Value::Array(parts) => parts,
            _ => return Ok(String::new()),
        };
        let mut said = String::new();
        for part in parts {
            match part["type"].as_str().unwrap_or_default() {
                "image_url" | "input_image" => self.pictures += 1,
                "input_audio" => {
                    let message = "This model does not support audio inputs.";
                    return Err(ApiError::invalid("messages", "invalid_value", message));
                }
                _ => {
                    let text = part["text"].as_str().or_else(|| part["refusal"].as_str());
                    match text {
                        Some(text) => said.push_str(text),
                        None => said.push_str(&part.to_string()),
                    }
                }
            }
        }
        Ok(said)
    }

    /// How many tokens it has.
    pub(super) fn tokens(&self) -> u64 {
        tokens::count(&self.text) + self.pictures * PICTURE_TOKENS
    }

    /// Counts it, and looks how much of it is in the cache. Models without a price for writing
    /// into the cache do not tell it apart.
    pub(super) fn count(&self, world: &World, key: &Key, model: &Model, keep_long: bool) -> Input {
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
pub(super) struct Input {
    pub(super) tokens: u64,
    pub(super) cached: u64,
    pub(super) written: u64,
    /// What is written stays for 12 hours.
    pub(super) keep_long: bool,
}

impl Input {
    /// The line on the bill before anything is said.
    pub(super) fn quantities(self) -> Quantities {
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
