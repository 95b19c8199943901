//! `POST /v1/listen`: recorded sound, the body of the request as it is.

use serde_json::{Value, json};

use super::error;
use crate::{
    desk::{Charge, Context, Refusal, Served},
    instant,
    prices::{self, Kind, Model, SURCHARGES, Terms, Tier},
    quantities::{Meter, Quantities},
    request::Request,
    service::Service,
    sound, tokens,
};

/// The model where the request names none.
pub(super) const DEFAULT_MODEL: &str = "base";
/// How long a sound is taken to be that stands behind an address.
const DISTANT_MILLISECONDS: u64 = 10_000;

/// Writes down what is said.
pub(super) fn create(context: &Context<'_>) -> Result<Served, Refusal> {
    let request = context.request;
    let model = model_of(request.query("model").unwrap_or(DEFAULT_MODEL))?;
    let (milliseconds, channels) = sound_of(context)?;
    let wants = |name: &str| wants(request, name);
    // Each channel is heard by itself, where that is asked for, and paid by itself.
    let heard = if wants("multichannel") { channels } else { 1 };
    let charge = Charge {
        model,
        terms: Terms {
            surcharge_hour: surcharge_hour(request),
            ..Terms::at(Tier::Default)
        },
        quantities: Quantities::of(&[(Meter::AudioMilliseconds, milliseconds * heard)]),
    };
    let id = context.request_id;
    if request.query("callback").is_some() {
        return Ok(Served::charged(&json!({"request_id": id}), charge));
    }
    let text = format!("the recording lasts {milliseconds} milliseconds");
    let words: Vec<Value> = text
        .split(' ')
        .enumerate()
        .map(|(place, word)| {
            json!({"word": word, "start": place, "end": place + 1, "confidence": 0.99})
        })
        .collect();
    let channel = json!({"alternatives": [{
        "transcript": text, "confidence": 0.99, "words": words,
    }]});
    let model_id = model_id(model);
    let mut metadata = json!({
        "transaction_key": "deprecated",
        "request_id": id,
        "sha256": "0".repeat(64),
        "created": instant::rfc3339(context.now()),
        "duration": seconds(milliseconds),
        "channels": heard,
        "models": [model_id.as_str()],
        "model_info": {
            model_id.as_str(): {"name": model.name, "version": "2026-10-01.0", "arch": model.name},
        },
    });
    let tags = request.query_list("tag");
    if !tags.is_empty() {
        metadata["tags"] = json!(tags);
    }
    if wants("summarize") {
        metadata["summary_info"] = json!({
            "model_uuid": model_id,
            "input_tokens": tokens::count(&text),
            "output_tokens": tokens::count(&text),
        });
    }
    let count = usize::try_from(heard).unwrap_or(1);
    let answer = json!({"metadata": metadata, "results": {"channels": vec![channel; count]}});
    Ok(Served::charged(&answer, charge)
        .with("dg-model-name", model.name)
        .with("dg-model-uuid", model_id))
}

/// Whether something is asked for in the address.
pub(super) fn wants(request: &Request, name: &str) -> bool {
    let asked = request.query(name);
    asked.is_some_and(|value| !matches!(value, "false" | ""))
}

/// What all that is asked for adds to an hour of sound, in micro-dollars.
pub(super) fn surcharge_hour(request: &Request) -> u128 {
    let wished = SURCHARGES.iter().filter(|(name, _)| wants(request, name));
    wished.map(|(_, surcharge)| surcharge).sum()
}

/// How long the sound of a request is, and of how many channels.
fn sound_of(context: &Context<'_>) -> Result<(u64, u64), Refusal> {
    let body = &context.request.body;
    let content_type = context.request.header("content-type").unwrap_or_default();
    if content_type.starts_with("application/json") {
        let asked = context.json()?;
        if !asked["url"].is_string() {
            let message = "Bad Request: failed to process audio: no url.";
            return Err(error::old(400, "Bad Request", message));
        }
        return Ok((DISTANT_MILLISECONDS, 1));
    }
    if body.is_empty() {
        let message = "Bad Request: failed to process audio: corrupt or unsupported data.";
        return Err(error::old(400, "Bad Request", message));
    }
    Ok((sound::milliseconds(body), sound::channels(body)))
}

pub(super) fn model_of(name: &str) -> Result<&'static Model, Refusal> {
    prices::find(Service::Deepgram, name)
        .filter(|model| matches!(model.kind, Kind::Hearing { .. }))
        .ok_or_else(|| {
            let message = format!("No such model/language/tier combination found: {name}.");
            error::old(400, "Bad Request", &message)
        })
}

/// The name that a version of a model has.
pub(super) fn model_id(model: &Model) -> String {
    crate::ids::uuid_of(model.name)
}

/// Milliseconds as seconds with three digits behind the point, exactly.
pub(super) fn seconds(milliseconds: u64) -> Value {
    let text = format!("{}.{:03}", milliseconds / 1_000, milliseconds % 1_000);
    serde_json::from_str(&text).unwrap_or_default()
}
