//! `POST /v1/read`: what a text says, counted in tokens.

use serde_json::{Value, json};

use super::{error, hearing::model_id};
use crate::{
    desk::{Charge, Context, Refusal, Served},
    instant,
    prices::{self, Terms, Tier},
    quantities::{Meter, Quantities},
    service::Service,
    tokens,
};

/// The one model, which no request names.
const MODEL: &str = "text-intelligence";

/// Reads a text in every way that is asked for.
pub(super) fn create(context: &Context<'_>) -> Result<Served, Refusal> {
    let body = context.json()?;
    let text = body["text"].as_str().filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| {
        let message = "Request payload must include a non-empty `text`.";
        error::new(400, "INVALID_PAYLOAD", message)
    })?;
    let model = prices::find(Service::Deepgram, MODEL);
    let model = model.ok_or_else(|| error::not_found("Model"))?;
    let asked: Vec<&str> = ["summarize", "sentiment", "topics", "intents"]
        .into_iter()
        .filter(|way| {
            let value = context.request.query(way);
            value.is_some_and(|value| value != "false")
        })
        .collect();
    if asked.is_empty() {
        let message = "At least one of summarize, sentiment, topics, intents must be enabled.";
        return Err(error::old(400, "INVALID_QUERY_PARAMETER", message));
    }
    let mut metadata = json!({
        "request_id": context.request_id,
        "created": instant::rfc3339(context.now()),
        "language": context.request.query("language").unwrap_or("en"),
    });
    let mut results = json!({});
    let (mut input, mut output) = (0, 0);
    for way in asked {
        let (what, result) = result(way, text);
        let (read, said) = (tokens::count(text), tokens::count(&result.to_string()));
        let name = if way == "summarize" { "summary" } else { way };
        metadata[format!("{name}_info")] = json!({
            "model_uuid": model_id(model), "input_tokens": read, "output_tokens": said,
        });
        results[what] = result;
        input += read;
        output += said;
    }
    let answer = json!({"metadata": {"metadata": metadata}, "results": results});
    let charge = Charge {
        model,
        terms: Terms::at(Tier::Default),
        quantities: Quantities::of(&[(Meter::InputTokens, input), (Meter::OutputTokens, output)]),
    };
    Ok(Served::charged(&answer, charge))
}

fn result(way: &str, text: &str) -> (&'static str, Value) {
    let beginning: String = text.chars().take(40).collect();
    match way {
        "summarize" => ("summary", json!({"text": beginning})),
        "sentiment" => (
            "sentiments",
            json!({"average": {"sentiment": "neutral", "sentiment_score": 0}}),
        ),
        "topics" => ("topics", json!({"segments": [{"text": beginning}]})),
        _ => ("intents", json!({"segments": [{"text": beginning}]})),
    }
}
