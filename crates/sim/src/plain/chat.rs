//! Chats in OpenAI's manner, each company with its own usage object.

use serde_json::{Value, json};

use super::{
    error,
    prompt::{self, model_of},
};
use crate::{
    body::Frame,
    desk::{Charge, Content, Context, Refusal, Served},
    prices::{Kind, Model, Terms, Tier},
    quantities::{Meter, Quantities},
    service::Service,
    talk::{Answer, Input, counts_of_piece},
    tokens,
};

/// An answer that is about to go out.
struct Completion {
    service: Service,
    id: String,
    model: &'static Model,
    input: Input,
    answer: Answer,
    created: i64,
}

/// Answers a chat.
pub(super) fn create(context: &Context<'_>) -> Result<Served, Refusal> {
    let body = context.json()?;
    let model = model_of(context, body["model"].as_str(), |kind| {
        matches!(kind, Kind::Chat { .. })
    })?;
    let prompt = prompt::of_chat(context, &body)?;
    let most = body["max_completion_tokens"]
        .as_u64()
        .or_else(|| body["max_tokens"].as_u64());
    let input = prompt.count(context.world, context.key, model, false);
    let completion = Completion {
        service: context.service(),
        id: context.world.ids.fresh("chatcmpl-"),
        model,
        input,
        answer: Answer::to(&prompt, &prompt::wish(&body, model, most), 0),
        created: context.now(),
    };
    let mut charge = Charge {
        model,
        terms: Terms::at(Tier::Default),
        quantities: input.quantities(),
    };
    if body["stream"].as_bool() == Some(true) {
        let asked = body["stream_options"]["include_usage"].as_bool() == Some(true);
        let service = completion.service;
        let failure = Box::new(move |_: &_| {
            let body = error::body(service, 502, "internal_error", "The model failed.");
            bytes::Bytes::from(format!("data: {body}\n\n"))
        });
        let content = Content::Events {
            frames: completion.frames(asked),
            failure,
        };
        return Ok(Served::content(content, charge));
    }
    let text = completion.answer.text();
    let message = json!({"role": "assistant", "content": text});
    let mut whole = completion.object("chat.completion");
    whole["choices"] = json!([{"index": 0, "message": message, "finish_reason": "stop"}]);
    whole["usage"] = completion.usage();
    charge.quantities.add_all(&completion.answer.counts());
    Ok(Served::charged(&whole, charge))
}

impl Completion {
    fn object(&self, object: &str) -> Value {
        json!({
            "id": self.id, "object": object, "created": self.created,
            "model": self.model.answers_as,
        })
    }

    /// What it costs in the end.
    fn cost_nanos(&self) -> u128 {
        let mut all = self.input.quantities();
        all.add_all(&self.answer.counts());
        self.model.cost_nanos(Terms::at(Tier::Default), &all)
    }

    fn usage(&self) -> Value {
        let (input, reasoning) = (self.input, self.answer.reasoning);
        let written = self.answer.tokens();
        // With one company thinking is counted beside what is written.
        let completion = if self.service == Service::Xai {
            written - reasoning
        } else {
            written
        };
        let mut usage = json!({
            "prompt_tokens": input.tokens,
            "completion_tokens": completion,
            "total_tokens": input.tokens + written,
            "prompt_tokens_details": {"cached_tokens": input.cached},
            "completion_tokens_details": {"reasoning_tokens": reasoning},
        });
        match self.service {
            Service::Groq => {
                usage["queue_time"] = json!(0.01);
                usage["prompt_time"] = json!(0.02);
            }
            Service::Xai => usage["cost_in_usd_ticks"] = number(self.cost_nanos(), 10),
            Service::Openrouter => {
                usage["cost"] = number(self.cost_nanos(), 0);
                usage["is_byok"] = json!(false);
            }
            _ => {}
        }
        usage
    }

    fn frames(&self, asked: bool) -> Vec<Frame> {
        let chunk = |delta: Value, finish: Value| {
            let mut chunk = self.object("chat.completion.chunk");
            chunk["choices"] = json!([{"index": 0, "delta": delta, "finish_reason": finish}]);
            chunk
        };
        let event = |chunk: &Value| format!("data: {chunk}\n\n");
        let first = chunk(json!({"role": "assistant", "content": ""}), Value::Null);
        let mut frames = vec![Frame {
            bytes: event(&first).into(),
            counts: self.answer.counts_of_beginning(),
        }];
        frames.extend(self.answer.pieces.iter().map(|piece| Frame {
            bytes: event(&chunk(json!({"content": piece}), Value::Null)).into(),
            counts: counts_of_piece(),
        }));
        let mut last = chunk(json!({}), json!("stop"));
        match self.service {
            Service::Groq => last["x_groq"] = json!({"id": self.id, "usage": self.usage()}),
            // The last piece tells it, asked or not.
            Service::Mistral | Service::Xai | Service::Openrouter => last["usage"] = self.usage(),
            _ => {}
        }
        frames.push(Frame::free(event(&last)));
        if self.service == Service::Gemini && asked {
            let mut usage = self.object("chat.completion.chunk");
            usage["choices"] = json!([]);
            usage["usage"] = self.usage();
            frames.push(Frame::free(event(&usage)));
        }
        frames.push(Frame::free("data: [DONE]\n\n"));
        frames
    }
}

/// Nano-dollars as a number of JSON: in dollars, or in so many parts of a nano-dollar.
fn number(nanos: u128, parts: u128) -> Value {
    let text = if parts == 0 {
        crate::prices::dollars(nanos)
    } else {
        (nanos * parts).to_string()
    };
    serde_json::from_str(&text).unwrap_or_default()
}

/// `POST /v1/embeddings`
pub(super) fn embed(context: &Context<'_>) -> Result<Served, Refusal> {
    let body = context.json()?;
    let model = model_of(context, body["model"].as_str(), |kind| {
        matches!(kind, Kind::Embedding { .. })
    })?;
    let read = tokens::count(&prompt::text_of(&body["input"]));
    let answer = json!({
        "id": context.world.ids.fresh("embd-"), "object": "list", "model": model.answers_as,
        "data": [{"object": "embedding", "index": 0, "embedding": [0.25, -0.5]}],
        "usage": {"prompt_tokens": read, "completion_tokens": 0, "total_tokens": read},
    });
    let charge = Charge {
        model,
        terms: Terms::at(Tier::Default),
        quantities: Quantities::of(&[(Meter::InputTokens, read)]),
    };
    Ok(Served::charged(&answer, charge))
}
