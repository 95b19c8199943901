//! `POST /images/generations`.

use serde_json::{Value, json};

use super::{
    context::{Charge, Content, Context, Served, model_of},
    error::{self, Refusal},
    speech, sse,
};
use crate::{
    body::Frame,
    prices::{Kind, Terms},
    quantities::{Meter, Quantities},
    tokens,
};

/// A picture of one transparent pixel (PNG).
const PIXEL: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// Draws.
pub(super) fn create(context: &Context<'_>) -> Result<Served, Refusal> {
    let body = context.json()?;
    let model = model_of(context, body["model"].as_str(), |kind| kind == Kind::Image)?;
    let prompt = body["prompt"].as_str().filter(|prompt| !prompt.is_empty());
    let prompt = prompt.ok_or_else(|| error::missing("prompt"))?;
    let pictures = body["n"].as_u64().unwrap_or(1);
    if !(1..=10).contains(&pictures) {
        return Err(error::invalid(
            "n",
            "invalid_value",
            "Invalid 'n': expected 1 to 10.",
        ));
    }
    let size = body["size"]
        .as_str()
        .filter(|size| *size != "auto")
        .unwrap_or("1024x1024");
    let quality = body["quality"]
        .as_str()
        .filter(|quality| *quality != "auto");
    let quality = quality.unwrap_or("medium");
    let each = picture_tokens(size, quality)?;
    let input = tokens::count(prompt);
    let output = each * pictures;
    let usage = json!({
        "input_tokens": input,
        "input_tokens_details": {"text_tokens": input, "image_tokens": 0},
        "output_tokens": output,
        "output_tokens_details": {"text_tokens": 0, "image_tokens": output},
        "total_tokens": input + output,
    });
    let mut about = json!({
        "created": context.now(),
        "background": "opaque",
        "output_format": "png",
        "quality": quality,
        "size": size,
        "usage": usage,
    });
    let quantities = Quantities::of(&[(Meter::InputTokens, tokens::count(prompt))]);
    let mut charge = Charge {
        model,
        terms: Terms::at(model.served_at(None, 0)),
        quantities,
    };
    let counts = |pictures: u64| {
        let drawn = each * pictures;
        vec![
            (Meter::OutputTokens, drawn),
            (Meter::OutputImageTokens, drawn),
            (Meter::Images, pictures),
        ]
    };
    if body["stream"].as_bool() == Some(true) {
        if pictures > 1 {
            let message = "Only one image can be streamed.";
            return Err(error::invalid("n", "invalid_value", message));
        }
        about["type"] = json!("image_generation.completed");
        about["created_at"] = about["created"].clone();
        about["b64_json"] = json!(PIXEL);
        let frames = vec![Frame {
            bytes: sse::typed(&about),
            counts: counts(1),
        }];
        let content = Content::Events {
            frames,
            failure: speech::failure(),
        };
        return Ok(Served::content(content, charge));
    }
    charge.quantities.add_all(&counts(pictures));
    let data: Vec<Value> = (0..pictures).map(|_| json!({"b64_json": PIXEL})).collect();
    about["data"] = Value::from(data);
    Ok(Served::charged(&about, charge))
}

/// What one picture counts, by size and quality.
fn picture_tokens(size: &str, quality: &str) -> Result<u64, Refusal> {
    let square = match size {
        "1024x1024" => true,
        "1024x1536" | "1536x1024" => false,
        _ => {
            return Err(error::invalid("size", "invalid_value", "Invalid 'size'."));
        }
    };
    Ok(match (quality, square) {
        ("low", true) => 272,
        ("low", false) => 408,
        ("medium", true) => 1_056,
        ("medium", false) => 1_584,
        ("high", true) => 4_160,
        ("high", false) => 6_240,
        _ => {
            return Err(error::invalid(
                "quality",
                "invalid_value",
                "Invalid 'quality'.",
            ));
        }
    })
}
