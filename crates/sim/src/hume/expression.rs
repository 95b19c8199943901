//! `POST /v1/expression/{audio,video}/file`: how somebody sounds and looks, paid by the second of
//! it, ten seconds at least.

use serde_json::json;

use super::{
    error,
    runs::{Of, Run},
};
use crate::{
    desk::{Charge, Context, Refusal, Served},
    prices::{self, Terms, Tier},
    quantities::{Meter, Quantities},
    service::Service,
    sound,
};

/// The least that a run is paid for.
const LEAST_MILLISECONDS: u64 = 10_000;

/// Listens.
pub(super) fn audio(context: &Context<'_>) -> Result<Served, Refusal> {
    measure(context, "expression-audio")
}

/// Listens and looks.
pub(super) fn video(context: &Context<'_>) -> Result<Served, Refusal> {
    measure(context, "expression-video")
}

/// What is paid for so much sound.
pub(super) fn metered(milliseconds: u64) -> u64 {
    milliseconds.max(LEAST_MILLISECONDS)
}

fn measure(context: &Context<'_>, model: &str) -> Result<Served, Refusal> {
    let model = prices::find(Service::Hume, model);
    let model = model.ok_or_else(|| error::invalid(None, "there is no such model"))?;
    let form = context.form()?;
    let file = form.part("file").filter(|file| !file.bytes.is_empty());
    let file = file.ok_or_else(|| error::invalid(Some("file"), "file is missing"))?;
    let milliseconds = sound::milliseconds(file.bytes);
    let paid = metered(milliseconds);
    let run = Run::done(context, Of::Expression, file.bytes.len() as u64, paid);
    let answer = json!({
        "run_id": run.id,
        "received": {"audio_duration_ms": milliseconds},
        "predictions": [],
        "request_id": context.request_id,
    });
    context.world.hume.put(run);
    let charge = Charge {
        model,
        terms: Terms::at(Tier::Default),
        quantities: Quantities::of(&[(Meter::AudioMilliseconds, paid)]),
    };
    Ok(Served::charged(&answer, charge))
}
