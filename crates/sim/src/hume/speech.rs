//! `POST /v0/tts` and its streams, of the platform that ended: paid by the character.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Value, json};

use super::error;
use crate::{
    body::Frame,
    desk::{Charge, Content, Context, Refusal, Served},
    prices::{self, Model, Terms, Tier},
    quantities::{Meter, Quantities},
    service::Service,
    sound::Format,
};

/// The one model, which no request names.
const MODEL: &str = "octave";
/// How long a character takes to say.
const MILLISECONDS_PER_CHARACTER: u64 = 20;
/// Sound goes out in pieces of this size.
const PIECE_BYTES: usize = 4_096;

/// Says texts, as JSON.
pub(super) fn whole(context: &Context<'_>) -> Result<Served, Refusal> {
    let said = Said::read(context)?;
    let generations: Vec<Value> = (0..said.generations)
        .map(|_| {
            let mut generation = said.piece(context, &said.sound(), said.milliseconds());
            generation["snippets"] = json!([]);
            generation
        })
        .collect();
    let answer = json!({"generations": generations, "request_id": context.request_id});
    Ok(Served::charged(&answer, said.charge()))
}

/// Says a text, as a file.
pub(super) fn file(context: &Context<'_>) -> Result<Served, Refusal> {
    let said = Said::read(context)?;
    let content = Content::Whole {
        content_type: said.format.content_type(),
        bytes: said.sound(),
    };
    Ok(Served::content(content, said.charge()))
}

/// Says a text piece by piece, a line of JSON each.
pub(super) fn stream(context: &Context<'_>) -> Result<Served, Refusal> {
    let said = Said::read(context)?;
    let sound = said.sound();
    let starts = (0..sound.len()).step_by(PIECE_BYTES);
    let count = starts.len();
    let frames = starts.enumerate().map(|(place, start)| {
        let piece = sound.slice(start..(start + PIECE_BYTES).min(sound.len()));
        let mut line = said.piece(context, &piece, 0);
        line["type"] = json!("audio");
        line["chunk_index"] = json!(place);
        line["is_last_chunk"] = json!(place + 1 == count);
        line["request_id"] = json!(context.request_id);
        Frame::free(format!("{line}\n"))
    });
    let content = Content::Pieces {
        content_type: "application/x-ndjson",
        frames: frames.collect(),
    };
    Ok(Served::content(content, said.charge()))
}

/// Says a text piece by piece, sound alone.
pub(super) fn stream_file(context: &Context<'_>) -> Result<Served, Refusal> {
    let said = Said::read(context)?;
    let sound = said.sound();
    let starts = (0..sound.len()).step_by(PIECE_BYTES);
    let frames =
        starts.map(|start| Frame::free(sound.slice(start..(start + PIECE_BYTES).min(sound.len()))));
    let content = Content::Pieces {
        content_type: said.format.content_type(),
        frames: frames.collect(),
    };
    Ok(Served::content(content, said.charge()))
}

/// The voices that there are.
pub(super) fn voices(_: &Context<'_>) -> Result<Served, Refusal> {
    let voice = json!({
        "id": "00000000-0000-4000-a000-000000000001", "name": "Simulated", "provider": "HUME_AI",
    });
    Ok(Served::free(&json!({
        "page_number": 0, "page_size": 1, "total_pages": 1, "voices_page": [voice],
    })))
}

/// Texts that are to be said.
struct Said {
    model: &'static Model,
    characters: u64,
    generations: u64,
    format: Format,
}

impl Said {
    fn read(context: &Context<'_>) -> Result<Self, Refusal> {
        let body = context.json()?;
        let utterances = body["utterances"].as_array().into_iter().flatten();
        let texts = utterances.map(|utterance| utterance["text"].as_str().unwrap_or_default());
        let characters = texts.map(|text| text.chars().count() as u64).sum();
        if characters == 0 {
            let message = "utterances must hold a text";
            return Err(error::invalid(Some("utterances"), message));
        }
        let asked = body["format"]["type"].as_str().unwrap_or("mp3");
        let format = Format::named(asked)
            .ok_or_else(|| error::invalid(Some("format"), "format must be mp3, wav or pcm"))?;
        let generations = body["num_generations"].as_u64().unwrap_or(1);
        if !(1..=5).contains(&generations) {
            let message = "num_generations must be 1 to 5";
            return Err(error::invalid(Some("num_generations"), message));
        }
        let model = prices::find(Service::Hume, MODEL);
        let model = model.ok_or_else(|| error::invalid(None, "there is no such model"))?;
        Ok(Self {
            model,
            characters,
            generations,
            format,
        })
    }

    const fn milliseconds(&self) -> u64 {
        self.characters * MILLISECONDS_PER_CHARACTER
    }

    fn sound(&self) -> Bytes {
        self.format.silence(self.milliseconds())
    }

    fn piece(&self, context: &Context<'_>, sound: &Bytes, milliseconds: u64) -> Value {
        let mut piece = json!({
            "audio": STANDARD.encode(sound),
            "file_size": sound.len(),
            "generation_id": context.world.ids.uuid(),
            "encoding": {"format": "mp3", "sample_rate": 48_000},
        });
        if milliseconds > 0 {
            let seconds = format!("{}.{:03}", milliseconds / 1_000, milliseconds % 1_000);
            piece["duration"] = serde_json::from_str(&seconds).unwrap_or_default();
        }
        piece
    }

    /// Each generation says the texts once more.
    fn charge(&self) -> Charge {
        let characters = self.characters * self.generations;
        Charge {
            model: self.model,
            terms: Terms::at(Tier::Default),
            quantities: Quantities::of(&[(Meter::Characters, characters)]),
        }
    }
}
