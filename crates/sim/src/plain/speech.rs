//! Texts that are said: sound alone, or events with sound. Nothing says what it costs.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;

use super::{error, prompt::model_of};
use crate::{
    body::Frame,
    desk::{Charge, Content, Context, Refusal, Served},
    prices::{Kind, Model, Terms, Tier},
    quantities::{Meter, Quantities},
    service::Service,
    sound::Format,
};

/// How long a character takes to say.
const MILLISECONDS_PER_CHARACTER: u64 = 20;
/// Sound goes out in pieces of this size.
const PIECE_BYTES: usize = 4_096;

struct Said {
    model: &'static Model,
    characters: u64,
}

fn read(context: &Context<'_>) -> Result<Said, Refusal> {
    let body = context.json()?;
    let service = context.service();
    let (name, field) = match service {
        Service::Cartesia => ("model_id", "transcript"),
        _ => ("model", "input"),
    };
    let model = model_of(context, body[name].as_str(), |kind| {
        matches!(kind, Kind::Speech { .. })
    })?;
    let text = body[field].as_str().filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| error::missing(service, field))?;
    Ok(Said {
        model,
        characters: text.chars().count() as u64,
    })
}

impl Said {
    fn charge(&self) -> Charge {
        Charge {
            model: self.model,
            terms: Terms::at(Tier::Default),
            quantities: Quantities::of(&[(Meter::Characters, self.characters)]),
        }
    }

    fn sound(&self, format: Format) -> bytes::Bytes {
        format.silence(self.characters * MILLISECONDS_PER_CHARACTER)
    }
}

/// Says a text.
pub(super) fn whole(context: &Context<'_>) -> Result<Served, Refusal> {
    let said = read(context)?;
    let sound = said.sound(Format::Wav);
    let starts = (0..sound.len()).step_by(PIECE_BYTES);
    let frames =
        starts.map(|start| Frame::free(sound.slice(start..(start + PIECE_BYTES).min(sound.len()))));
    let content = Content::Pieces {
        content_type: Format::Wav.content_type(),
        frames: frames.collect(),
    };
    Ok(Served::content(content, said.charge()))
}

/// Says a text in events.
pub(super) fn events(context: &Context<'_>) -> Result<Served, Refusal> {
    let said = read(context)?;
    let sound = said.sound(Format::Pcm);
    let mut frames: Vec<Frame> = sound
        .chunks(PIECE_BYTES)
        .map(|piece| {
            let body = json!({
                "type": "chunk", "data": STANDARD.encode(piece), "done": false,
                "status_code": 206,
            });
            Frame::free(format!("event: chunk\ndata: {body}\n\n"))
        })
        .collect();
    let done = json!({"type": "done", "done": true, "status_code": 200});
    frames.push(Frame::free(format!("event: done\ndata: {done}\n\n")));
    let service = context.service();
    let failure = Box::new(move |_: &_| {
        let body = error::body(service, 500, "internal_error", "The voice failed.");
        bytes::Bytes::from(format!("event: error\ndata: {body}\n\n"))
    });
    let content = Content::Events { frames, failure };
    Ok(Served::content(content, said.charge()))
}
