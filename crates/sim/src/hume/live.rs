//! `GET /v1/expression/{audio,video}/realtime` as a WebSocket.
//!
//! Binary messages are sound of 128 kbit/s, or a WAV file each. `{"type":"session.close"}` ends the
//! session; what was received stands in `session.closed`, and in the run when the socket was lost.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    error, expression,
    runs::{Of, Run},
};
use crate::{
    desk::{Charge, Context, Refusal, Served},
    prices::{self, Terms, Tier},
    quantities::{Meter, Quantities},
    service::Service,
    socket::{Message, Said, Talk},
    sound,
    world::World,
};

/// Begins to listen.
pub(super) fn audio(context: &Context<'_>) -> Result<Served, Refusal> {
    open(context, "expression-audio")
}

/// Begins to listen and to look.
pub(super) fn video(context: &Context<'_>) -> Result<Served, Refusal> {
    open(context, "expression-video")
}

fn open(context: &Context<'_>, model: &str) -> Result<Served, Refusal> {
    let model = prices::find(Service::Hume, model);
    let model = model.ok_or_else(|| error::invalid(None, "there is no such model"))?;
    let run = Run {
        ended_at: None,
        ..Run::done(context, Of::Expression, 0, 0)
    };
    let session = Session {
        world: Arc::clone(context.world),
        id: run.id.clone(),
        milliseconds: 0,
        bytes: 0,
        produced: 0,
    };
    context.world.hume.put(run);
    let charge = Charge {
        model,
        terms: Terms::at(Tier::Default),
        quantities: Quantities::of(&[]),
    };
    Ok(Served::conversation(session, charge))
}

struct Session {
    world: Arc<World>,
    id: String,
    milliseconds: u64,
    bytes: u64,
    produced: u64,
}

impl Session {
    fn sound(&mut self, sound: &[u8]) -> Vec<Said> {
        self.bytes += sound.len() as u64;
        self.milliseconds += sound::milliseconds(sound);
        self.produced += 1;
        vec![Said::json(&json!({
            "type": "prediction", "index": self.produced,
            "until_ms": self.milliseconds, "scores": {"calm": 0.9},
        }))]
    }
}

impl Talk for Session {
    fn open(&mut self) -> Vec<Said> {
        vec![Said::json(
            &json!({"type": "session.created", "run_id": self.id}),
        )]
    }

    fn heard(&mut self, message: Message) -> Vec<Said> {
        let text = match message {
            Message::Binary(sound) => return self.sound(&sound),
            Message::Text(text) => text,
        };
        let asked: Value = serde_json::from_str(&text).unwrap_or_default();
        match asked["type"].as_str() {
            Some("session.config") => Vec::new(),
            Some("session.close") => vec![
                Said::json(&json!({
                    "type": "session.closed",
                    "received": {"audio_duration_ms": self.milliseconds},
                    "produced": {"predictions": self.produced},
                })),
                Said::close(1000, ""),
            ],
            _ => {
                let mut body = error::body("config_invalid", "The message is unknown.", None);
                body["request_id"] = json!(self.id);
                vec![Said::json(&body), Said::close(1008, "config_invalid")]
            }
        }
    }

    /// A session is paid when it is over, as a file of its length would be.
    fn left(&mut self) -> Vec<(Meter, u64)> {
        let paid = expression::metered(self.milliseconds);
        let (now, bytes) = (self.world.clock.now(), self.bytes);
        self.world.hume.change(&self.id, |run| {
            run.ended_at = Some(now);
            run.bytes_received = bytes;
            run.metered = paid;
            run.close_code = Some(1000);
        });
        vec![(Meter::AudioMilliseconds, paid)]
    }

    fn failure(&mut self) -> Message {
        let mut body = error::body("server_busy", "The service is busy.", None);
        body["request_id"] = json!(self.id);
        Message::Text(body.to_string())
    }
}
