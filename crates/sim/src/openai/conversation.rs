//! `GET /realtime` as a WebSocket: a model that hears, reads, speaks and writes.
//!
//! Each answer reads everything that was said before it; what an earlier answer has read comes
//! from the cache. The count of the cached is told with its kinds.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{
    context::model_of,
    error::{self, Refusal},
};
use crate::{
    desk::{Charge, Context, Served},
    prices::{self, Kind, Model, Terms, Tier},
    quantities::{Meter, Quantities},
    service::Service,
    socket::{Message, Said, Talk},
    sound::Format,
    tokens,
};

/// 24,000 samples a second of 16 bits.
const BYTES_PER_MILLISECOND: usize = 48;
/// How long a token of heard and of spoken sound lasts.
const HEARD_TOKEN_MILLISECONDS: u64 = 100;
const SPOKEN_TOKEN_MILLISECONDS: u64 = 50;
/// How long a character takes to say.
const MILLISECONDS_PER_CHARACTER: u64 = 20;

/// Begins a session.
pub(super) fn open(context: &Context<'_>) -> Result<Served, Refusal> {
    let named = context.request.query("model");
    let named = named.ok_or_else(|| error::missing("model"))?;
    let model = model_of(context, Some(named), |kind| kind == Kind::Conversation)?;
    let number = context.world.ids.fresh("");
    let session = Session {
        session: json!({
            "type": "realtime",
            "object": "realtime.session",
            "id": format!("sess_{number}"),
            "model": model.answers_as,
            "output_modalities": ["audio"],
            "expires_at": context.now() + 3_600,
        }),
        number,
        events: 0,
        said: Counts::default(),
        read: Counts::default(),
        question: String::new(),
        buffer_bytes: 0,
    };
    let charge = Charge {
        model,
        terms: Terms::at(Tier::Default),
        quantities: Quantities::of(&[]),
    };
    Ok(Served::conversation(session, charge))
}

/// Tokens by what they are made of.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    text: u64,
    audio: u64,
}

struct Session {
    session: Value,
    /// What all its identifiers end in.
    number: String,
    events: u64,
    /// Everything that stands in the conversation.
    said: Counts,
    /// What the last answer has read.
    read: Counts,
    question: String,
    buffer_bytes: usize,
}

impl Session {
    fn event(&mut self, kind: &str, mut body: Value) -> Said {
        self.events += 1;
        body["type"] = json!(kind);
        body["event_id"] = json!(format!("event_{}{}", self.number, self.events));
        Said::json(&body)
    }

    fn id(&mut self, prefix: &str) -> String {
        self.events += 1;
        format!("{prefix}_{}{}", self.number, self.events)
    }

    fn refusal(&mut self, code: &str, message: &str) -> Vec<Said> {
        let error = json!({
            "type": "invalid_request_error", "code": code, "message": message, "param": null,
        });
        vec![self.event("error", json!({"error": error}))]
    }

    fn update(&mut self, asked: &Value) -> Vec<Said> {
        for (name, value) in asked["session"].as_object().into_iter().flatten() {
            if !matches!(name.as_str(), "id" | "object" | "model") {
                self.session[name] = value.clone();
            }
        }
        let session = self.session.clone();
        vec![self.event("session.updated", json!({"session": session}))]
    }

    fn item(&mut self, item: Value) -> Vec<Said> {
        vec![
            self.event("conversation.item.added", json!({"item": item})),
            self.event("conversation.item.done", json!({"item": item})),
        ]
    }

    fn put_item(&mut self, asked: &Value) -> Vec<Said> {
        let mut item = asked["item"].clone();
        if !item.is_object() {
            return self.refusal("missing_required_parameter", "Missing 'item'.");
        }
        let mut text = String::new();
        for part in item["content"].as_array().into_iter().flatten() {
            let sound = part["audio"].as_str();
            let sound = sound.and_then(|audio| STANDARD.decode(audio).ok());
            if let Some(sound) = sound {
                self.said.audio += heard_tokens(sound.len());
            }
            text.push_str(part["text"].as_str().unwrap_or_default());
        }
        text.push_str(item["output"].as_str().unwrap_or_default());
        self.said.text += tokens::count(&text);
        if !text.is_empty() {
            self.question = text;
        }
        if !item["id"].is_string() {
            item["id"] = json!(self.id("item"));
        }
        item["object"] = json!("realtime.item");
        item["status"] = json!("completed");
        self.item(item)
    }

    /// Sound that was put down becomes a part of the conversation.
    fn commit(&mut self) -> Vec<Said> {
        let bytes = std::mem::take(&mut self.buffer_bytes);
        if bytes == 0 {
            let message = "Error committing input audio buffer: buffer too small.";
            return self.refusal("input_audio_buffer_commit_empty", message);
        }
        self.said.audio += heard_tokens(bytes);
        let id = self.id("item");
        let mut said = vec![self.event("input_audio_buffer.committed", json!({"item_id": id}))];
        let item = json!({
            "id": id, "object": "realtime.item", "type": "message", "role": "user",
            "status": "completed", "content": [{"type": "input_audio", "transcript": null}],
        });
        said.extend(self.item(item));
        let transcriber = self.session.pointer("/audio/input/transcription/model");
        let transcriber = transcriber
            .and_then(Value::as_str)
            .and_then(|name| prices::find(Service::Openai, name))
            .filter(|model| matches!(model.kind, Kind::Hearing { .. }));
        if let Some(model) = transcriber {
            said.push(self.transcript(&id, model, bytes));
        }
        said
    }

    /// What another model has heard; it has a line of its own on the bill.
    fn transcript(&mut self, item: &str, model: &'static Model, bytes: usize) -> Said {
        let milliseconds = (bytes / BYTES_PER_MILLISECOND) as u64;
        let text = format!("the sound lasts {milliseconds} milliseconds");
        let (usage, counts) = if model.kind == (Kind::Hearing { by_token: true }) {
            let (heard, written) = (heard_tokens(bytes), tokens::count(&text));
            let usage = json!({
                "type": "tokens", "total_tokens": heard + written, "input_tokens": heard,
                "input_token_details": {"text_tokens": 0, "audio_tokens": heard},
                "output_tokens": written,
            });
            let counts = [
                (Meter::InputTokens, heard),
                (Meter::InputAudioTokens, heard),
                (Meter::OutputTokens, written),
            ];
            (usage, Quantities::of(&counts))
        } else {
            let seconds = format!("{}.{:03}", milliseconds / 1_000, milliseconds % 1_000);
            let seconds: Value = serde_json::from_str(&seconds).unwrap_or_default();
            let usage = json!({"type": "duration", "seconds": seconds});
            (
                usage,
                Quantities::of(&[(Meter::AudioMilliseconds, milliseconds)]),
            )
        };
        let body = json!({
            "item_id": item, "content_index": 0, "transcript": text, "usage": usage,
        });
        self.event(
            "conversation.item.input_audio_transcription.completed",
            body,
        )
        .beside(model, counts)
    }

    fn respond(&mut self, asked: &Value) -> Vec<Said> {
        let id = self.id("resp");
        let modalities = asked.pointer("/response/output_modalities");
        let modalities = modalities.unwrap_or(&self.session["output_modalities"]);
        let speaks = *modalities != json!(["text"]);
        let text = format!("You said “{}”.", self.question);
        let written = tokens::count(&text);
        let spoken_ms = text.chars().count() as u64 * MILLISECONDS_PER_CHARACTER;
        let spoken = if speaks {
            spoken_ms.div_ceil(SPOKEN_TOKEN_MILLISECONDS)
        } else {
            0
        };
        let (input, cached) = (self.said, self.read);
        self.read = input;
        self.said.text += written;
        self.said.audio += spoken;
        let usage = json!({
            "total_tokens": input.text + input.audio + written + spoken,
            "input_tokens": input.text + input.audio,
            "output_tokens": written + spoken,
            "input_token_details": {
                "text_tokens": input.text,
                "audio_tokens": input.audio,
                "image_tokens": 0,
                "cached_tokens": cached.text + cached.audio,
                "cached_tokens_details": {
                    "text_tokens": cached.text, "audio_tokens": cached.audio, "image_tokens": 0,
                },
            },
            "output_token_details": {"text_tokens": written, "audio_tokens": spoken},
        });
        let heard = [
            (Meter::InputTokens, input.text + input.audio),
            (Meter::InputAudioTokens, input.audio),
            (Meter::CachedInputTokens, cached.text),
            (Meter::CachedInputAudioTokens, cached.audio),
        ];
        let response = json!({"object": "realtime.response", "id": id, "status": "in_progress"});
        let item = self.id("item");
        let place = json!({
            "response_id": id, "item_id": item, "output_index": 0, "content_index": 0,
        });
        let with = |name: &str, value: Value| {
            let mut body = place.clone();
            body[name] = value;
            body
        };
        let mut said = vec![
            self.event("response.created", json!({"response": response}))
                .billed(heard),
        ];
        let delta = if speaks {
            "response.output_audio_transcript.delta"
        } else {
            "response.output_text.delta"
        };
        for piece in tokens::pieces(&text) {
            let body = with("delta", json!(piece));
            said.push(self.event(delta, body).billed([(Meter::OutputTokens, 1)]));
        }
        if speaks {
            let sound = STANDARD.encode(Format::Pcm.silence(spoken_ms));
            let body = with("delta", json!(sound));
            let counts = [
                (Meter::OutputTokens, spoken),
                (Meter::OutputAudioTokens, spoken),
            ];
            said.push(
                self.event("response.output_audio.delta", body)
                    .billed(counts),
            );
        }
        let done = json!({
            "object": "realtime.response", "id": id, "status": "completed",
            "status_details": null,
            "output": [{"id": item, "object": "realtime.item", "type": "message",
                        "role": "assistant", "status": "completed"}],
            "usage": usage,
        });
        said.push(self.event("response.done", json!({"response": done})));
        let limits = json!([
            {"name": "tokens", "limit": 1_000_000, "remaining": 999_000, "reset_seconds": 0.06},
        ]);
        said.push(self.event("rate_limits.updated", json!({"rate_limits": limits})));
        said
    }
}

/// How many tokens so much heard sound is.
fn heard_tokens(bytes: usize) -> u64 {
    ((bytes / BYTES_PER_MILLISECOND) as u64).div_ceil(HEARD_TOKEN_MILLISECONDS)
}

impl Talk for Session {
    fn open(&mut self) -> Vec<Said> {
        let session = self.session.clone();
        vec![self.event("session.created", json!({"session": session}))]
    }

    fn heard(&mut self, message: Message) -> Vec<Said> {
        let asked: Value = match &message {
            Message::Text(text) => serde_json::from_str(text).unwrap_or_default(),
            Message::Binary(_) => Value::Null,
        };
        match asked["type"].as_str() {
            Some("session.update") => self.update(&asked),
            Some("conversation.item.create") => self.put_item(&asked),
            Some("input_audio_buffer.append") => {
                let sound = asked["audio"].as_str();
                match sound.and_then(|audio| STANDARD.decode(audio).ok()) {
                    Some(sound) => {
                        self.buffer_bytes += sound.len();
                        Vec::new()
                    }
                    None => self.refusal("invalid_value", "Invalid 'audio'."),
                }
            }
            Some("input_audio_buffer.commit") => self.commit(),
            Some("input_audio_buffer.clear") => {
                self.buffer_bytes = 0;
                vec![self.event("input_audio_buffer.cleared", json!({}))]
            }
            Some("response.create") => self.respond(&asked),
            Some(_) => self.refusal("invalid_value", "Invalid 'type'."),
            None => self.refusal("invalid_json", "The message could not be read."),
        }
    }

    fn failure(&mut self) -> Message {
        let body = json!({"type": "error", "event_id": "event_failed", "error": {
            "type": "server_error", "code": "server_error", "param": null,
            "message": "The server had an error while processing your request.",
        }});
        Message::Text(body.to_string())
    }
}
