//! `POST /v1/speech-to-text`.

use serde_json::{Value, json};

use super::{error, token};
use crate::{
    desk::{Charge, Context, Refusal, Served},
    prices::{self, Kind, Terms, Tier},
    quantities::{Meter, Quantities},
    service::Service,
    sound,
};

/// Writes down what is said.
pub(super) fn create(context: &Context<'_>) -> Result<Served, Refusal> {
    let form = context.form()?;
    let name = form.text("model_id");
    let name = name.ok_or_else(|| error::missing("model_id"))?;
    let model = prices::find(Service::Elevenlabs, name)
        .filter(|model| matches!(model.kind, Kind::Hearing { .. }))
        .ok_or_else(|| {
            let message = format!("'{name}' is not a valid model_id.");
            error::make(400, "invalid_model_id", &message)
        })?;
    let file = form.part("file").ok_or_else(|| error::missing("file"))?;
    if file.bytes.is_empty() {
        let message = "The uploaded file is empty.";
        return Err(error::make(400, "empty_file", message));
    }
    token::consume(context);
    let milliseconds = sound::milliseconds(file.bytes);
    let name = file.file_name.as_deref().unwrap_or("the recording");
    let text = format!("{name} lasts {milliseconds} milliseconds.");
    let words: Vec<Value> = text
        .split(' ')
        .enumerate()
        .map(|(place, word)| {
            json!({
                "text": word, "type": "word", "start": place, "end": place + 1, "logprob": 0.0,
            })
        })
        .collect();
    let answer = json!({
        "language_code": "eng",
        "language_probability": 0.98,
        "text": text,
        "words": words,
        "transcription_id": context.world.ids.fresh(""),
        "audio_duration_secs": seconds(milliseconds),
    });
    let charge = Charge {
        model,
        terms: Terms::at(Tier::Default),
        quantities: Quantities::of(&[(Meter::AudioMilliseconds, milliseconds)]),
    };
    Ok(Served::charged(&answer, charge))
}

/// Milliseconds as seconds with three digits behind the point, exactly.
fn seconds(milliseconds: u64) -> Value {
    let text = format!("{}.{:03}", milliseconds / 1_000, milliseconds % 1_000);
    serde_json::from_str(&text).unwrap_or_default()
}
