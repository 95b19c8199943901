//! What OpenAI's requests say.

use serde_json::Value;

use super::error::{self, Refusal};
use crate::talk::Prompt;

/// The input of a chat completion.
pub(super) fn of_chat(body: &Value) -> Result<Prompt, Refusal> {
    let messages = body["messages"]
        .as_array()
        .ok_or_else(|| error::missing("messages"))?;
    if messages.is_empty() {
        let message = "Invalid 'messages': empty array.";
        return Err(error::invalid("messages", "empty_array", message));
    }
    let mut prompt = Prompt::default();
    prompt.put_tools(&body["tools"]);
    for message in messages {
        let role = message["role"].as_str();
        let role = role.ok_or_else(|| error::missing("messages[0].role"))?;
        put_message(&mut prompt, role, &message["content"])?;
        if let Some(calls) = message.get("tool_calls") {
            prompt.text.push_str(&calls.to_string());
        }
    }
    Ok(prompt)
}

/// The input of a response, behind what an earlier one said.
pub(super) fn of_response(body: &Value, before: &str) -> Result<Prompt, Refusal> {
    let mut prompt = Prompt::default();
    prompt.put_tools(&body["tools"]);
    if let Some(instructions) = body["instructions"].as_str() {
        prompt.put("developer", instructions.to_owned());
    }
    prompt.text.push_str(before);
    match &body["input"] {
        Value::String(text) => prompt.put("user", text.clone()),
        Value::Array(items) => {
            for item in items {
                put_item(&mut prompt, item)?;
            }
        }
        _ => return Err(error::missing("input")),
    }
    Ok(prompt)
}

fn put_item(prompt: &mut Prompt, item: &Value) -> Result<(), Refusal> {
    match item["type"].as_str().unwrap_or("message") {
        "message" => {
            let role = item["role"].as_str().unwrap_or("user");
            put_message(prompt, role, &item["content"])
        }
        "function_call_output" => put_message(prompt, "tool", &item["output"]),
        _ => {
            prompt.text.push_str(&item.to_string());
            Ok(())
        }
    }
}

fn put_message(prompt: &mut Prompt, role: &str, content: &Value) -> Result<(), Refusal> {
    let said = read_content(prompt, content)?;
    prompt.put(role, said);
    Ok(())
}

fn read_content(prompt: &mut Prompt, content: &Value) -> Result<String, Refusal> {
    let parts = match content {
        Value::String(text) => return Ok(text.clone()),
        Value::Array(parts) => parts,
        _ => return Ok(String::new()),
    };
    let mut said = String::new();
    for part in parts {
        match part["type"].as_str().unwrap_or_default() {
            "image_url" | "input_image" => prompt.pictures += 1,
            "input_audio" => {
                let message = "This model does not support audio inputs.";
                return Err(error::invalid("messages", "invalid_value", message));
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
