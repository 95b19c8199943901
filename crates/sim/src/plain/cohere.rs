//! Cohere: what is billed is told apart from what was processed.

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
    talk::{Answer, counts_of_piece},
    tokens,
};

/// What is processed beside what is billed: the company's own words around the prompt.
const OWN_WORDS: u64 = 60;
/// So many documents are one search.
const SEARCH_DOCUMENTS: usize = 100;

fn charge(model: &'static Model, amounts: &[(Meter, u64)]) -> Charge {
    Charge {
        model,
        terms: Terms::at(Tier::Default),
        quantities: Quantities::of(amounts),
    }
}

/// `POST /v2/chat`
pub(super) fn chat(context: &Context<'_>) -> Result<Served, Refusal> {
    let body = context.json()?;
    let model = model_of(context, body["model"].as_str(), |kind| {
        matches!(kind, Kind::Chat { .. })
    })?;
    let prompt = prompt::of_chat(context, &body)?;
    let most = body["max_tokens"].as_u64();
    let answer = Answer::to(&prompt, &prompt::wish(&body, model, most), 0);
    let (read, written) = (prompt.tokens(), answer.tokens());
    let usage = json!({
        "billed_units": {"input_tokens": read, "output_tokens": written},
        "tokens": {"input_tokens": read + OWN_WORDS, "output_tokens": written + 2},
    });
    let id = context.world.ids.uuid();
    let mut charge = charge(model, &[(Meter::InputTokens, read)]);
    if body["stream"].as_bool() != Some(true) {
        charge.quantities.add_all(&answer.counts());
        let message =
            json!({"role": "assistant", "content": [{"type": "text", "text": answer.text()}]});
        let whole = json!({
            "id": id, "finish_reason": "COMPLETE", "message": message, "usage": usage,
        });
        return Ok(Served::charged(&whole, charge));
    }
    let event = |body: &Value| {
        let name = body["type"].as_str().unwrap_or_default();
        format!("event: {name}\ndata: {body}\n\n")
    };
    let mut frames = vec![Frame {
        bytes: event(&json!({"type": "message-start", "id": id})).into(),
        counts: answer.counts_of_beginning(),
    }];
    frames.extend(answer.pieces.iter().map(|piece| {
        Frame {
            bytes: event(&json!({
                "type": "content-delta", "index": 0,
                "delta": {"message": {"content": {"text": piece}}},
            }))
            .into(),
            counts: counts_of_piece(),
        }
    }));
    let end = json!({"type": "message-end",
                     "delta": {"finish_reason": "COMPLETE", "usage": usage}});
    frames.push(Frame::free(event(&end)));
    let failure = Box::new(|_: &_| {
        let end = json!({"type": "message-end", "delta": {"finish_reason": "ERROR"}});
        bytes::Bytes::from(format!("event: message-end\ndata: {end}\n\n"))
    });
    Ok(Served::content(Content::Events { frames, failure }, charge))
}

/// `POST /v2/embed`
pub(super) fn embed(context: &Context<'_>) -> Result<Served, Refusal> {
    let body = context.json()?;
    let model = model_of(context, body["model"].as_str(), |kind| {
        matches!(kind, Kind::Embedding { .. })
    })?;
    let texts = body["texts"].as_array();
    let texts = texts.ok_or_else(|| error::missing(Service::Cohere, "texts"))?;
    let read = texts
        .iter()
        .map(|text| tokens::count(text.as_str().unwrap_or_default()))
        .sum();
    let answer = json!({
        "id": context.world.ids.uuid(),
        "embeddings": {"float": [[0.25, -0.5]]},
        "meta": {"billed_units": {"input_tokens": read}},
    });
    let charge = charge(model, &[(Meter::InputTokens, read)]);
    Ok(Served::charged(&answer, charge))
}

/// `POST /v2/rerank`
pub(super) fn rerank(context: &Context<'_>) -> Result<Served, Refusal> {
    let body = context.json()?;
    let model = model_of(context, body["model"].as_str(), |kind| {
        kind == Kind::Moderation
    })?;
    let documents = body["documents"].as_array().map_or(0, Vec::len);
    let searches = documents.div_ceil(SEARCH_DOCUMENTS).max(1) as u64;
    let answer = json!({
        "id": context.world.ids.uuid(),
        "results": [{"index": 0, "relevance_score": 0.9}],
        "meta": {"billed_units": {"search_units": searches}},
    });
    let charge = charge(model, &[(Meter::Credits, searches)]);
    Ok(Served::charged(&answer, charge))
}
