//! `POST /v1/text-to-speech/{voice}`, whole and streamed: sound alone, its price in a header.

use bytes::Bytes;

use super::error;
use crate::{
    body::Frame,
    desk::{Charge, Content, Context, Refusal, Served},
    prices::{self, Kind, Model, Terms, Tier},
    quantities::{Meter, Quantities},
    service::Service,
    sound::Format,
};

/// The model where the request names none.
const DEFAULT_MODEL: &str = "eleven_multilingual_v2";
/// How long a character takes to say.
pub(super) const MILLISECONDS_PER_CHARACTER: u64 = 20;
/// Sound goes out in pieces of this size.
const PIECE_BYTES: usize = 4_096;

/// Says a text.
pub(super) fn whole(context: &Context<'_>) -> Result<Served, Refusal> {
    let said = Said::read(context)?;
    let content = Content::Whole {
        content_type: said.format.content_type(),
        bytes: said.sound(),
    };
    said.serve(context, content)
}

/// Says a text piece by piece.
pub(super) fn stream(context: &Context<'_>) -> Result<Served, Refusal> {
    let said = Said::read(context)?;
    let sound = said.sound();
    let starts = (0..sound.len()).step_by(PIECE_BYTES);
    let frames = starts
        .map(|start| Frame::free(sound.slice(start..(start + PIECE_BYTES).min(sound.len()))))
        .collect();
    let content = Content::Pieces {
        content_type: said.format.content_type(),
        frames,
    };
    said.serve(context, content)
}

/// A text that is to be said.
struct Said {
    model: &'static Model,
    characters: u64,
    format: Format,
}

impl Said {
    fn read(context: &Context<'_>) -> Result<Self, Refusal> {
        let body = context.json()?;
        let text = body["text"]
            .as_str()
            .ok_or_else(|| error::missing("text"))?;
        if text.is_empty() {
            let message = "Text must not be empty.";
            return Err(error::make(400, "text_empty", message));
        }
        Ok(Self {
            model: model_of(body["model_id"].as_str())?,
            characters: text.chars().count() as u64,
            format: format_of(context.request.query("output_format"))?,
        })
    }

    fn sound(&self) -> Bytes {
        self.format
            .silence(self.characters * MILLISECONDS_PER_CHARACTER)
    }

    fn serve(&self, context: &Context<'_>, content: Content) -> Result<Served, Refusal> {
        let credits = credits(self.model, self.characters);
        if !context
            .world
            .keys
            .spend(Service::Elevenlabs, &context.key.id, credits)
        {
            let message = "This request exceeds the character limit of the API key.";
            return Err(error::make(401, "quota_exceeded", message));
        }
        *context
            .world
            .elevenlabs
            .credits
            .lock()
            .entry(context.organization().to_owned())
            .or_default() += credits;
        let charge = Charge {
            model: self.model,
            terms: Terms::at(Tier::Default),
            quantities: Quantities::of(&[
                (Meter::Characters, self.characters),
                (Meter::Credits, credits),
            ]),
        };
        Ok(Served::content(content, charge)
            .with("character-cost", credits)
            .with("x-character-count", self.characters)
            .with("history-item-id", context.world.ids.fresh("")))
    }
}

/// Half a credit a character with the fast models, else one; half a credit is a whole one.
pub(super) fn credits(model: &Model, characters: u64) -> u64 {
    if model.name.contains("flash") || model.name.contains("turbo") {
        characters.div_ceil(2)
    } else {
        characters
    }
}

pub(super) fn model_of(named: Option<&str>) -> Result<&'static Model, Refusal> {
    let name = named.unwrap_or(DEFAULT_MODEL);
    prices::find(Service::Elevenlabs, name)
        .filter(|model| matches!(model.kind, Kind::Speech { .. }))
        .ok_or_else(|| {
            let message = format!("A model with model ID {name} does not exist.");
            error::make(400, "model_not_found", &message)
        })
}

/// `mp3_44100_128` and the like.
pub(super) fn format_of(asked: Option<&str>) -> Result<Format, Refusal> {
    let asked = asked.unwrap_or("mp3_44100_128");
    let codec = asked.split('_').next().unwrap_or_default();
    Format::named(codec).ok_or_else(|| {
        let message = format!("Input should be an output format, not '{asked}'");
        error::invalid("output_format", "enum", &message)
    })
}
