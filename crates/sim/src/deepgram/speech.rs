//! `POST /v1/speak`: sound alone, its length in a header.

use super::{error, hearing::model_id};
use crate::{
    body::Frame,
    desk::{Charge, Content, Context, Refusal, Served},
    prices::{self, Kind, Terms, Tier},
    quantities::{Meter, Quantities},
    service::Service,
    sound::Format,
};

/// The model where the request names none.
const DEFAULT_MODEL: &str = "aura-asteria-en";
/// The longest text, in characters.
const MOST_CHARACTERS: u64 = 2_000;
/// How long a character takes to say.
const MILLISECONDS_PER_CHARACTER: u64 = 20;
/// Sound goes out in pieces of this size.
const PIECE_BYTES: usize = 4_096;

/// Says a text.
pub(super) fn create(context: &Context<'_>) -> Result<Served, Refusal> {
    let body = context.json()?;
    let name = context.request.query("model").unwrap_or(DEFAULT_MODEL);
    let model = prices::find(Service::Deepgram, name)
        .filter(|model| matches!(model.kind, Kind::Speech { .. }))
        .ok_or_else(|| {
            let message = format!("No such model found: {name}.");
            error::old(400, "MODEL_NOT_FOUND", &message)
        })?;
    let text = body["text"].as_str().filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| {
        let message = "Request payload must include a non-empty `text`.";
        error::new(400, "INVALID_PAYLOAD", message)
    })?;
    let characters = text.chars().count() as u64;
    if characters > MOST_CHARACTERS {
        let message = format!("Input text exceeds maximum character limit of {MOST_CHARACTERS}.");
        return Err(error::old(413, "PAYLOAD_TOO_LARGE", &message));
    }
    let format = match context.request.query("encoding").unwrap_or("mp3") {
        "linear16" => Format::Wav,
        named => Format::named(named).ok_or_else(|| {
            let message = format!("Unsupported encoding: {named}.");
            error::old(400, "UNSUPPORTED_AUDIO_FORMAT", &message)
        })?,
    };
    let sound = format.silence(characters * MILLISECONDS_PER_CHARACTER);
    let starts = (0..sound.len()).step_by(PIECE_BYTES);
    let frames = starts
        .map(|start| Frame::free(sound.slice(start..(start + PIECE_BYTES).min(sound.len()))))
        .collect();
    let content = Content::Pieces {
        content_type: format.content_type(),
        frames,
    };
    let charge = Charge {
        model,
        terms: Terms::at(Tier::Default),
        quantities: Quantities::of(&[(Meter::Characters, characters)]),
    };
    Ok(Served::content(content, charge)
        .with("dg-char-count", characters)
        .with("dg-model-name", model.name)
        .with("dg-model-uuid", model_id(model)))
}
