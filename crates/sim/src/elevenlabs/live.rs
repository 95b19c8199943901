//! `GET /v1/text-to-speech/{voice}/stream-input` as a WebSocket: a text that is said while it is
//! being written.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::sync::Arc;

use super::{
    speech::{MILLISECONDS_PER_CHARACTER, credits, format_of, model_of},
    token,
};
use crate::{
    desk::{Charge, Context, Refusal, Served},
    keys::Key,
    prices::{Model, Terms, Tier},
    quantities::{Meter, Quantities},
    service::Service,
    socket::{Message, Said, Talk},
    sound::Format,
    world::World,
};

/// So many characters are said without being asked for.
const ENOUGH_CHARACTERS: usize = 120;
/// So many are said when it is tried.
const TRY_CHARACTERS: usize = 50;

/// Begins to read.
pub(super) fn open(context: &Context<'_>) -> Result<Served, Refusal> {
    let request = context.request;
    let model = model_of(request.query("model_id"))?;
    let format = format_of(request.query("output_format"))?;
    token::consume(context);
    let live = Live {
        world: Arc::clone(context.world),
        key: context.key.clone(),
        model,
        format,
        begun: false,
        waiting: String::new(),
    };
    let charge = Charge {
        model,
        terms: Terms::at(Tier::Default),
        quantities: Quantities::of(&[]),
    };
    Ok(Served::conversation(live, charge))
}

struct Live {
    world: Arc<World>,
    key: Key,
    model: &'static Model,
    format: Format,
    /// The first message has come.
    begun: bool,
    /// What has not been said yet.
    waiting: String,
}

impl Live {
    fn say(&mut self) -> Option<Said> {
        let text = std::mem::take(&mut self.waiting);
        let characters = text.chars().count() as u64;
        if characters == 0 {
            return None;
        }
        let credits = credits(self.model, characters);
        if !self
            .world
            .keys
            .spend(Service::Elevenlabs, &self.key.id, credits)
        {
            let body = json!({
                "message": "This request exceeds the character limit of the API key.",
                "error": "quota_exceeded",
                "code": 1008,
            });
            return Some(Said::json(&body));
        }
        *self
            .world
            .elevenlabs
            .credits
            .lock()
            .entry(self.key.organization_id.clone())
            .or_default() += credits;
        let sound = self.format.silence(characters * MILLISECONDS_PER_CHARACTER);
        let letters: Vec<String> = text.chars().map(String::from).collect();
        let starts: Vec<u64> = (0..characters)
            .map(|place| place * MILLISECONDS_PER_CHARACTER)
            .collect();
        let lasts = vec![MILLISECONDS_PER_CHARACTER; letters.len()];
        let alignment = json!({
            "chars": letters, "charStartTimesMs": starts, "charDurationsMs": lasts,
        });
        let body = json!({
            "audio": STANDARD.encode(&sound),
            "isFinal": null,
            "normalizedAlignment": alignment,
            "alignment": alignment,
        });
        let counts = [(Meter::Characters, characters), (Meter::Credits, credits)];
        Some(Said::json(&body).billed(counts))
    }
}

impl Talk for Live {
    fn open(&mut self) -> Vec<Said> {
        Vec::new()
    }

    fn heard(&mut self, message: Message) -> Vec<Said> {
        let asked: Value = match &message {
            Message::Text(text) => serde_json::from_str(text).unwrap_or_default(),
            Message::Binary(_) => Value::Null,
        };
        let Some(text) = asked["text"].as_str() else {
            let body = json!({
                "message": "The message must hold a text.", "error": "invalid_message",
                "code": 1008,
            });
            return vec![Said::json(&body), Said::close(1008, "invalid_message")];
        };
        // The first message is a blank with the settings.
        let opens = !std::mem::replace(&mut self.begun, true) && text == " ";
        if opens {
            return Vec::new();
        }
        if text.is_empty() {
            let mut said: Vec<Said> = self.say().into_iter().collect();
            said.push(Said::json(&json!({"isFinal": true})));
            said.push(Said::close(1000, ""));
            return said;
        }
        self.waiting.push_str(text);
        let waiting = self.waiting.chars().count();
        let tries = asked["try_trigger_generation"] == true && waiting >= TRY_CHARACTERS;
        if asked["flush"] == true || tries || waiting >= ENOUGH_CHARACTERS {
            return self.say().into_iter().collect();
        }
        Vec::new()
    }

    fn failure(&mut self) -> Message {
        let body = json!({
            "message": "We are currently experiencing heavy traffic.", "error": "system_busy",
            "code": 1011,
        });
        Message::Text(body.to_string())
    }
}
