//! What requests say, and which model is meant.

use serde_json::Value;

use super::error;
use crate::{
    desk::{Context, Refusal},
    prices::{self, Kind, Model},
    talk::{Prompt, Tool, Wish},
};

/// The model that a request names, if it is of the right kind.
pub(super) fn model_of(
    context: &Context<'_>,
    name: Option<&str>,
    fits: impl Fn(Kind) -> bool,
) -> Result<&'static Model, Refusal> {
    let service = context.service();
    let name = name.ok_or_else(|| error::missing(service, "model"))?;
    prices::find(service, name)
        .filter(|model| fits(model.kind))
        .ok_or_else(|| error::no_model(service, name))
}

/// The input of a chat: messages, or a single text.
pub(super) fn of_chat(context: &Context<'_>, body: &Value) -> Result<Prompt, Refusal> {
    let mut prompt = Prompt::default();
    prompt.put_tools(&body["tools"]);
    if let Some(text) = body["prompt"].as_str() {
        prompt.put("user", text.to_owned());
        return Ok(prompt);
    }
    let messages = body["messages"].as_array();
    let messages = messages.ok_or_else(|| error::missing(context.service(), "messages"))?;
    for message in messages {
        let role = message["role"].as_str().unwrap_or("user");
        prompt.put(role, text_of(&message["content"]));
    }
    Ok(prompt)
}

/// A text, or texts in parts.
pub(super) fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts
            .iter()
            .filter_map(|part| part["text"].as_str().or_else(|| part.as_str()))
            .collect(),
        _ => String::new(),
    }
}

/// What is wished of an answer.
pub(super) fn wish<'a>(body: &'a Value, model: &'a Model, most: Option<u64>) -> Wish<'a> {
    Wish {
        model,
        tools: Tool::read_all(&body["tools"]),
        tool_choice: &body["tool_choice"],
        format: &body["response_format"],
        most_tokens: most,
        effort: body["reasoning_effort"].as_str(),
    }
}
