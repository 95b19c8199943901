//! `POST /chat/completions`, whole and streamed.

use serde_json::{Value, json};

use super::{
    context::{Charge, Content, Context, Served, model_of},
    error::{self, Refusal},
    prompt, sse,
};
use crate::{
    body::Frame,
    prices::{Kind, Model, Terms, Tier},
    talk::{Answer, Finish, Input, Tool, Wish, counts_of_piece},
};

/// The most answers to one question.
const MOST_CHOICES: u64 = 128;

/// What all pieces of one completion share.
struct Completion {
    id: String,
    created: i64,
    model: &'static Model,
    tier: Tier,
    input: Input,
    answers: Vec<Answer>,
    call_ids: Vec<String>,
}

/// Answers a chat.
pub(super) fn create(context: &Context<'_>) -> Result<Served, Refusal> {
    let body = context.json()?;
    let model = model_of(context, body["model"].as_str(), |kind| {
        matches!(kind, Kind::Chat { .. })
    })?;
    let prompt = prompt::of_chat(&body)?;
    let choices = body["n"].as_u64().unwrap_or(1);
    if !(1..=MOST_CHOICES).contains(&choices) {
        let message = format!("Invalid 'n': expected 1 to {MOST_CHOICES}.");
        return Err(error::invalid("n", "invalid_value", message));
    }
    let most = body["max_completion_tokens"]
        .as_u64()
        .or_else(|| body["max_tokens"].as_u64());
    if most == Some(0) {
        let message = "Invalid 'max_completion_tokens': expected at least 1.";
        return Err(error::invalid(
            "max_completion_tokens",
            "invalid_value",
            message,
        ));
    }
    let wish = Wish {
        model,
        tools: Tool::read_all(&body["tools"]),
        tool_choice: &body["tool_choice"],
        format: &body["response_format"],
        most_tokens: most,
        effort: body["reasoning_effort"].as_str(),
    };
    let input = prompt.count(context.world, context.key, model, false);
    let answers: Vec<Answer> = (0..choices)
        .map(|variant| Answer::to(&prompt, &wish, variant))
        .collect();
    let completion = Completion {
        id: context.world.ids.fresh("chatcmpl-"),
        created: context.now(),
        model,
        tier: model.served_at(body["service_tier"].as_str(), input.tokens),
        input,
        call_ids: answers
            .iter()
            .map(|_| context.world.ids.fresh("call_"))
            .collect(),
        answers,
    };
    let mut charge = Charge {
        model,
        terms: Terms::at(completion.tier),
        quantities: completion.input.quantities(),
    };
    if body["stream"].as_bool() == Some(true) {
        let include_usage = body["stream_options"]["include_usage"].as_bool() == Some(true);
        let failure = Box::new(|_: &_| {
            let message = "The server had an error while processing your request.";
            sse::data(&json!({"error": {
                "message": message, "type": "server_error", "param": null, "code": "server_error",
            }}))
        });
        let content = Content::Events {
            frames: completion.frames(include_usage),
            failure,
        };
        return Ok(Served::content(content, charge));
    }
    completion
        .answers
        .iter()
        .for_each(|answer| charge.quantities.add_all(&answer.counts()));
    Ok(Served::charged(&completion.whole(), charge))
}

impl Completion {
    fn whole(&self) -> Value {
        let choices: Vec<Value> = self.answers.iter().enumerate().map(|(index, answer)| {
            let mut message = json!({
                "role": "assistant", "content": answer.text(), "refusal": null, "annotations": [],
            });
            if let Some(name) = &answer.tool {
                message["content"] = Value::Null;
                message["tool_calls"] = json!([{
                    "id": self.call_ids[index],
                    "type": "function",
                    "function": {"name": name, "arguments": answer.text()},
                }]);
            }
            json!({
                "index": index,
                "message": message,
                "logprobs": null,
                "finish_reason": reason(answer.finish),
            })
        }).collect();
        let mut whole = self.object("chat.completion", Value::from(choices));
        whole["usage"] = self.usage();
        whole
    }

    fn object(&self, object: &str, choices: Value) -> Value {
        json!({
            "id": self.id,
            "object": object,
            "created": self.created,
            "model": self.model.answers_as,
            "choices": choices,
            "service_tier": self.tier.as_str(),
            "system_fingerprint": "fp_sim",
        })
    }

    fn usage(&self) -> Value {
        let output: u64 = self.answers.iter().map(Answer::tokens).sum();
        let reasoning: u64 = self.answers.iter().map(|answer| answer.reasoning).sum();
        let mut usage = json!({
            "prompt_tokens": self.input.tokens,
            "completion_tokens": output,
            "total_tokens": self.input.tokens + output,
            "prompt_tokens_details": {"cached_tokens": self.input.cached, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": reasoning,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        });
        if self.model.rates.cache_write > 0 {
            usage["prompt_tokens_details"]["cache_write_tokens"] = self.input.written.into();
        }
        usage
    }

    /// The events of a stream. The answers of several choices come interleaved.
    fn frames(&self, include_usage: bool) -> Vec<Frame> {
        let chunk = |index: usize, delta: Value, finish: Value| {
            let mut chunk = self.object(
                "chat.completion.chunk",
                json!([{
                    "index": index, "delta": delta, "logprobs": null, "finish_reason": finish,
                }]),
            );
            if include_usage {
                chunk["usage"] = Value::Null;
            }
            sse::data(&chunk)
        };
        let mut frames = Vec::new();
        for (index, answer) in self.answers.iter().enumerate() {
            let delta = match &answer.tool {
                None => json!({"role": "assistant", "content": "", "refusal": null}),
                Some(name) => json!({"role": "assistant", "content": null, "tool_calls": [{
                    "index": 0,
                    "id": self.call_ids[index],
                    "type": "function",
                    "function": {"name": name, "arguments": ""},
                }]}),
            };
            let counts = answer.counts_of_beginning();
            frames.push(Frame {
                bytes: chunk(index, delta, Value::Null),
                counts,
            });
        }
        let longest = self
            .answers
            .iter()
            .map(|answer| answer.pieces.len())
            .max()
            .unwrap_or(0);
        for place in 0..longest {
            for (index, answer) in self.answers.iter().enumerate() {
                let Some(piece) = answer.pieces.get(place) else {
                    continue;
                };
                let delta = match &answer.tool {
                    None => json!({"content": piece}),
                    Some(_) => {
                        json!({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
                    }
                };
                let bytes = chunk(index, delta, Value::Null);
                frames.push(Frame {
                    bytes,
                    counts: counts_of_piece(),
                });
            }
        }
        for (index, answer) in self.answers.iter().enumerate() {
            let finish = Value::from(reason(answer.finish));
            frames.push(Frame::free(chunk(index, json!({}), finish)));
        }
        if include_usage {
            let mut last = self.object("chat.completion.chunk", json!([]));
            last["usage"] = self.usage();
            frames.push(Frame::free(sse::data(&last)));
        }
        frames.push(Frame::free("data: [DONE]\n\n"));
        frames
    }
}

const fn reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
        Finish::ToolCall => "tool_calls",
    }
}
