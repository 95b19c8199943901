//! What Anthropic's requests say.

use serde_json::Value;

use super::error;
use crate::{
    desk::Refusal,
    talk::{Input, Prompt},
};

/// The input of a message.
pub(super) struct Said {
    pub(super) prompt: Prompt,
    /// Whether any part of it is to be cached.
    cache: bool,
    /// And for an hour instead of five minutes.
    pub(super) keep_long: bool,
}

/// Reads a request.
pub(super) fn read(body: &Value) -> Result<Said, Refusal> {
    let messages = body["messages"].as_array();
    let messages = messages.ok_or_else(|| error::invalid("messages: Field required"))?;
    if messages.is_empty() {
        let message = "messages: at least one message is required";
        return Err(error::invalid(message));
    }
    let mut said = Said {
        prompt: Prompt::default(),
        cache: !body["cache_control"].is_null(),
        keep_long: body["cache_control"]["ttl"] == "1h",
    };
    said.prompt.put_tools(&body["tools"]);
    said.note_cache(&body["tools"]);
    if !body["system"].is_null() {
        let text = said.content(&body["system"]);
        said.prompt.put("system", text);
    }
    for message in messages {
        let role = match message["role"].as_str() {
            Some(role @ ("user" | "assistant")) => role,
            _ => {
                let message = "messages.0.role: Input should be 'user' or 'assistant'";
                return Err(error::invalid(message));
            }
        };
        let text = said.content(&message["content"]);
        let answers_tool = message["content"]
            .as_array()
            .is_some_and(|blocks| blocks.iter().any(|block| block["type"] == "tool_result"));
        said.prompt
            .put(if answers_tool { "tool" } else { role }, text);
    }
    Ok(said)
}

impl Said {
    /// Counts it. Without a wish nothing is cached.
    pub(super) fn count(&self, cached: impl FnOnce(&Prompt) -> Input) -> Input {
        if self.cache {
            return cached(&self.prompt);
        }
        Input {
            tokens: self.prompt.tokens(),
            cached: 0,
            written: 0,
            keep_long: false,
        }
    }

    fn note_cache(&mut self, blocks: &Value) {
        for block in blocks.as_array().into_iter().flatten() {
            self.cache |= !block["cache_control"].is_null();
            self.keep_long |= block["cache_control"]["ttl"] == "1h";
        }
    }

    fn content(&mut self, content: &Value) -> String {
        let blocks = match content {
            Value::String(text) => return text.clone(),
            Value::Array(blocks) => blocks,
            _ => return String::new(),
        };
        self.note_cache(content);
        let mut text = String::new();
        for block in blocks {
            match block["type"].as_str().unwrap_or_default() {
                "text" => text.push_str(block["text"].as_str().unwrap_or_default()),
                "image" => self.prompt.pictures += 1,
                "tool_result" => {
                    let inner = self.content(&block["content"]);
                    text.push_str(&inner);
                }
                _ => text.push_str(&block.to_string()),
            }
        }
        text
    }
}
