//! `POST /embeddings`.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{
    context::{Charge, Context, Served, model_of},
    error::{self, Refusal},
};
use crate::{
    ids::scatter,
    prices::{Kind, Terms},
    quantities::{Meter, Quantities},
    tokens,
};

/// The most texts in a call.
const MOST_INPUTS: usize = 2_048;

/// Turns texts into vectors: the same text into the same vector, of length one.
pub(super) fn create(context: &Context<'_>) -> Result<Served, Refusal> {
    let body = context.json()?;
    let model = model_of(context, body["model"].as_str(), |kind| {
        matches!(kind, Kind::Embedding { .. })
    })?;
    let Kind::Embedding { dimensions: most } = model.kind else {
        return Err(error::no_model(model.name));
    };
    let inputs = inputs(&body["input"])?;
    let dimensions = match body["dimensions"].as_u64() {
        None => most,
        Some(asked) => usize::try_from(asked)
            .ok()
            .filter(|asked| (1..=most).contains(asked))
            .ok_or_else(|| {
                let message = format!("Invalid 'dimensions': expected 1 to {most}.");
                error::invalid("dimensions", "invalid_value", message)
            })?,
    };
    let as_base64 = body["encoding_format"] == "base64";
    let mut tokens = 0;
    let mut data = Vec::new();
    for (index, input) in inputs.iter().enumerate() {
        tokens += input.tokens;
        let vector = vector(input.fingerprint, dimensions);
        let embedding = if as_base64 {
            let bytes: Vec<u8> = vector
                .iter()
                .flat_map(|number| number.to_le_bytes())
                .collect();
            Value::from(STANDARD.encode(bytes))
        } else {
            Value::from(vector)
        };
        data.push(json!({"object": "embedding", "index": index, "embedding": embedding}));
    }
    let answer = json!({
        "object": "list",
        "data": data,
        "model": model.answers_as,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    });
    let received = inputs.iter().map(|input| input.tokens).sum();
    let quantities = Quantities::of(&[(Meter::InputTokens, received)]);
    Ok(Served::charged(
        &answer,
        Charge {
            model,
            terms: Terms::at(model.served_at(None, 0)),
            quantities,
        },
    ))
}

struct Input {
    tokens: u64,
    fingerprint: u64,
}

/// A text, a list of texts, a list of token numbers, or a list of such lists.
fn inputs(input: &Value) -> Result<Vec<Input>, Refusal> {
    let inputs: Option<Vec<Input>> = match input {
        Value::Null => return Err(error::missing("input")),
        Value::Array(items) if items.first().is_some_and(Value::is_number) => {
            read_one(input).map(|one| vec![one])
        }
        Value::Array(items) => items.iter().map(read_one).collect(),
        one => read_one(one).map(|one| vec![one]),
    };
    inputs
        .filter(|inputs| (1..=MOST_INPUTS).contains(&inputs.len()))
        .ok_or_else(|| {
            let message = "Invalid 'input': expected a text, or up to 2048 texts or token lists.";
            error::invalid("input", "invalid_value", message)
        })
}

fn read_one(input: &Value) -> Option<Input> {
    let hash = |text: &str| {
        text.bytes()
            .fold(0x51_u64, |hash, byte| scatter(hash ^ u64::from(byte)))
    };
    match input {
        Value::String(text) if !text.is_empty() => Some(Input {
            tokens: tokens::count(text),
            fingerprint: hash(text),
        }),
        Value::Array(numbers) if !numbers.is_empty() && numbers.iter().all(Value::is_u64) => {
            let fingerprint = hash(&input.to_string());
            Some(Input {
                tokens: numbers.len() as u64,
                fingerprint,
            })
        }
        _ => None,
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "any spread of numbers will do for a vector"
)]
fn vector(fingerprint: u64, dimensions: usize) -> Vec<f32> {
    let mut state = fingerprint;
    let mut numbers = Vec::with_capacity(dimensions);
    for _ in 0..dimensions {
        state = scatter(state);
        numbers.push((state >> 40) as f32 / (1_u32 << 23) as f32 - 1.0);
    }
    let length = numbers
        .iter()
        .map(|number| number * number)
        .sum::<f32>()
        .sqrt();
    if length > 0.0 {
        numbers.iter_mut().for_each(|number| *number /= length);
    }
    numbers
}
