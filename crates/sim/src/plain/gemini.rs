//! `POST /v1beta/models/{model}:{call}`: thoughts are counted beside the candidates, and each count
//! of a stream stands for all before it.

use serde_json::{Value, json};

use super::{
    error,
    prompt::{model_of, text_of},
};
use crate::{
    body::Frame,
    desk::{Charge, Content, Context, Refusal, Served},
    prices::{Kind, Model, Terms, Tier},
    service::Service,
    talk::{Answer, Input, Prompt, Wish, counts_of_piece},
};

/// Answers, whole or piece by piece.
pub(super) fn generate(context: &Context<'_>) -> Result<Served, Refusal> {
    let (name, call) = context.part(0).split_once(':').unwrap_or_default();
    let body = context.json()?;
    let model = model_of(context, Some(name), |kind| {
        matches!(kind, Kind::Chat { .. })
    })?;
    let contents = body["contents"].as_array();
    let contents = contents.ok_or_else(|| error::missing(Service::Gemini, "contents"))?;
    let mut prompt = Prompt::default();
    for content in contents {
        let role = content["role"].as_str().unwrap_or("user");
        prompt.put(role, text_of(&content["parts"]));
    }
    if call == "countTokens" {
        let total = prompt.tokens();
        return Ok(Served::free(&json!({"totalTokens": total})));
    }
    let nothing = Value::Null;
    let wish = Wish {
        model,
        tools: Vec::new(),
        tool_choice: &nothing,
        format: &nothing,
        most_tokens: body["generationConfig"]["maxOutputTokens"].as_u64(),
        effort: None,
    };
    let answer = Answer::to(&prompt, &wish, 0);
    let input = prompt.count(context.world, context.key, model, false);
    let mut charge = Charge {
        model,
        terms: Terms::at(Tier::Default),
        quantities: input.quantities(),
    };
    let said = Said {
        model,
        input,
        thoughts: answer.reasoning,
    };
    match call {
        "generateContent" => {
            charge.quantities.add_all(&answer.counts());
            let written = answer.pieces.len() as u64;
            Ok(Served::charged(
                &said.piece(&answer.text(), written),
                charge,
            ))
        }
        "streamGenerateContent" => {
            let events = context.request.query("alt") == Some("sse");
            Ok(Served::content(said.stream(&answer, events), charge))
        }
        _ => Err(error::make(
            Service::Gemini,
            404,
            "not_found",
            "There is no such method.",
        )),
    }
}

struct Said {
    model: &'static Model,
    input: Input,
    thoughts: u64,
}

impl Said {
    fn piece(&self, text: &str, written: u64) -> Value {
        json!({
            "candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}],
            "usageMetadata": {
                "promptTokenCount": self.input.tokens,
                "cachedContentTokenCount": self.input.cached,
                "candidatesTokenCount": written,
                "thoughtsTokenCount": self.thoughts,
                "totalTokenCount": self.input.tokens + written + self.thoughts,
            },
            "modelVersion": self.model.answers_as,
        })
    }

    /// Events, or a list that grows.
    fn stream(&self, answer: &Answer, events: bool) -> Content {
        let last = answer.pieces.len().saturating_sub(1);
        let frames = answer.pieces.iter().enumerate().map(|(place, piece)| {
            let body = self.piece(piece, place as u64 + 1);
            let text = match (events, place) {
                (true, _) => format!("data: {body}\r\n\r\n"),
                (false, 0) if last == 0 => format!("[{body}]"),
                (false, 0) => format!("[{body}"),
                (false, place) if place == last => format!(",\r\n{body}]"),
                (false, _) => format!(",\r\n{body}"),
            };
            let mut counts = counts_of_piece();
            if place == 0 {
                counts.extend(answer.counts_of_beginning());
            }
            Frame {
                bytes: text.into(),
                counts,
            }
        });
        let frames = frames.collect();
        if !events {
            return Content::Pieces {
                content_type: "application/json",
                frames,
            };
        }
        let failure = Box::new(|_: &_| {
            let body = error::body(Service::Gemini, 503, "unavailable", "The model failed.");
            bytes::Bytes::from(format!("data: {body}\r\n\r\n"))
        });
        Content::Events { frames, failure }
    }
}
