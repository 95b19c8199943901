//! `POST /v0/decisions/file`: questions about a recording. What goes in is paid, answers are free.
//!
//! Only `received.input_tokens` of the answer is documented; the rest is a guess.

use serde_json::{Value, json};

use super::{
    error,
    runs::{Of, Run},
};
use crate::{
    desk::{Charge, Context, Refusal, Served},
    prices::{self, Terms, Tier},
    quantities::{Meter, Quantities},
    service::Service,
    sound, tokens,
};

/// The one model, which no request names.
const MODEL: &str = "audio-decisions";
/// How long a token of sound lasts.
const TOKEN_MILLISECONDS: u64 = 100;

/// Decides.
pub(super) fn create(context: &Context<'_>) -> Result<Served, Refusal> {
    let asked = Asked::read(context)?;
    let model = prices::find(Service::Hume, MODEL);
    let model = model.ok_or_else(|| error::invalid(None, "there is no such model"))?;
    let bytes = context.request.body.len() as u64;
    let run = Run::done(context, Of::Decision, bytes, asked.tokens);
    let answer = json!({
        "id": run.id,
        "received": {"input_tokens": asked.tokens},
        "decisions": asked.questions.as_array().map_or(1, Vec::len),
        "request_id": context.request_id,
    });
    context.world.hume.put(run);
    let charge = Charge {
        model,
        terms: Terms::at(Tier::Default),
        quantities: Quantities::of(&[(Meter::InputTokens, asked.tokens)]),
    };
    Ok(Served::charged(&answer, charge))
}

/// Says what it would be, for nothing.
pub(super) fn count(context: &Context<'_>) -> Result<Served, Refusal> {
    let asked = Asked::read(context)?;
    Ok(Served::free(&json!({"input_tokens": asked.tokens})))
}

struct Asked {
    questions: Value,
    tokens: u64,
}

impl Asked {
    fn read(context: &Context<'_>) -> Result<Self, Refusal> {
        let form = context.form()?;
        let file = form.part("file").filter(|file| !file.bytes.is_empty());
        let file = file.ok_or_else(|| error::invalid(Some("file"), "file is missing"))?;
        let text = form.text("decisions").unwrap_or_default();
        let heard = sound::milliseconds(file.bytes).div_ceil(TOKEN_MILLISECONDS);
        Ok(Self {
            questions: serde_json::from_str(text).unwrap_or_default(),
            tokens: heard + tokens::count(text),
        })
    }
}
