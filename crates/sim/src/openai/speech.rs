//! `POST /audio/speech`: sound, or events with sound in them.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::json;

use super::{
    context::{Charge, Content, Context, Served, model_of},
    error::{self, Refusal},
    sse,
};
use crate::{
    body::Frame,
    prices::{Kind, Terms},
    quantities::{Meter, Quantities},
    sound::Format,
    tokens,
};

/// The longest text, in characters.
const MOST_CHARACTERS: u64 = 4_096;
/// How long a character takes to say.
const MILLISECONDS_PER_CHARACTER: u64 = 20;
/// Sound in a token.
const MILLISECONDS_PER_TOKEN: u64 = 50;
/// Sound goes out in pieces of this size.
const PIECE_BYTES: usize = 4_096;

/// Says a text.
pub(super) fn create(context: &Context<'_>) -> Result<Served, Refusal> {
    let body = context.json()?;
    let model = model_of(context, body["model"].as_str(), |kind| {
        matches!(kind, Kind::Speech { .. })
    })?;
    let text = body["input"].as_str().filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| error::missing("input"))?;
    if body["voice"].is_null() {
        return Err(error::missing("voice"));
    }
    let characters = text.chars().count() as u64;
    if characters > MOST_CHARACTERS {
        let message = format!("Invalid 'input': at most {MOST_CHARACTERS} characters.");
        return Err(error::invalid("input", "string_above_max_length", message));
    }
    let format = body["response_format"].as_str().unwrap_or("mp3");
    let format = Format::named(format).ok_or_else(|| {
        error::invalid(
            "response_format",
            "invalid_value",
            "Invalid 'response_format'.",
        )
    })?;
    let by_token = model.kind == Kind::Speech { by_token: true };
    let events = body["stream_format"] == "sse";
    if events && !by_token {
        let message = "This model does not support 'stream_format' 'sse'.";
        return Err(error::invalid(
            "stream_format",
            "unsupported_value",
            message,
        ));
    }
    let milliseconds = characters * MILLISECONDS_PER_CHARACTER;
    let sound = format.silence(milliseconds);
    let instructions = body["instructions"].as_str().unwrap_or_default();
    let input_tokens = tokens::count(text) + tokens::count(instructions);
    let output_tokens = milliseconds.div_ceil(MILLISECONDS_PER_TOKEN);
    let (quantities, pieces) = if by_token {
        let quantities = Quantities::of(&[(Meter::InputTokens, input_tokens)]);
        (quantities, pieces(&sound, output_tokens))
    } else {
        (
            Quantities::of(&[(Meter::Characters, characters)]),
            pieces(&sound, 0),
        )
    };
    let charge = Charge {
        model,
        terms: Terms::at(model.served_at(None, 0)),
        quantities,
    };
    if !events {
        let content = Content::Pieces {
            content_type: format.content_type(),
            frames: pieces,
        };
        return Ok(Served::content(content, charge));
    }
    let mut frames: Vec<Frame> = pieces
        .into_iter()
        .map(|piece| {
            let audio = STANDARD.encode(&piece.bytes);
            let event = json!({"type": "speech.audio.delta", "audio": audio});
            Frame {
                bytes: sse::data(&event),
                ..piece
            }
        })
        .collect();
    let done = json!({"type": "speech.audio.done", "usage": {
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "total_tokens": input_tokens + output_tokens,
    }});
    frames.push(Frame::free(sse::data(&done)));
    Ok(Served::content(
        Content::Events {
            frames,
            failure: failure(),
        },
        charge,
    ))
}

/// The event with which a stream of sound or of its text fails.
pub(super) fn failure() -> super::context::Failure {
    Box::new(|_| {
        let message = "The server had an error while processing your request.";
        sse::data(&json!({"type": "error", "error": {
            "message": message, "type": "server_error", "param": null, "code": "server_error",
        }}))
    })
}

/// Sound in pieces, each with its share of the tokens, rounded down; the last has the rest.
fn pieces(sound: &Bytes, tokens: u64) -> Vec<Frame> {
    let size = sound.len().max(1) as u64;
    let mut frames = Vec::new();
    let (mut start, mut counted) = (0, 0);
    while start < sound.len() {
        let end = (start + PIECE_BYTES).min(sound.len());
        let due = tokens * end as u64 / size;
        let share = due - counted;
        let counts = vec![
            (Meter::OutputTokens, share),
            (Meter::OutputAudioTokens, share),
        ];
        frames.push(Frame {
            bytes: sound.slice(start..end),
            counts,
        });
        (start, counted) = (end, due);
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pieces_carry_every_byte_and_every_token() {
        let sound = Bytes::from(vec![7; 10_000]);
        let frames = pieces(&sound, 31);
        let bytes: Vec<u8> = frames
            .iter()
            .flat_map(|frame| frame.bytes.to_vec())
            .collect();
        assert_eq!(bytes, sound);
        let tokens: u64 = frames.iter().map(|frame| frame.counts[0].1).sum();
        assert_eq!(tokens, 31);
    }
}
