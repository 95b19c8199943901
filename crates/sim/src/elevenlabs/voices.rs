//! `GET /v1/voices`.

use serde_json::json;

use crate::desk::{Context, Refusal, Served};

/// The voices that everybody has. Every other name is taken for a voice too.
pub(super) fn list(_: &Context<'_>) -> Result<Served, Refusal> {
    let voice = |id: &str, name: &str| {
        json!({
            "voice_id": id, "name": name, "category": "premade", "labels": {}, "samples": null,
        })
    };
    let voices = json!([voice("voice_sim_one", "One"), voice("voice_sim_two", "Two")]);
    Ok(Served::free(&json!({"voices": voices})))
}
