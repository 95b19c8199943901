//! `GET /v0/evi/chat` as a WebSocket, of the platform that ended: somebody to talk to, paid by the
//! time.
//!
//! A chat lasts as long as the sound that was sent, or as far as the judge moved the clock
//! meanwhile, whichever is more: so that nobody has to wait, and a count can be worked out.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
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
    socket::{Message, Said, Talk},
    sound::{self, Format},
    world::World,
};

/// The one model, which no request names.
const MODEL: &str = "evi";
/// How long a character takes to say.
const MILLISECONDS_PER_CHARACTER: u64 = 20;

/// Begins a chat.
pub(super) fn open(context: &Context<'_>) -> Result<Served, Refusal> {
    let model = prices::find(Service::Hume, MODEL);
    let model = model.ok_or_else(|| error::invalid(None, "there is no such model"))?;
    let run = Run {
        ended_at: None,
        ..Run::done(context, Of::Chat, 0, 0)
    };
    let chat = Chat {
        world: Arc::clone(context.world),
        id: run.id.clone(),
        group_id: context.world.ids.uuid(),
        request_id: context.request_id.to_owned(),
        moved_at_start: context.world.clock.moved_seconds(),
        heard_milliseconds: 0,
        answers: 0,
    };
    context.world.hume.put(run);
    let charge = Charge {
        model,
        terms: Terms::at(Tier::Default),
        quantities: Quantities::of(&[]),
    };
    Ok(Served::conversation(chat, charge))
}

/// The chats that there were.
pub(super) fn list(context: &Context<'_>) -> Result<Served, Refusal> {
    let chats = context.world.hume.list(Of::Chat, context.organization());
    let page: Vec<Value> = chats.iter().map(view).collect();
    Ok(Served::free(&json!({
        "page_number": 0, "page_size": page.len(), "total_pages": 1, "chats_page": page,
    })))
}

/// One of them.
pub(super) fn retrieve(context: &Context<'_>) -> Result<Served, Refusal> {
    let chats = context.world.hume.list(Of::Chat, context.organization());
    let chat = chats.iter().find(|chat| chat.id == context.part(0));
    let chat = chat.ok_or_else(|| error::make(404, "not_found", "There is no such chat."))?;
    Ok(Served::free(&view(chat)))
}

fn view(chat: &Run) -> Value {
    let milliseconds = |seconds: i64| seconds * 1_000;
    json!({
        "id": chat.id,
        "status": if chat.ended_at.is_some() { "USER_ENDED" } else { "ACTIVE" },
        "start_timestamp": milliseconds(chat.started_at),
        "end_timestamp": chat.ended_at.map(milliseconds),
    })
}

struct Chat {
    world: Arc<World>,
    id: String,
    group_id: String,
    request_id: String,
    moved_at_start: i64,
    heard_milliseconds: u64,
    answers: u64,
}

impl Chat {
    fn milliseconds(&self) -> u64 {
        let moved = self.world.clock.moved_seconds() - self.moved_at_start;
        let moved = u64::try_from(moved).unwrap_or(0) * 1_000;
        moved.max(self.heard_milliseconds)
    }

    fn answer(&mut self, question: &str, by_voice: bool) -> Vec<Said> {
        self.answers += 1;
        let text = format!("You said “{question}”.");
        let sound = Format::Wav.silence(text.chars().count() as u64 * MILLISECONDS_PER_CHARACTER);
        let id = format!("{}-{}", self.id, self.answers);
        vec![
            Said::json(&json!({
                "type": "user_message", "from_text": !by_voice, "interim": false,
                "message": {"role": "user", "content": question},
                "models": {}, "time": {"begin": 0, "end": self.heard_milliseconds},
            })),
            Said::json(&json!({
                "type": "assistant_message", "id": id, "from_text": false,
                "message": {"role": "assistant", "content": text}, "models": {},
            })),
            Said::json(&json!({
                "type": "audio_output", "id": id, "index": 0, "data": STANDARD.encode(sound),
            })),
            Said::json(&json!({"type": "assistant_end"})),
        ]
    }
}

impl Talk for Chat {
    fn open(&mut self) -> Vec<Said> {
        vec![Said::json(&json!({
            "type": "chat_metadata", "chat_id": self.id, "chat_group_id": self.group_id,
            "request_id": self.request_id,
        }))]
    }

    fn heard(&mut self, message: Message) -> Vec<Said> {
        let asked: Value = match &message {
            Message::Text(text) => serde_json::from_str(text).unwrap_or_default(),
            Message::Binary(_) => Value::Null,
        };
        match asked["type"].as_str() {
            Some("user_input") => {
                let question = asked["text"].as_str().unwrap_or_default().to_owned();
                self.answer(&question, false)
            }
            Some("audio_input") => {
                let sound = asked["data"].as_str();
                let Some(sound) = sound.and_then(|data| STANDARD.decode(data).ok()) else {
                    return self.mistake("data must be base64");
                };
                let milliseconds = sound::milliseconds(&sound);
                self.heard_milliseconds += milliseconds;
                self.answer(&format!("sound of {milliseconds} milliseconds"), true)
            }
            Some(
                "session_settings"
                | "assistant_input"
                | "pause_assistant_message"
                | "resume_assistant_message"
                | "tool_response"
                | "tool_error",
            ) => Vec::new(),
            _ => self.mistake("the message is unknown"),
        }
    }

    fn left(&mut self) -> Vec<(Meter, u64)> {
        let (lasted, now) = (self.milliseconds(), self.world.clock.now());
        self.world.hume.change(&self.id, |chat| {
            chat.ended_at = Some(now);
            chat.metered = lasted;
            chat.close_code = Some(1000);
        });
        vec![(Meter::AudioMilliseconds, lasted)]
    }

    fn failure(&mut self) -> Message {
        Message::Text(error_message(
            "I0100",
            "internal_error",
            "The service failed.",
        ))
    }
}

impl Chat {
    fn mistake(&self, message: &str) -> Vec<Said> {
        let body = error_message("E0101", "invalid_input", message);
        vec![Said::message(Message::Text(body))]
    }
}

fn error_message(code: &str, slug: &str, message: &str) -> String {
    json!({"type": "error", "code": code, "slug": slug, "message": message}).to_string()
}
