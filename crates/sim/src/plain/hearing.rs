//! Recorded sound: heard at once, or later.

use serde_json::{Value, json};

use super::{error, prompt::model_of};
use crate::{
    desk::{Charge, Context, Refusal, Served},
    prices::{Kind, Terms, Tier},
    quantities::{Meter, Quantities},
    service::Service,
    sound,
};

/// How long a sound is taken to be that stands behind an address.
const DISTANT_MILLISECONDS: u64 = 10_000;
/// The model where a request names none.
const DEFAULT_MODEL: &str = "universal-2";

/// `POST …/audio/transcriptions`
pub(super) fn transcribe(context: &Context<'_>) -> Result<Served, Refusal> {
    let form = context.form()?;
    let model = model_of(context, form.text("model"), |kind| {
        matches!(kind, Kind::Hearing { .. })
    })?;
    let file = form.part("file").filter(|file| !file.bytes.is_empty());
    let file = file.ok_or_else(|| error::missing(context.service(), "file"))?;
    let milliseconds = sound::milliseconds(file.bytes);
    let text = format!("the sound lasts {milliseconds} milliseconds");
    let mut answer = json!({"text": text});
    if context.service() == Service::Mistral {
        answer["model"] = json!(model.answers_as);
        answer["usage"] = json!({
            "prompt_audio_seconds": seconds(milliseconds), "prompt_tokens": 4,
            "completion_tokens": 8, "total_tokens": 12,
        });
    }
    let charge = Charge {
        model,
        terms: Terms::at(Tier::Default),
        quantities: Quantities::of(&[(Meter::AudioMilliseconds, milliseconds)]),
    };
    Ok(Served::charged(&answer, charge))
}

/// `POST /v2/transcript`: the work is done after the answer, and paid.
pub(super) fn begin(context: &Context<'_>) -> Result<Served, Refusal> {
    let body = context.json()?;
    if !body["audio_url"].is_string() {
        return Err(error::missing(Service::Assemblyai, "audio_url"));
    }
    let named = body["speech_model"]
        .as_str()
        .or_else(|| body["speech_models"][0].as_str());
    let model = model_of(context, Some(named.unwrap_or(DEFAULT_MODEL)), |kind| {
        matches!(kind, Kind::Hearing { .. })
    })?;
    let charge = Charge {
        model,
        terms: Terms::at(Tier::Default),
        quantities: Quantities::of(&[(Meter::AudioMilliseconds, DISTANT_MILLISECONDS)]),
    };
    let answer = json!({
        "id": context.request_id, "status": "queued", "audio_duration": null,
        "speech_model": model.name,
    });
    Ok(Served::charged(&answer, charge))
}

/// `GET /v2/transcript/{id}`
pub(super) fn retrieve(context: &Context<'_>) -> Result<Served, Refusal> {
    let id = context.part(0);
    let mut known = false;
    context.world.bill.for_each(Service::Assemblyai, |call| {
        known |= call.request_id == id && call.key_id == context.key.id;
    });
    if !known {
        let message = "Transcript lookup error, transcript id not found";
        return Err(error::make(Service::Assemblyai, 400, "not_found", message));
    }
    Ok(Served::free(&json!({
        "id": id, "status": "completed", "text": "the recording",
        "audio_duration": DISTANT_MILLISECONDS / 1_000,
    })))
}

/// `GET /v2/transcript`
pub(super) fn list(context: &Context<'_>) -> Result<Served, Refusal> {
    let mut transcripts = Vec::new();
    context.world.bill.for_each(Service::Assemblyai, |call| {
        if call.key_id == context.key.id {
            transcripts.push(json!({"id": call.request_id, "status": "completed"}));
        }
    });
    let count = transcripts.len();
    Ok(Served::free(&json!({
        "page_details": {"result_count": count}, "transcripts": transcripts,
    })))
}

/// `POST /v2/upload`
pub(super) fn upload(context: &Context<'_>) -> Result<Served, Refusal> {
    let id = context.world.ids.fresh("");
    Ok(Served::free(
        &json!({"upload_url": format!("https://cdn.example/upload/{id}")}),
    ))
}

fn seconds(milliseconds: u64) -> Value {
    let text = format!("{}.{:03}", milliseconds / 1_000, milliseconds % 1_000);
    serde_json::from_str(&text).unwrap_or_default()
}

// A default that is in no price list would be found by nobody.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::prices;

    #[test]
    fn the_usual_model_has_a_price() {
        assert!(prices::find(Service::Assemblyai, DEFAULT_MODEL).is_some());
    }
}
