//! `POST /v1/messages`, whole and streamed, and `/v1/messages/count_tokens`.

use serde_json::{Value, json};

use super::{error, prompt, stream};
use crate::{
    desk::{Charge, Content, Context, Refusal, Served},
    prices::{self, Model, Ratio, Terms, Tier},
    talk::{Answer, Finish, Input, Tool, Wish},
};

/// A message in the making.
pub(super) struct Message {
    pub(super) id: String,
    pub(super) model: &'static Model,
    pub(super) input: Input,
    pub(super) answer: Answer,
    pub(super) tool_use_id: String,
    geo: &'static str,
    fast: bool,
}

/// Answers a conversation.
pub(super) fn create(context: &Context<'_>) -> Result<Served, Refusal> {
    let body = context.json()?;
    let model = model_of(context, &body)?;
    let most = body["max_tokens"].as_u64().filter(|most| *most > 0);
    let most = most.ok_or_else(|| error::invalid("max_tokens: Field required"))?;
    let said = prompt::read(&body)?;
    let thinks = matches!(
        body["thinking"]["type"].as_str(),
        Some("enabled" | "adaptive")
    );
    let format = match &body["output_config"]["format"] {
        Value::Null => &body["output_format"],
        format => format,
    };
    let choice = match body["tool_choice"]["type"].as_str() {
        Some("any") => json!("required"),
        Some("tool") => json!({"name": body["tool_choice"]["name"]}),
        Some("none") => json!("none"),
        _ => json!("auto"),
    };
    let wish = Wish {
        model,
        tools: Tool::read_all(&body["tools"]),
        tool_choice: &choice,
        format,
        most_tokens: Some(most),
        effort: (!thinks).then_some("none"),
    };
    let message = Message {
        id: context.world.ids.fresh("msg_"),
        model,
        input: said.count(|prompt| prompt.count(context.world, context.key, model, said.keep_long)),
        answer: Answer::to(&said.prompt, &wish, 0),
        tool_use_id: context.world.ids.fresh("toolu_"),
        geo: if body["inference_geo"] == "us" {
            "us"
        } else {
            "global"
        },
        fast: body["speed"] == "fast" && model.has_fast,
    };
    let mut charge = Charge {
        model,
        terms: Terms {
            factor: message.factor(),
            ..Terms::at(Tier::Standard)
        },
        quantities: message.input.quantities(),
    };
    if body["stream"].as_bool() == Some(true) {
        let content = Content::Events {
            frames: stream::frames(&message),
            failure: stream::failure(context.request_id),
        };
        return Ok(Served::content(content, charge));
    }
    charge.quantities.add_all(&message.answer.counts());
    let mut whole = message.object(message.content(), json!(message.stop_reason()));
    whole["usage"] = message.usage(message.answer.tokens());
    Ok(Served::charged(&whole, charge))
}

/// Says how long a conversation is, for nothing.
pub(super) fn count_tokens(context: &Context<'_>) -> Result<Served, Refusal> {
    let body = context.json()?;
    model_of(context, &body)?;
    let tokens = prompt::read(&body)?.prompt.tokens();
    Ok(Served::free(&json!({"input_tokens": tokens})))
}

fn model_of(context: &Context<'_>, body: &Value) -> Result<&'static Model, Refusal> {
    let name = body["model"].as_str();
    let name = name.ok_or_else(|| error::invalid("model: Field required"))?;
    let found = prices::find(context.service(), name);
    found.ok_or_else(|| error::not_found(&format!("model: {name}")))
}

impl Message {
    /// In the United States it costs a tenth more, fast twice as much.
    fn factor(&self) -> Option<Ratio> {
        match (self.geo, self.fast) {
            ("us", true) => Some((22, 10)),
            ("us", false) => Some((11, 10)),
            (_, true) => Some((2, 1)),
            _ => None,
        }
    }

    /// The message as an object; `content` is what there is of it.
    pub(super) fn object(&self, content: Value, stop_reason: Value) -> Value {
        json!({
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": self.model.answers_as,
            "content": content,
            "stop_reason": stop_reason,
            "stop_sequence": null,
        })
    }

    fn content(&self) -> Value {
        let mut blocks = Vec::new();
        if self.answer.reasoning > 0 {
            blocks.push(json!({"type": "thinking", "thinking": THOUGHT, "signature": SIGNATURE}));
        }
        let text = self.answer.text();
        blocks.push(match &self.answer.tool {
            Some(name) => {
                let input: Value = serde_json::from_str(&text).unwrap_or_else(|_| json!({}));
                json!({"type": "tool_use", "id": self.tool_use_id, "name": name, "input": input})
            }
            None => json!({"type": "text", "text": text}),
        });
        Value::from(blocks)
    }

    pub(super) fn stop_reason(&self) -> &'static str {
        match self.answer.finish {
            Finish::Stop => "end_turn",
            Finish::Length => "max_tokens",
            Finish::ToolCall => "tool_use",
        }
    }

    /// Usage in Anthropic's way of counting: what came out of the cache or went into it stands
    /// beside the input, not in it.
    pub(super) fn usage(&self, output_tokens: u64) -> Value {
        let Input {
            tokens,
            cached,
            written,
            keep_long,
        } = self.input;
        let (short, long) = if keep_long {
            (0, written)
        } else {
            (written, 0)
        };
        let mut usage = json!({
            "input_tokens": tokens.saturating_sub(cached + written),
            "cache_creation_input_tokens": written,
            "cache_read_input_tokens": cached,
            "cache_creation": {
                "ephemeral_5m_input_tokens": short,
                "ephemeral_1h_input_tokens": long,
            },
            "output_tokens": output_tokens,
            "service_tier": "standard",
            "inference_geo": self.geo,
        });
        if self.model.has_fast {
            usage["speed"] = json!(if self.fast { "fast" } else { "standard" });
        }
        if self.answer.reasoning > 0 {
            usage["output_tokens_details"] = json!({"thinking_tokens": self.answer.reasoning});
        }
        usage
    }
}

/// What a model shows of what it thinks.
pub(super) const THOUGHT: &str = "I think about what was asked.";
/// What makes a thought one's own.
pub(super) const SIGNATURE: &str = "c2ltdWxhdGVk";
